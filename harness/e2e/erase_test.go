package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestErase erases an order after its retention, when Temporal has no run of it any
// more. The number is not paid again, and a copy that is restored is erased again.
func TestErase(t *testing.T) {
	t.Parallel()
	h := enter(t, options{})
	p := h.withdrawal(t, "PK", "success", succeeds)
	h.ended(t, p)
	h.inbox(t, p, ledger.Done)
	words := []string{"erase", p.request.Number, "--merchant=" + p.request.Merchant, "--by=amina", "--why=retention is over"}
	early := h.starter(t, words...).refuses(t, exitRefused, ledger.CodeEraseEarly)
	require.Contains(t, early.Error.Message, "it may be erased from ")

	const age = 100 * 24 * time.Hour
	h.ages(t, age)
	backup := h.backUp(t)
	copied := h.starter(t, words...).refuses(t, exitRefused, ledger.CodeEraseCopy)
	require.Contains(t, copied.Error.Message, contract.WorkflowID(p.key()))
	require.Contains(t, copied.Error.Message, "Temporal keeps it until ")
	_, err := h.Temporal.WorkflowService().DeleteWorkflowExecution(h.ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: stack.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: contract.WorkflowID(p.key())},
	})
	require.NoError(t, err)
	until(t, h, "the order to be erased", func(context.Context) (ran, error) { return h.starter(t, words...), nil },
		func(r ran) bool { return r.exit == exitDone })

	require.Equal(t, ledger.Erased, h.row(t, p).Hidden)
	shown := h.starter(t, "show", p.request.Number, "--merchant="+p.request.Merchant)
	require.NotContains(t, shown.out, p.request.Details["customerAccountNumber"])
	h.ages(t, -age) // the check compares times with the audit
	h.starter(t, "audit", "--verify").answers(t, exitDone)

	require.NoError(t, h.start(h.ctx, p.request))
	view, err := h.Orders.Wait(h.ctx, p.key())
	require.NoError(t, err)
	require.Equal(t, order.Succeeded, view.State)
	require.Equal(t, codes.OrderErased, view.Reason.Code)
	require.Len(t, h.booked(t, p), 1, "it is not paid again")

	h.restore(t, backup)
	require.Empty(t, h.row(t, p).Hidden, "the copy has it")
	marked := run(t, h.WorkerEnvironment(), "worker", "restored", "--by=amina", "--why=disk lost")
	require.Zero(t, marked.exit, marked.err)
	require.Contains(t, marked.out, "erased again: 1 orders; 0 were erased in this copy, 0 are not in it\n")
	require.Equal(t, ledger.Erased, h.row(t, p).Hidden)
	h.ages(t, -age) // the check compares times with the audit
	h.starter(t, "audit", "--verify").answers(t, exitDone)
}

// ages lets every order and callback be older.
func (h *house) ages(t *testing.T, by time.Duration) {
	t.Helper()
	db, err := sqlx.Open("sqlite", strings.TrimPrefix(h.DatabaseURL(), "sqlite:")+"?_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for _, statement := range []string{"UPDATE orders SET updated_at = updated_at - ?", "UPDATE inbox SET last_at = last_at - ?"} {
		_, err := db.ExecContext(h.ctx, statement, by.Milliseconds())
		require.NoError(t, err)
	}
}
