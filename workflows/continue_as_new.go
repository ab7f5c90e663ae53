package workflows

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Temporal ends a workflow whose history has become too long, and refuses messages
// after a limit. Before that, an order's workflow continues as a new run. The new
// run reads the order from the ledger, as an adopted order does, and receives from
// the old run what only that run knew. Callers that wait for the order, query it
// or start it again see no difference.

// Limits of one run, well below Temporal's own limits of 2,000 updates and 10,000
// signals. The server suggests when the history is too long.
const (
	maxUpdates = 1000
	maxSignals = 4000
	// maxCarried limits the unapplied callbacks that a run passes to the next.
	// Further ones stay in the inbox until the order has ended.
	maxCarried = 500
)

// errFull ends a run that has reached a limit; the order continues in a new run.
var errFull = errors.New("the run is full: the order continues in a new run")

// full returns errFull if the run has reached a limit.
func (p *payout) full(ctx workflow.Context) error {
	if p.updates >= maxUpdates || p.signals >= maxSignals || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
		return errFull
	}
	return nil
}

// carried is the state that a run passes to the next and that is not in the
// ledger.
type carried struct {
	Standing order.Standing  `json:"standing"`
	Plan     activities.Plan `json:"plan"`
	Sent     bool            `json:"sent,omitempty"`
	Deadline time.Time       `json:"deadline,omitzero"`
	Unread   []string        `json:"unread,omitempty"`
	Claims   []string        `json:"claims,omitempty"`
	Ignored  []order.Reason  `json:"ignored,omitempty"` // audited already
	Proposed string          `json:"proposed,omitempty"`
	Outcome  string          `json:"outcome,omitempty"`
	AskNow   bool            `json:"ask_now,omitempty"`
	Shown    order.State     `json:"shown"`
	Flagged  bool            `json:"flagged,omitempty"`
	Stopped  bool            `json:"stopped,omitempty"` // somebody has asked Temporal to cancel the workflow
}

// continueAsNew waits until the callers of this run have their answers, and
// returns the error that starts the next run. Meanwhile it refuses updates, whose
// callers can ask again, and passes signals on.
func (p *payout) continueAsNew(ctx workflow.Context) error {
	p.leaving = true
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }) // the context is never cancelled
	p.receiveSignals(ctx)
	next := carried{
		Standing: p.standing, Plan: p.plan, Sent: p.sent, Deadline: p.deadline, Claims: p.claims, Ignored: p.ignoredReasons[:p.audited],
		Proposed: p.proposed, Outcome: p.outcome, AskNow: p.askNow, Shown: p.shown, Flagged: p.flagged, Stopped: p.cancelled == nil,
	}
	for _, id := range p.unread {
		if len(next.Unread) < maxCarried && !slices.Contains(next.Unread, id) {
			next.Unread = append(next.Unread, id)
		}
	}
	return workflow.NewContinueAsNewError(ctx, workflowTypes[p.request.Kind], p.request, next)
}

// workflowTypes maps the kinds of orders to workflow types.
var workflowTypes = map[order.Kind]string{order.Deposit: contract.DepositType, order.Withdrawal: contract.WithdrawalType}

// takeOver restores the state that the run before passed on. It ignores the
// argument unless Temporal continued this run: any client could have sent it.
func (p *payout) takeOver(ctx workflow.Context, raw converter.RawValue) {
	if !continued(ctx) {
		return
	}
	mustDecrypt(raw)
	var from carried
	if json.Unmarshal(raw.Payload().GetData(), &from) != nil {
		return // the ledger has the essential state
	}
	p.standing, p.plan, p.sent, p.deadline = from.Standing, from.Plan, from.Sent, from.Deadline
	p.unread, p.claims, p.askNow = from.Unread, from.Claims, from.AskNow
	p.proposed, p.outcome = from.Proposed, from.Outcome
	p.ignoredReasons, p.audited = from.Ignored, len(from.Ignored)
	p.shown, p.flagged = from.Shown, from.Flagged
	if from.Stopped {
		p.cancelled = nil
	}
	p.resumed = true
}

// continued reports whether Temporal started this run as the continuation of
// another. Tests replace it, because the test environment has no such runs.
var continued = func(ctx workflow.Context) bool { return workflow.GetInfo(ctx).ContinuedExecutionRunID != "" }

// awaitFuture waits until a future is ready or the run is full. Its only error is
// errFull.
func (p *payout) awaitFuture(ctx workflow.Context, future workflow.Future) error {
	for !future.IsReady() {
		if err := p.full(ctx); err != nil {
			return err
		}
		selector := workflow.NewSelector(ctx)
		selector.AddFuture(future, func(workflow.Future) {})
		selector.AddReceive(p.wake, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
		selector.Select(ctx)
	}
	return nil
}
