package bench

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// path is one way through an order's life.
type path struct {
	name     string
	kind     order.Kind
	scenario string
	end      order.State
	approved bool // by a second person
}

// MaxCallbackEvents is the budget of a withdrawal that a callback finishes.
const MaxCallbackEvents = 20

var paths = []path{
	{name: "withdrawal_callback", kind: order.Withdrawal, scenario: "success", end: order.Succeeded},
	{name: "withdrawal_poll", kind: order.Withdrawal, scenario: "silent-success", end: order.Succeeded},
	{name: "withdrawal_unknown_found", kind: order.Withdrawal, scenario: "lost-answer", end: order.Succeeded},
	{name: "withdrawal_failed", kind: order.Withdrawal, scenario: "fail", end: order.Failed},
	{name: "withdrawal_refused", kind: order.Withdrawal, scenario: "refuse", end: order.Failed},
	{name: "withdrawal_approved", kind: order.Withdrawal, scenario: "success", end: order.Succeeded, approved: true},
	{name: "deposit_callback", kind: order.Deposit, scenario: "success", end: order.Succeeded},
	{name: "deposit_poll", kind: order.Deposit, scenario: "silent-success", end: order.Succeeded},
	{name: "deposit_partial", kind: order.Deposit, scenario: "partial", end: order.PartiallyPaid},
	{name: "deposit_expired", kind: order.Deposit, scenario: "expire", end: order.Expired},
}

// costLine is what one path costs. Events and bytes are the server's own
// count; actions are what Temporal Cloud would bill.
type costLine struct {
	Bench string `json:"bench"`
	place
	Path    string `json:"path"`
	Events  int64  `json:"events"`
	Bytes   int64  `json:"bytes"`
	Actions int    `json:"actions"`
	Polls   int    `json:"polls"` // questions that added no event
}

// cost drives one order along every path, all at once, and counts.
func (r *rig) cost(ctx context.Context) error {
	// The first order of a merchant also books its opening balance, which is
	// not part of an order's cost.
	if err := r.finish(ctx, r.request(order.Withdrawal, "success"), order.Succeeded); err != nil {
		return err
	}
	requests := make([]order.Request, len(paths))
	for i, p := range paths {
		var err error
		if requests[i], err = r.begin(ctx, p); err != nil {
			return fmt.Errorf("path %s: %w", p.name, err)
		}
	}
	for i, p := range paths {
		line, err := r.costOf(ctx, p, requests[i])
		if err != nil {
			return fmt.Errorf("path %s: %w", p.name, err)
		}
		if err := r.out.Encode(line); err != nil {
			return err
		}
		if p.name == "withdrawal_callback" && line.Events > MaxCallbackEvents {
			return fmt.Errorf("path %s took %d events, its budget is %d", p.name, line.Events, MaxCallbackEvents)
		}
	}
	return nil
}

// begin starts an order on its path.
func (r *rig) begin(ctx context.Context, p path) (order.Request, error) {
	request := r.request(p.kind, p.scenario)
	if !p.approved {
		return request, r.start(ctx, request)
	}
	request.Amount, request.RequestedBy = rupees(ApproveAbove+1), "bench"
	if err := r.start(ctx, request); err != nil {
		return request, err
	}
	_, err := r.stack.Orders.Act(ctx, request.Key(), order.Approval{By: "second person", Fingerprint: request.Fingerprint()})
	return request, err
}

// finish starts an order and waits for its end.
func (r *rig) finish(ctx context.Context, request order.Request, want order.State) error {
	if err := r.start(ctx, request); err != nil {
		return err
	}
	return r.ended(ctx, request, want)
}

func (r *rig) ended(ctx context.Context, request order.Request, want order.State) error {
	view, err := r.stack.Orders.Wait(ctx, request.Key())
	if err != nil {
		return err
	}
	if view.State != want {
		return fmt.Errorf("order %s ended %s (%s), not %s", request.Key(), view.State, view.Reason.Text, want)
	}
	return nil
}

func (r *rig) costOf(ctx context.Context, p path, request order.Request) (costLine, error) {
	line := costLine{Bench: "cost", place: r.place, Path: p.name}
	if err := r.ended(ctx, request, p.end); err != nil {
		return line, err
	}
	described, err := r.stack.Temporal.DescribeWorkflowExecution(ctx, contract.WorkflowID(request.Key()), "")
	if err != nil {
		return line, err
	}
	line.Events = described.GetWorkflowExecutionInfo().GetHistoryLength()
	line.Bytes = described.GetWorkflowExecutionInfo().GetHistorySizeBytes()
	line.Actions, line.Polls, err = actions(ctx, r.stack.Temporal, contract.WorkflowID(request.Key()))
	return line, err
}

// actions counts what Temporal Cloud bills: the start, every attempt of an
// activity, a batch of local activities, timers, signals, updates and upserts.
func actions(ctx context.Context, c client.Client, workflowID string) (total, polls int, err error) {
	history := c.GetWorkflowHistory(ctx, workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	batch := int64(-1) // the workflow task whose local activities are counted
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			return 0, 0, err
		}
		counted, retries := action(event, &batch)
		total += counted
		polls += retries
	}
	return total, polls, nil
}

func action(event *historypb.HistoryEvent, batch *int64) (counted, retries int) {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enumspb.EVENT_TYPE_TIMER_STARTED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
		enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
		return 1, 0
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		attempts := int(event.GetActivityTaskStartedEventAttributes().GetAttempt())
		return attempts, attempts - 1
	case enumspb.EVENT_TYPE_MARKER_RECORDED:
		task := event.GetMarkerRecordedEventAttributes().GetWorkflowTaskCompletedEventId()
		if task != *batch {
			*batch = task
			return 1, 0
		}
	}
	return 0, 0
}
