package e2e

import (
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestOperatorsInTheUI does what an operator can do in Temporal's UI: reset a
// workflow to any point of its history, and terminate a workflow. For every point
// the money must move once. An order whose workflow was terminated must be found
// and adopted.
func TestOperatorsInTheUI(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	orphan := h.withdrawal(t, "PK", "stuck,silent", succeeds)
	underWay := h.withdrawal(t, "VN", "stuck,silent", succeeds)
	h.stands(t, order.Submitted, orphan, underWay)

	for scenario, must := range map[string]end{
		"success": succeeds, "lost-answer,silent-success": succeeds, "lost-request": succeeds, "silent-fail": fails,
	} {
		p := h.withdrawal(t, "PK", scenario, must)
		h.ended(t, p)
		h.completes(t, p)
		run, points := h.resetPoints(t, p)
		for _, event := range points {
			h.reset(t, p, run, event)
			h.completes(t, p)
		}
	}
	run, points := h.resetPoints(t, underWay)
	for _, event := range points {
		h.reset(t, underWay, run, event)
	}
	h.move(t, underWay, tarspay.StateSucceeded, "")
	h.ended(t, underWay)

	require.NoError(t, h.Temporal.TerminateWorkflow(h.ctx, contract.WorkflowID(orphan.request.Key()), "", "by mistake"))
	h.findsOrphan(t, orphan)
	h.adopts(t, orphan)
}

// findsOrphan waits until the search for orphans finds a payment. The search
// ignores young orders.
func (h *house) findsOrphan(t *testing.T, p payment) {
	t.Helper()
	h.discrepancies++
	until(t, h, "the orphan to be found", func(ctx context.Context) (contract.Orphans, error) {
		var found contract.Lost
		run, err := h.Temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{TaskQueue: contract.Queue}, contract.FindOrphansType)
		if err == nil {
			err = run.Get(ctx, &found)
		}
		return found.Orphans, err
	}, func(found contract.Orphans) bool { return slices.Contains(found.Keys, p.key()) })
	found, err := h.books.Discrepancies(h.ctx, ledger.DiscrepancyFilter{})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, codes.DiscrepancyOrphan, found[0].Code)
	require.Equal(t, p.key(), found[0].Key)
}

// adopts requires that an open order without a workflow gets a workflow again, and
// that nothing else is adopted.
func (h *house) adopts(t *testing.T, p payment) {
	t.Helper()
	_, err := h.Orders.Adopt(h.ctx, h.row(t, p), order.Adoption{By: "e2e"})
	require.NoError(t, err)
	_, err = h.Orders.Adopt(h.ctx, h.row(t, p), order.Adoption{By: "e2e"})
	require.Equal(t, codes.WorkflowRunning, order.CodeOf(err))
	h.move(t, p, tarspay.StateSucceeded, "")
	h.ended(t, p)
	_, err = h.Orders.Adopt(h.ctx, h.row(t, p), order.Adoption{By: "e2e"})
	require.Equal(t, order.CodeTerminal, order.CodeOf(err))
}

// completes waits for the latest run of a payment's workflow, and requires the
// payment's expected end.
func (h *house) completes(t *testing.T, p payment) {
	t.Helper()
	view, err := h.Orders.Wait(h.ctx, p.key())
	require.NoError(t, err)
	require.Equal(t, p.end.state, view.State, "%s (%s): %s", p.request.Number, p.scenario, view.Reason.Text)
}

// resetPoints returns the latest run of a payment's workflow, and the events that
// Temporal can reset it to: the ends of its workflow tasks.
func (h *house) resetPoints(t *testing.T, p payment) (run string, points []int64) {
	t.Helper()
	described, err := h.Temporal.DescribeWorkflowExecution(h.ctx, contract.WorkflowID(p.request.Key()), "")
	require.NoError(t, err)
	run = described.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	events := h.Temporal.GetWorkflowHistory(h.ctx, contract.WorkflowID(p.request.Key()), run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			points = append(points, event.GetEventId())
		}
	}
	require.NotEmpty(t, points)
	return run, points
}

// reset resets a payment's workflow to an event of one of its runs.
func (h *house) reset(t *testing.T, p payment, run string, event int64) {
	t.Helper()
	_, err := h.Temporal.ResetWorkflowExecution(h.ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:         stack.Namespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: contract.WorkflowID(p.request.Key()), RunId: run},
		Reason:            "to see that it pays once", WorkflowTaskFinishEventId: event, RequestId: uuid.NewString(),
	})
	require.NoError(t, err, "event %d", event)
}
