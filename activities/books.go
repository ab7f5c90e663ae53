package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Books writes the ledger. Its methods run as local activities: they are
// short, idempotent and retried for as long as the database is away.
type Books struct {
	ledger   *ledger.Ledger
	settings Settings
}

// NewBooks makes the ledger's activities.
func NewBooks(l *ledger.Ledger, settings Settings) *Books {
	return &Books{ledger: l, settings: settings}
}

// Plan is what the configuration says about one order's life. It is recorded
// with the opening, so that a later change of configuration never disturbs a
// workflow that is under way.
type Plan struct {
	Horizon       time.Duration `json:"horizon"`        // how long to look for proof before a person is asked
	CallbackGrace time.Duration `json:"callback_grace"` // how long to wait for a callback before polling
	Attempt       time.Duration `json:"attempt"`        // the longest one activity attempt may take

	// What is left until the deadlines on record, by the ledger's clock; zero: over.
	ApprovalLeft time.Duration `json:"approval_left,omitempty"` // then an order that nobody approved is rejected
	FundsLeft    time.Duration `json:"funds_left,omitempty"`    // then a withdrawal without funds fails
}

// plan is the plan of an order that the ledger has.
func (b *Books) plan(ctx context.Context, row order.Order) (Plan, error) {
	now, err := b.ledger.Now(ctx)
	return Plan{
		Horizon: b.settings.horizon(row), CallbackGrace: b.settings.CallbackGrace, Attempt: b.settings.attempt(),
		ApprovalLeft: max(row.ApproveBefore.Sub(now), 0), FundsLeft: max(b.settings.fundsBefore(row).Sub(now), 0),
	}, err
}

// Opened is the outcome of opening an order.
type Opened struct {
	BooksClosed bool           `json:"books_closed,omitempty"` // nothing was written: the merchant's opening balance comes first
	Elsewhere   order.Reason   `json:"elsewhere,omitzero"`     // nothing was written: what this worker lacks, and another one has
	Standing    order.Standing `json:"standing"`
	Sent        bool           `json:"sent,omitempty"`    // the gateway may have a create of it: it is driven on
	Unasked     bool           `json:"unasked,omitempty"` // the gateway is asked before it is ended
	Plan        Plan           `json:"plan,omitzero"`
}

// Open answers for the order that the ledger has. If it has none it validates the
// request once more, writes the order down and reserves a withdrawal's funds, all
// in one transaction. A request that breaks a rule or takes another order's number
// comes back as rejected; nothing is written.
//
// What is there is not judged by the rules of today: it may be at the gateway.
func (b *Books) Open(ctx context.Context, request order.Request) (Opened, error) {
	// One workflow per order: another id would let a second one drive it.
	if id := activity.GetInfo(ctx).WorkflowExecution.ID; id != contract.WorkflowID(request.Key()) {
		return rejected(order.Reason{
			Code: order.CodeInvalidRequest, Text: "the workflow of this order has the id " + contract.WorkflowID(request.Key()) + "; start it under that",
		}), nil
	}
	row, opening, err := b.ledger.FindOrder(ctx, request)
	if err == nil && opening == "" {
		if refusal := b.refuse(request); refusal != nil {
			return b.refusedOrElsewhere(ctx, request, refusal.Reason)
		}
		terms := b.settings.terms(request.Kind)
		terms.Run = activity.GetInfo(ctx).WorkflowExecution.RunID
		row, opening, err = b.ledger.OpenOrder(ctx, request, terms)
	}
	if err != nil {
		return Opened{}, fmt.Errorf("open %s: %w", request.Key(), err)
	}
	if opening == ledger.Twin {
		return rejected(order.Reason{
			Code: order.CodeNumberTwin,
			Text: "order " + row.Number + " is on record, and the number " + request.Number + " differs in capitals only; use another number",
		}), nil
	}
	if opening == ledger.Conflict {
		return rejected(order.OtherContent(request.Number).Reason), nil
	}
	if opening == ledger.BooksClosed {
		return Opened{BooksClosed: true, Plan: Plan{Attempt: b.settings.attempt()}}, nil
	}
	if opening == ledger.Existing { // this run's own, if it is tried once more
		row, err = b.ledger.Reopen(ctx, row.Key(), activity.GetInfo(ctx).WorkflowExecution.RunID)
		if err != nil {
			return Opened{}, fmt.Errorf("open %s: %w", request.Key(), err)
		}
	}
	return b.look(ctx, row)
}

// Look says where an order stands and what its workflow has to know of it, as
// Open does.
func (b *Books) Look(ctx context.Context, key order.Key) (Opened, error) {
	row, err := b.ledger.Order(ctx, key)
	if err != nil {
		return Opened{}, fmt.Errorf("look at %s: %w", key, permanent(err))
	}
	return b.look(ctx, row)
}

func (b *Books) look(ctx context.Context, row order.Order) (Opened, error) {
	plan, err := b.plan(ctx, row)
	if err != nil {
		return Opened{}, fmt.Errorf("look at %s: %w", row.Key(), err)
	}
	attempts, err := b.ledger.Submissions(ctx, row.Key())
	if err != nil {
		return Opened{}, fmt.Errorf("look at %s: %w", row.Key(), err)
	}
	return Opened{Standing: row.Standing, Sent: ledger.Sent(attempts), Unasked: row.Unasked(), Plan: plan}, nil
}

// refuse says why this worker opens no such order. The merchant comes first: the
// rules are those of its country.
func (b *Books) refuse(request order.Request) *order.Refusal {
	if country, known := b.settings.Merchants[request.Merchant]; !known || country != request.Country {
		return order.Refuse(order.CodeUnknownMerchant, "merchant %s is not configured for %s", request.Merchant, request.Country)
	}
	if err := request.Validate(b.settings.Limits); err != nil {
		return order.Refuse(order.CodeInvalidRequest, "%v", err)
	}
	return nil
}

// refusedOrElsewhere rejects a request, unless another worker may take it: one
// that is configured with its merchant, or has a newer profile of its country.
func (b *Books) refusedOrElsewhere(ctx context.Context, request order.Request, refusal order.Reason) (Opened, error) {
	lacks := ""
	if refusal.Code == order.CodeUnknownMerchant {
		served, err := b.ledger.OtherWorkerHas(ctx, request.Merchant, request.Country)
		if err != nil {
			return Opened{}, fmt.Errorf("open %s: %w", request.Key(), err)
		}
		if served {
			lacks = "merchant " + request.Merchant
		}
	} else {
		newest, err := b.ledger.NewestProfile(ctx, request.Country)
		if err != nil {
			return Opened{}, fmt.Errorf("open %s: %w", request.Key(), err)
		}
		profile, known := tarspay.Country(request.Country)
		if newest != "" && (!known || profile.Sum != newest) {
			lacks = "the newest profile of " + request.Country
		}
	}
	if lacks == "" {
		return rejected(refusal), nil
	}
	return Opened{Elsewhere: order.Reason{Code: order.CodeOtherWorker, Text: "a worker lacks " + lacks + ", which another worker has"}}, nil
}

// OpenElsewhere is Open for an order whose worker lacks something. It runs as an
// ordinary activity, so that the server hands each attempt to whichever worker
// asks for work; one that lacks it, too, leaves the order to the next attempt.
func (b *Books) OpenElsewhere(ctx context.Context, request order.Request) (Opened, error) {
	opened, err := b.Open(ctx, request)
	if err == nil && opened.Elsewhere.Code != "" {
		return Opened{}, later(opened.Elsewhere.Code, opened.Elsewhere.Text, b.settings.otherWorker(ctx))
	}
	return opened, err
}

// RefuseStart puts on record that a workflow was started as an order and is none:
// in the audit of the merchant that its id names, if it is one of ours, else in
// the installation's.
func (b *Books) RefuseStart(ctx context.Context, reason order.Reason) error {
	id := activity.GetInfo(ctx).WorkflowExecution.ID
	var merchant string
	if key, ok := contract.ParseWorkflowID(id); ok && b.settings.Merchants[key.Merchant] != "" {
		merchant = key.Merchant
	}
	if err := b.ledger.RefuseStart(ctx, merchant, id, reason); err != nil {
		return fmt.Errorf("note that %s is no order: %w", id, err)
	}
	return nil
}

func rejected(reason order.Reason) Opened {
	return Opened{Standing: order.Standing{State: order.Rejected, Reason: reason}}
}

// Applied is what a callback did.
type Applied struct {
	Standing order.Standing `json:"standing"`
	Ask      bool           `json:"ask,omitempty"` // the callback alone is not enough: ask the gateway now
}

// ApplyCallback compares a callback from the inbox with its order, field by
// field, and acts on it: success settles; what would release money, and what
// does not fit the order, only makes us ask the gateway. A callback that made
// us ask is not done with; it is applied again when the gateway has answered.
//
// The id came by a message, and anybody who reaches Temporal may send one: what
// names no callback of this order is ignored, and the audit says so.
func (b *Books) ApplyCallback(ctx context.Context, key order.Key, callbackID string) (Applied, error) {
	row, err := b.ledger.Order(ctx, key)
	if err != nil {
		return Applied{}, fmt.Errorf("read %s: %w", key, permanent(err))
	}
	applied := Applied{Standing: row.Standing}
	entry, strange, err := b.inInbox(ctx, key, callbackID)
	if err != nil {
		return Applied{}, fmt.Errorf("read callback of %s: %w", key, err)
	}
	if strange.Code != "" {
		return applied, b.Ignore(ctx, key, strange)
	}
	finding, err := row.FromCallback(entry.Callback)
	ask := false
	if err == nil {
		if ask, err = b.mustAsk(ctx, row, finding); err != nil {
			return Applied{}, fmt.Errorf("read whose order the callback of %s names: %w", key, err)
		}
	}
	var mismatch *order.Mismatch
	switch {
	case errors.As(err, &mismatch):
		applied.Ask = !row.State.Terminal()
		err = b.ledger.OpenDiscrepancy(ctx, key, order.DiscrepancyMismatch, "callback "+callbackID+": "+mismatch.Error())
	case err != nil:
		return Applied{}, err
	case ask:
		applied.Ask = true
	default:
		finding.Evidence = callbackID
		applied.Standing, err = b.Settle(ctx, key, finding)
	}
	if err != nil {
		return Applied{}, fmt.Errorf("apply callback to %s: %w", key, err)
	}
	if applied.Ask {
		return applied, nil // not done with it: what it claims is applied again once the gateway has been asked
	}
	if err := b.ledger.MarkCallback(ctx, callbackID, ledger.Done); err != nil {
		return Applied{}, fmt.Errorf("mark callback of %s: %w", key, err)
	}
	return applied, nil
}

// inInbox reads a callback of an order, or says why there is none to act on.
func (b *Books) inInbox(ctx context.Context, key order.Key, callbackID string) (ledger.InboxEntry, order.Reason, error) {
	if callbackID == "" {
		return ledger.InboxEntry{}, order.Reason{
			Code: order.CodeUnreadable, Text: "a callback signal is encrypted with a key that was not at hand; the gateway's answer decides",
		}, nil
	}
	entry, err := b.ledger.Callback(ctx, callbackID)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return entry, order.Reason{Code: order.CodeCallbackUnknown, Text: "a signal names a callback that is not in the inbox"}, nil
	case errors.Is(err, ledger.ErrDamaged):
		return entry, order.Reason{Code: order.CodeCallbackDamaged, Text: "the inbox has a callback that cannot be read; the gateway's answer decides"}, nil
	case err != nil:
		return entry, order.Reason{}, err
	case entry.Key() != key:
		return entry, order.Reason{Code: order.CodeCallbackForeign, Text: "a signal names a callback of another order"}, nil
	}
	return entry, order.Reason{}, nil
}

// Ignore puts on record that an order's workflow was told something that nobody
// acts on.
func (b *Books) Ignore(ctx context.Context, key order.Key, reason order.Reason) error {
	if err := b.ledger.Ignore(ctx, key, reason); err != nil {
		return fmt.Errorf("note what %s ignores: %w", key, err)
	}
	return nil
}

// mustAsk reports whether the gateway has to confirm a callback before
// anything is booked on it. Nothing is booked, and at most a discrepancy opens,
// when it does not move the order, or names an order of the gateway's that
// belongs to another one of ours.
func (b *Books) mustAsk(ctx context.Context, row order.Order, finding order.Finding) (bool, error) {
	if !row.Decide(finding).Moves() || (!finding.ReleasesMoney() && !b.settings.ConfirmAll) {
		return false, nil
	}
	shared, err := sharedOrder(ctx, b.ledger, row, finding)
	return !shared, err
}

// Unconfirmed opens a discrepancy: a callback speaks of a refund, or of a late
// payment, that the gateway, on being asked, does not know.
func (b *Books) Unconfirmed(ctx context.Context, key order.Key, callbackID string) error {
	if err := b.ledger.OpenDiscrepancy(ctx, key, order.DiscrepancyUnconfirmed, "callback "+callbackID); err != nil {
		return fmt.Errorf("note the unconfirmed callback of %s: %w", key, err)
	}
	if err := b.ledger.MarkCallback(ctx, callbackID, ledger.Done); err != nil {
		return fmt.Errorf("mark callback of %s: %w", key, err)
	}
	return nil
}

// Settle books a finding: the state and the money in one transaction, once.
func (b *Books) Settle(ctx context.Context, key order.Key, finding order.Finding) (order.Standing, error) {
	settlement, err := b.ledger.Settle(ctx, key, finding)
	return b.stands(ctx, key, "settle", settlement.Order, err)
}

// Review hands the order to a person. The reservation stays.
func (b *Books) Review(ctx context.Context, key order.Key, reason order.Reason) (order.Standing, error) {
	row, err := b.ledger.Review(ctx, key, reason)
	return b.stands(ctx, key, "review", row, err)
}

// stands is where an order stands after a change. What the table of moves
// refuses it refuses again: such a change is not retried, the order is answered
// as it stands.
func (b *Books) stands(ctx context.Context, key order.Key, change string, row order.Order, err error) (order.Standing, error) {
	if errors.Is(err, ledger.ErrState) {
		activity.GetLogger(ctx).Error("The order stands where this cannot be done to it", "change", change, "order", key.String(), "error", err)
		row, err = b.ledger.Order(ctx, key)
	}
	if err != nil {
		return order.Standing{}, fmt.Errorf("%s %s: %w", change, key, permanent(err))
	}
	return row.Standing, nil
}

// permanent marks an error that no retry can mend: the row that a workflow
// lives from is gone, which is a bug or a wrong database, never business.
func permanent(err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return nonRetryable(ErrorMissing, err)
	}
	return err
}
