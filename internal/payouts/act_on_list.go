package payouts

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// OrderList is orders that one decision is about, as the ledger has them.
type OrderList struct {
	List   envelope.List `json:"list"`
	Orders []order.View  `json:"orders"`
}

// leastRoot is the minimum of digits by which a list is named. A list can be chosen, as
// an order's content cannot, so that fewer digits could be made to fit another list.
const leastRoot = 16

// ShortRoot returns the beginning of the list's root, which is enough to decide about it.
func (l OrderList) ShortRoot() string { return l.List.Root[:leastRoot] }

// PickOrders returns orders as the ledger has them, to decide about all at once. The
// error is an *order.Refusal with ORDER_NOT_FOUND, DATA_KEY_UNKNOWN, or a code of
// envelope.NewList: each order must be there once.
func (s *Service) PickOrders(ctx context.Context, _ Actor, keys []order.Key) (OrderList, error) {
	return PickEach(keys, func(key order.Key) (view order.View, err error) {
		err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
			row, err := l.Order(ctx, key)
			view = row.View(row.Standing)
			return err
		})
		return view, err
	})
}

// PickEach is PickOrders for orders that are read one by one.
func PickEach(keys []order.Key, read func(order.Key) (order.View, error)) (OrderList, error) {
	if len(keys) > envelope.MaxItems {
		return NewOrderList(make([]order.View, len(keys)))
	}
	views := make([]order.View, len(keys))
	for i, key := range keys {
		if err := CheckKey(key); err != nil {
			return OrderList{}, err
		}
		var err error
		views[i], err = read(key)
		if errors.Is(err, ledger.ErrNotFound) || order.CodeOf(err) == order.CodeOrderNotFound {
			err = order.Refuse(order.CodeOrderNotFound, "the list has order %s, which is not on record", key)
		}
		if err != nil {
			return OrderList{}, err
		}
	}
	return NewOrderList(views)
}

// PickWaiting is PickOrders for all orders that wait for an approval, of a merchant or
// of all.
func (s *Service) PickWaiting(ctx context.Context, _ Actor, merchant string) (OrderList, error) {
	filter := ledger.Filter{Merchant: merchant, States: []order.State{order.AwaitingApproval}, Limit: ledger.MaxPage}
	var views []order.View
	for {
		var found []order.Order
		err := s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
			found, err = l.Orders(ctx, filter)
			return err
		})
		if err != nil {
			return OrderList{}, err
		}
		for _, row := range found {
			views = append(views, row.View(row.Standing))
			filter.After = row.Key()
		}
		if len(found) < filter.Limit || len(views) > envelope.MaxItems {
			return NewOrderList(views)
		}
	}
}

// NewOrderList returns a list to decide about. The codes are those of PickOrders.
func NewOrderList(views []order.View) (OrderList, error) {
	picked := OrderList{Orders: views}
	if i := slices.IndexFunc(views, func(v order.View) bool { return v.Hidden != "" }); i >= 0 {
		return OrderList{}, unreadable(views[i].Key().String(), views[i].Hidden, "nobody decides about what cannot be read")
	}
	list, refusal := envelope.NewList(picked.items())
	if refusal != nil {
		return OrderList{}, refusal
	}
	picked.List = list
	return picked, nil
}

func (l OrderList) items() []envelope.Item {
	items := make([]envelope.Item, len(l.Orders))
	for i, v := range l.Orders {
		items[i] = envelope.Item{Merchant: v.Merchant, Number: v.Number, Fingerprint: v.Fingerprint, Amount: v.Amount, Requester: v.RequestedBy}
	}
	return items
}

// merchant returns the merchant of all orders; empty if they are of several.
func (l OrderList) merchant() string {
	first := l.Orders[0].Merchant
	if slices.ContainsFunc(l.Orders, func(v order.View) bool { return v.Merchant != first }) {
		return ""
	}
	return first
}

// ListAction is one decision over a list of orders.
type ListAction struct {
	Name string // order.ActionApprove, ActionReject or ActionCancel
	Root string // the root of the list that the actor has looked at, or its first sixteen digits
	Why  string
}

// plain returns the decision as an action on one order, without a signature.
func (a ListAction) plain(by, fingerprint string) order.Action {
	switch a.Name {
	case order.ActionReject:
		return order.Rejection{ID: NewActionID(), By: by, Why: a.Why}
	case order.ActionCancel:
		return order.Cancellation{ID: NewActionID(), By: by, Why: a.Why}
	}
	return order.Approval{ID: NewActionID(), By: by, Fingerprint: fingerprint, Why: a.Why}
}

// permit returns why the decision is refused before anything is sent, or nil.
func (a ListAction) permit(by string, list OrderList) error {
	root := strings.TrimSpace(a.Root)
	switch {
	case strings.TrimSpace(by) == "":
		return order.Refuse(order.CodeWhoMissing, "a decision about a list says who makes it")
	case a.Name != order.ActionApprove && strings.TrimSpace(a.Why) == "":
		return order.Refuse(order.CodeWhyMissing, "a decision that ends the orders of a list says why")
	case len(root) < leastRoot || !rules.BeginsFingerprint(root, list.List.Root):
		return order.Refuse(codes.FingerprintMismatch, "nothing was sent: the fingerprint is not that of this list, or has fewer than %d digits; look at the list again", leastRoot)
	case a.Name != order.ActionApprove:
		return nil
	}
	for _, v := range list.Orders {
		if rules.SamePerson(by, v.RequestedBy) {
			return order.Refuse(codes.SamePerson, "nothing was approved: %s requested order %s of the list; leave it out, or have another person approve the list", v.RequestedBy, v.Key())
		}
	}
	return nil
}

// ActOnList makes one decision about the orders of a list, with one signature if the
// actor signs. Each order gets its own update. told is called after each order.
//
// An order for which the audit has the same decision of the actor is left alone. So the
// decision can be repeated until it has reached every order.
func (s *Service) ActOnList(ctx context.Context, actor Actor, list OrderList, a ListAction, told func(ListOutcome)) (ListReport, error) {
	if err := a.permit(actor.Name, list); err != nil {
		return ListReport{}, err
	}
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return ListReport{}, err
	}
	return DecideList(ctx, directList{s, orders}, actor, list, a, s.parts.Now(), told)
}

// DecideList is ActOnList through a door.
func DecideList(ctx context.Context, door ListDoor, actor Actor, list OrderList, a ListAction, now time.Time, told func(ListOutcome)) (ListReport, error) {
	if err := a.permit(actor.Name, list); err != nil {
		return ListReport{}, err
	}
	if !actor.signs(a.Name) {
		return decision{door, actor.Name, a.Name, list, func(item envelope.Listed) (order.Action, error) {
			return a.plain(actor.Name, item.Fingerprint), nil
		}, told}.send(ctx)
	}
	e, refusal := envelope.OfList(a.Name, actor.Name, a.Why, list.List, list.merchant(), actor.Signing.Origin, now, signedLife)
	if refusal != nil {
		return ListReport{}, refusal
	}
	signed, err := envelope.Sign(e, actor.Signing.Key)
	if err != nil {
		return ListReport{}, err
	}
	return DecideSignedList(ctx, door, list, signed, told)
}

// ActSignedOnList is ActOnList with a decision that was signed elsewhere. The error is
// an *order.Refusal with ENVELOPE_LIST_DIFFERS if it was signed for other orders.
func (s *Service) ActSignedOnList(ctx context.Context, list OrderList, signed envelope.Signed, told func(ListOutcome)) (ListReport, error) {
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return ListReport{}, err
	}
	return DecideSignedList(ctx, directList{s, orders}, list, signed, told)
}

// DecideSignedList is ActSignedOnList through a door.
func DecideSignedList(ctx context.Context, door ListDoor, list OrderList, signed envelope.Signed, told func(ListOutcome)) (ListReport, error) {
	e := signed.Envelope
	if e.List == nil {
		return ListReport{}, order.Refuse(envelope.CodeListDiffers, "the envelope is for one order; send it without a list")
	}
	if refusal := e.List.Holds(list.items()); refusal != nil {
		return ListReport{}, refusal
	}
	return decision{door, e.By, e.Action, list, func(item envelope.Listed) (order.Action, error) { return signed.ActionOn(item) }, told}.send(ctx)
}
