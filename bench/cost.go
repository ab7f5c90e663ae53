package bench

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/order"
)

// path is one way through an order's life.
type path struct {
	name     string
	kind     order.Kind
	scenario string
	end      order.State
}

// MaxCallbackEvents is the budget of a withdrawal that a callback finishes.
const MaxCallbackEvents = 20

var paths = []path{
	{"withdrawal_callback", order.Withdrawal, "success", order.Succeeded},
	{"withdrawal_poll", order.Withdrawal, "silent-success", order.Succeeded},
	{"withdrawal_unknown_found", order.Withdrawal, "lost-answer", order.Succeeded},
	{"withdrawal_failed", order.Withdrawal, "fail", order.Failed},
	{"withdrawal_refused", order.Withdrawal, "refuse", order.Failed},
	{"deposit_callback", order.Deposit, "success", order.Succeeded},
	{"deposit_poll", order.Deposit, "silent-success", order.Succeeded},
	{"deposit_partial", order.Deposit, "partial", order.PartiallyPaid},
	{"deposit_expired", order.Deposit, "expire", order.Expired},
}

// costLine is what one path costs. Events and bytes are the server's own
// count; actions are what Temporal Cloud would bill.
type costLine struct {
	Bench   string `json:"bench"`
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
		requests[i] = r.request(p.kind, p.scenario)
		if err := r.start(ctx, requests[i]); err != nil {
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

// finish starts an order and waits for its end.
func (r *rig) finish(ctx context.Context, request order.Request, want order.State) error {
	if err := r.start(ctx, request); err != nil {
		return err
	}
	return r.ended(ctx, request, want)
}

func (r *rig) ended(ctx context.Context, request order.Request, want order.State) error {
	view, err := r.stack.Orders.Wait(ctx, request.Kind, request.Key())
	if err != nil {
		return err
	}
	if view.State != want {
		return fmt.Errorf("order %s ended %s (%s), not %s", request.Key(), view.State, view.Reason.Text, want)
	}
	return nil
}

func (r *rig) costOf(ctx context.Context, p path, request order.Request) (costLine, error) {
	line := costLine{Bench: "cost", Path: p.name}
	if err := r.ended(ctx, request, p.end); err != nil {
		return line, err
	}
	described, err := r.stack.Temporal.DescribeWorkflowExecution(ctx, request.WorkflowID(), "")
	if err != nil {
		return line, err
	}
	line.Events = described.GetWorkflowExecutionInfo().GetHistoryLength()
	line.Bytes = described.GetWorkflowExecutionInfo().GetHistorySizeBytes()
	line.Actions, line.Polls, err = actions(ctx, r.stack.Temporal, request.WorkflowID())
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
