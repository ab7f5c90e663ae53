package payouts

import (
	"context"
	"slices"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Outcome is what became of an order of a list.
type Outcome string

// The outcomes.
const (
	ListDone    Outcome = "done"
	ListAlready Outcome = "already" // the actor had done it before
	ListRefused Outcome = "refused"
	ListUnknown Outcome = "unknown" // no answer: it may still be done
	ListUnsent  Outcome = "unsent"  // the decision ended at an earlier order
)

// ListOutcome is what became of one order.
type ListOutcome struct {
	Key     order.Key   `json:"key"`
	Outcome Outcome     `json:"outcome"`
	State   order.State `json:"state,omitempty"`   // afterwards, if it is known
	Problem *Failure    `json:"problem,omitempty"` // of refused and unknown
}

// ListReport is what became of a decision over a list, in the sequence of merchants and
// numbers.
type ListReport struct {
	List    envelope.List   `json:"list"`
	Counts  map[Outcome]int `json:"counts"`
	Orders  []ListOutcome   `json:"orders"`
	Problem *Failure        `json:"problem,omitempty"` // of the order with which it ended, else of the first refused order
}

// ListDoor is where the actions of a decision over a list are sent, each on one order.
type ListDoor interface {
	// ActOn does the action on an order, and returns its state afterwards.
	ActOn(ctx context.Context, key order.Key, action order.Action) (order.State, error)
	// HasDone reports whether the audit of an order has the action of the person. If the
	// audit cannot be read, the ledger decides when it gets the action.
	HasDone(ctx context.Context, key order.Key, by, name string) bool
}

// decision is one decision over a list. send sends the action of each order. It ends at an
// order that does not answer, and at a refusal that would meet every order.
type decision struct {
	door     ListDoor
	by, name string
	list     OrderList
	action   func(envelope.Listed) (order.Action, error)
	told     func(ListOutcome)
}

func (d decision) send(ctx context.Context) (ListReport, error) {
	views := make(map[order.Key]order.View, len(d.list.Orders))
	for _, v := range d.list.Orders {
		views[v.Key()] = v
	}
	report := ListReport{List: d.list.List, Counts: make(map[Outcome]int)}
	ended := false
	for item := range envelope.ListedItems(d.list.items()) {
		one := ListOutcome{Key: item.Key(), Outcome: ListUnsent}
		if !ended {
			todo, err := d.action(item)
			if err != nil {
				return report, err
			}
			one = d.sendOne(ctx, views[item.Key()], todo)
			ended = one.Outcome == ListUnknown || one.Problem != nil && endsList(one.Problem.Code)
		}
		if one.Problem != nil && (report.Problem == nil || ended) {
			report.Problem = one.Problem
		}
		report.Counts[one.Outcome]++
		report.Orders = append(report.Orders, one)
		d.told(one)
	}
	return report, nil
}

// sendOne sends the action on one order, unless the actor has done it before.
func (d decision) sendOne(ctx context.Context, view order.View, todo order.Action) ListOutcome {
	one := ListOutcome{Key: view.Key(), State: view.State}
	if (view.State != order.AwaitingApproval || view.Reason.Code == codes.Unsigned) && d.door.HasDone(ctx, view.Key(), d.by, d.name) {
		one.Outcome = ListAlready
		return one
	}
	after, err := d.door.ActOn(ctx, view.Key(), todo)
	switch {
	case err == nil:
		one.Outcome, one.State = ListDone, after
		return one
	case slices.Contains([]codes.Class{codes.ClassRetry, codes.ClassUnavailable, codes.ClassUnknown, codes.ClassInternal}, codes.ClassOf(Explain(err).Code)):
		one.Outcome, one.State = ListUnknown, ""
	default:
		one.Outcome = ListRefused
	}
	problem := Explain(err)
	one.Problem = &problem
	return one
}

// directList sends through Temporal, and reads the ledger.
type directList struct {
	service *Service
	orders  Orders
}

func (d directList) ActOn(ctx context.Context, key order.Key, action order.Action) (order.State, error) {
	acting, cancel := within(ctx, callTime)
	defer cancel()
	after, err := d.orders.Act(acting, key, action)
	return after.State, late(acting, err, "order %s did not answer; it may still do as told: look with %s, and repeat the command. Does a worker run?", key, d.service.parts.Ask(UseStatus, key))
}

func (d directList) HasDone(ctx context.Context, key order.Key, by, name string) (done bool) {
	_ = d.service.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		entries, err := l.Audit(ctx, key)
		done = HasActed(entries, by, name)
		return err
	})
	return done
}

// HasActed reports whether the audit of an order has the action of the person.
func HasActed(entries []AuditEntry, by, name string) bool {
	return slices.ContainsFunc(entries, func(e AuditEntry) bool { return !e.Refused && string(e.Action) == name && e.Actor == by })
}

// endsList reports whether a refusal is about the decision and not about one order.
func endsList(code string) bool {
	if code == codes.SamePerson || code == roster.CodeMerchantNotAllowed {
		return false
	}
	class := codes.ClassOf(code)
	return class == codes.ClassForbidden || class == codes.ClassUnauthenticated || class == codes.ClassInvalid || code == ledger.CodeRosterNotSet
}
