package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/stack"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// TestReset resets the workflow of a withdrawal to every point of its history
// that Temporal can reset to. Whatever the point, the money moves once.
func TestReset(t *testing.T) {
	t.Parallel()
	h := open(t, options{Options: stack.Options{}})
	for _, scenario := range []string{"success", "lost-answer,silent-success", "lost-request", "silent-fail"} {
		want := succeeds
		if scenario == "silent-fail" {
			want = fails
		}
		p := h.withdrawal(t, "PK", scenario, want)
		h.ended(t, p)
		for _, event := range h.resetPoints(t, p) {
			h.reset(t, p, event)
			view, err := h.Orders.Wait(h.ctx, p.request.Kind, p.key())
			require.NoError(t, err)
			require.Equal(t, want.state, view.State, "%s, reset to event %d", scenario, event)
		}
	}
}

// TestResetUnderWay does the same to orders that have not ended.
func TestResetUnderWay(t *testing.T) {
	t.Parallel()
	h := open(t, options{Options: stack.Options{}})
	p := h.withdrawal(t, "VN", "stuck,silent", succeeds)
	h.stands(t, order.Submitted, p)
	for _, event := range h.resetPoints(t, p) {
		h.reset(t, p, event)
	}
	h.move(t, p, tarspay.StateSucceeded, "")
	h.ended(t, p)
}

// TestTerminated takes an open order's workflow away. The search finds it, an
// operator adopts it, and it ends as if nothing had happened.
func TestTerminated(t *testing.T) {
	t.Parallel()
	h := open(t, options{Options: stack.Options{}})
	p := h.withdrawal(t, "PK", "stuck,silent", succeeds)
	h.stands(t, order.Submitted, p)
	require.NoError(t, h.Temporal.TerminateWorkflow(h.ctx, p.request.WorkflowID(), "", "a hasty operator"))

	_, err := h.Orders.Adopt(h.ctx, h.row(t, p))
	require.NoError(t, err)
	_, err = h.Orders.Adopt(h.ctx, h.row(t, p))
	require.Equal(t, "WORKFLOW_RUNNING", order.CodeOf(err))
	h.move(t, p, tarspay.StateSucceeded, "")
	h.ended(t, p)
	_, err = h.Orders.Adopt(h.ctx, h.row(t, p))
	require.Equal(t, order.CodeTerminal, order.CodeOf(err))
}

// resetPoints are the events that Temporal can reset a workflow to: the ends
// of its workflow tasks.
func (h *house) resetPoints(t *testing.T, p payment) []int64 {
	t.Helper()
	var points []int64
	events := h.Temporal.GetWorkflowHistory(h.ctx, p.request.WorkflowID(), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			points = append(points, event.GetEventId())
		}
	}
	require.NotEmpty(t, points)
	return points
}

func (h *house) reset(t *testing.T, p payment, event int64) {
	t.Helper()
	described, err := h.Temporal.DescribeWorkflowExecution(h.ctx, p.request.WorkflowID(), "")
	require.NoError(t, err)
	_, err = h.Temporal.ResetWorkflowExecution(h.ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: stack.Namespace,
		WorkflowExecution: &commonpb.WorkflowExecution{
			WorkflowId: p.request.WorkflowID(), RunId: described.GetWorkflowExecutionInfo().GetExecution().GetRunId(),
		},
		Reason: "a test of what an operator may do", WorkflowTaskFinishEventId: event, RequestId: uuid.NewString(),
	})
	require.NoError(t, err, "event %d", event)
}

var (
	_ = context.Background
	_ = fmt.Sprint
	_ = temporalclient.DefaultHostPort
	_ = ledger.Done
	_ = workflows.Queue
)
