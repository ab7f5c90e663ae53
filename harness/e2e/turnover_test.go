package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// TestAnOrderOutlivesItsRuns sends orders messages until their runs are full,
// several times, on a server with small limits. The orders continue in new runs.
// Callers that wait, query, act, list or start again must see one order.
func TestAnOrderOutlivesItsRuns(t *testing.T) {
	t.Parallel()
	h := open(t, options{Options: stack.Options{Limits: []string{
		"limit.historyCount.suggestContinueAsNew=100", "limit.historyCount.error=2000", "history.maxTotalUpdates=60",
	}}})
	payments := []payment{h.withdrawal(t, "PK", "stuck,silent", succeeds), h.deposit(t, "BD", "stuck,silent", succeeds)}
	h.stands(t, order.Submitted, payments...)

	const remarks, junk = 120, 400
	var waits, work errgroup.Group
	for _, p := range payments {
		waits.Go(func() error {
			view, err := h.Orders.Wait(h.ctx, p.key())
			if err == nil && view.State != order.Succeeded {
				err = fmt.Errorf("%s ended %s", p.key(), view.State)
			}
			return err
		})
		work.Go(func() error {
			for i := range remarks {
				note := order.Note{By: "amina", Text: fmt.Sprintf("remark %d", i)}
				_, err := h.Orders.Act(h.ctx, p.key(), note)
				for order.CodeOf(err) == order.CodeOrderBusy && h.ctx.Err() == nil {
					_, err = h.Orders.Act(h.ctx, p.key(), note)
				}
				if err != nil {
					return fmt.Errorf("remark %d: %w", i, err)
				}
			}
			return nil
		})
		work.Go(func() error {
			for i := range junk {
				input := contract.CallbackSignalInput{ID: fmt.Sprintf("%064x", i)}
				if err := h.Temporal.SignalWorkflow(h.ctx, contract.WorkflowID(p.request.Key()), "", contract.CallbackSignal, input); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, work.Wait())

	for _, p := range payments {
		runs := h.runs(t, p)
		require.Greater(t, len(runs), 2, "runs of %s", p.request.Number)
		view, err := h.Orders.Order(h.ctx, p.key())
		require.NoError(t, err)
		require.Equal(t, order.Submitted, view.State)
		if p.request.Kind == order.Deposit {
			require.NotNil(t, view.Instructions)
		}
		again, err := h.Orders.Start(h.ctx, p.request)
		require.NoError(t, err)
		require.True(t, again.Existing)
		other := p.request
		other.Amount, err = other.Amount.Add(other.Amount)
		require.NoError(t, err)
		_, err = h.Orders.Start(h.ctx, other)
		require.Equal(t, order.CodeOrderConflict, order.CodeOf(err), "%v", err)
		row, err := h.Orders.Find(h.ctx, p.key())
		require.NoError(t, err)
		require.Equal(t, p.request.Amount, row.Amount, "the search attributes are carried")
	}
	h.listsEach(t, len(payments))
	for _, p := range payments {
		h.move(t, p, tarspay.StateSucceeded, "")
	}
	h.ended(t, payments...)
	require.NoError(t, waits.Wait())

	for _, p := range payments {
		trail, err := h.books.Audit(h.ctx, p.key())
		require.NoError(t, err)
		counts := make(map[ledger.AuditAction]int)
		for _, entry := range trail {
			counts[entry.Action]++
		}
		require.Equal(t, remarks, counts[ledger.ActionNote], "every remark once")
		require.Equal(t, 1, counts[ledger.ActionIgnore])
		require.Zero(t, counts[ledger.ActionAdopt])
		require.Equal(t, 1, counts[ledger.ActionSubmit], "sent once")
		again, err := h.Orders.Start(h.ctx, p.request)
		require.NoError(t, err)
		require.True(t, again.Existing)
		for _, run := range h.runs(t, p) {
			h.replays(t, p, run)
		}
	}
	h.listsEach(t, len(payments))
}

// replays replays the history of a run with the workflow code.
func (h *house) replays(t *testing.T, p payment, run string) {
	t.Helper()
	replayer := worker.NewWorkflowReplayer()
	workflows.Register(replayer)
	err := replayer.ReplayWorkflowExecution(h.ctx, h.Temporal.WorkflowService(), sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		stack.Namespace, workflow.Execution{ID: contract.WorkflowID(p.request.Key()), RunID: run})
	require.NoError(t, err, "%s of %s", run, p.request.Number)
}

// runs returns the runs of an order's workflow, oldest first.
func (h *house) runs(t *testing.T, p payment) []string {
	t.Helper()
	var runs []string
	run := ""
	for {
		all := h.Temporal.GetWorkflowHistory(h.ctx, contract.WorkflowID(p.request.Key()), run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		event, err := all.Next()
		require.NoError(t, err)
		started := event.GetWorkflowExecutionStartedEventAttributes()
		if len(runs) == 0 {
			described, err := h.Temporal.DescribeWorkflowExecution(h.ctx, contract.WorkflowID(p.request.Key()), "")
			require.NoError(t, err)
			runs = append(runs, described.GetWorkflowExecutionInfo().GetExecution().GetRunId())
		}
		run = started.GetContinuedExecutionRunId()
		if run == "" {
			return runs
		}
		runs = append([]string{run}, runs...)
	}
}

// listsEach waits until Temporal's list shows exactly count orders.
func (h *house) listsEach(t *testing.T, count int) {
	t.Helper()
	until(t, h, "the list to show each order once", func(ctx context.Context) ([]client.Row, error) {
		return h.Orders.List(ctx, client.Filter{Limit: 100})
	}, func(rows []client.Row) bool { return len(rows) == count })
}
