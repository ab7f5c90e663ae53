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

// Temporal ends a workflow whose history has become too long, and hears no more
// messages after so many. Before that an order goes on in a new run: it opens
// from the ledger, as one that is adopted does, and is handed what only the
// earlier run knew. Nobody who waits for it, asks it or starts it again sees a
// difference.

// What one run takes, well below Temporal's own limits of 2,000 updates and
// 10,000 signals. The length of the history is the server's to judge.
const (
	maxUpdates = 1000
	maxSignals = 4000
	// maxCarried bounds the callbacks that a run hands on unread. What is beyond
	// it waits in the inbox until the order has ended.
	maxCarried = 500
)

// errFull ends a run that has taken all it may: the order goes on in a new one.
var errFull = errors.New("the run is full: the order goes on in a new one")

// full is errFull once the run has taken all it may.
func (p *payout) full(ctx workflow.Context) error {
	if p.updates >= maxUpdates || p.heard >= maxSignals || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
		return errFull
	}
	return nil
}

// carried is what only a run knows, for the one after it.
type carried struct {
	Standing order.Standing  `json:"standing"`
	Plan     activities.Plan `json:"plan"`
	Sent     bool            `json:"sent,omitempty"`
	Deadline time.Time       `json:"deadline,omitzero"`
	Unread   []string        `json:"unread,omitempty"`
	Claims   []string        `json:"claims,omitempty"`
	Ignored  []order.Reason  `json:"ignored,omitempty"` // on record already
	Proposed string          `json:"proposed,omitempty"`
	AskNow   bool            `json:"ask_now,omitempty"`
	Shown    order.State     `json:"shown"`
	Flagged  bool            `json:"flagged,omitempty"`
	Stopped  bool            `json:"stopped,omitempty"` // somebody has asked Temporal to cancel the workflow
}

// turnOver ends the run, when its callers have their answers, and begins the
// next. What comes meanwhile is refused to whoever can ask again, or taken along.
func (p *payout) turnOver(ctx workflow.Context) error {
	p.leaving = true
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }) // the context is never cancelled
	p.hear(ctx)
	next := carried{
		Standing: p.standing, Plan: p.plan, Sent: p.sent, Deadline: p.deadline, Claims: p.claims, Ignored: p.overheard[:p.ignored],
		Proposed: p.proposed, AskNow: p.askNow, Shown: p.shown, Flagged: p.flagged, Stopped: p.cancelled == nil,
	}
	for _, id := range p.unread {
		if len(next.Unread) < maxCarried && !slices.Contains(next.Unread, id) {
			next.Unread = append(next.Unread, id)
		}
	}
	return workflow.NewContinueAsNewError(ctx, workflowTypes[p.request.Kind], p.request, next)
}

// workflowTypes are the names of the orders' workflows.
var workflowTypes = map[order.Kind]string{order.Deposit: contract.DepositType, order.Withdrawal: contract.WithdrawalType}

// takeOver goes on where the run before this one was. Nobody else can hand
// anything on: whatever else is started with is passed over.
func (p *payout) takeOver(ctx workflow.Context, raw converter.RawValue) {
	if !continued(ctx) {
		return
	}
	mustDecrypt(raw)
	var from carried
	if json.Unmarshal(raw.Payload().GetData(), &from) != nil {
		return // the ledger knows what matters
	}
	p.standing, p.plan, p.sent, p.deadline = from.Standing, from.Plan, from.Sent, from.Deadline
	p.unread, p.claims, p.proposed, p.askNow = from.Unread, from.Claims, from.Proposed, from.AskNow
	p.overheard, p.ignored = from.Ignored, len(from.Ignored)
	p.shown, p.flagged = from.Shown, from.Flagged
	if from.Stopped {
		p.cancelled = nil
	}
	p.resumed = true
}

// continued reports whether Temporal began this run where an earlier one ended.
// The tests' environment cannot say so, and has its own.
var continued = func(ctx workflow.Context) bool { return workflow.GetInfo(ctx).ContinuedExecutionRunID != "" }

// during waits for something that takes long, for as long as the run may last.
// Its only error is errFull.
func (p *payout) during(ctx workflow.Context, future workflow.Future) error {
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
