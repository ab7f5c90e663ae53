package activities

import (
	"cmp"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// anOldOrder returns a ledger with an order that is not young.
func anOldOrder(t *testing.T) (*ledger.Ledger, order.Key) {
	t.Helper()
	books, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, books.Close()) })
	require.NoError(t, books.Migrate(t.Context()))
	thousand, err := money.Parse("1000", "PKR")
	require.NoError(t, err)
	nothing, err := money.Minor(0, "PKR")
	require.NoError(t, err)
	require.NoError(t, books.OpenBooks(t.Context(), "M1", thousand, nothing))
	request := order.Request{Kind: order.Withdrawal, Merchant: "M1", Number: "INV-1", Country: "PK", Way: "easypaisa", Amount: thousand}
	_, _, err = books.OpenOrder(t.Context(), request, ledger.Terms{})
	require.NoError(t, err)
	books.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
	return books, request.Key()
}

// An order whose workflow is lost, adopted and lost again is found again,
// although the first discrepancy is closed and the order has not moved.
func TestEveryLossOfAWorkflowIsFound(t *testing.T) {
	t.Parallel()
	books, _ := anOldOrder(t)

	temporal := &lost{}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	search := func(ctx context.Context) (contract.Orphans, error) {
		return NewBooks(books, Settings{}).findOrphans(ctx, temporal)
	}
	env.RegisterActivity(search)
	open := func() []ledger.Discrepancy {
		_, err := env.ExecuteActivity(search)
		require.NoError(t, err)
		found, err := books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Open: true})
		require.NoError(t, err)
		return found
	}

	temporal.run, temporal.status = "run-1", enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	require.Empty(t, open())
	temporal.status = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	found := open()
	require.Len(t, found, 1)
	require.Equal(t, codes.DiscrepancyOrphan, found[0].Code)
	require.Len(t, open(), 1, "one loss is told once")
	_, refusal, err := books.CloseDiscrepancy(t.Context(), found[0].ID, order.Who{By: "amina", Why: "adopted"})
	require.NoError(t, err)
	require.Nil(t, refusal)
	require.Empty(t, open())
	temporal.run = "run-2"
	require.Len(t, open(), 1)
	temporal.run = ""
	require.Len(t, open(), 2, "forgotten")

	// A workflow that has the order's id and drives no order drives nothing.
	temporal.run, temporal.status, temporal.queue = "run-3", enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, "nobody's"
	require.Len(t, open(), 3, "squatted")
	temporal.run, temporal.queue, temporal.other = "run-4", "", "Something"
	found = open()
	require.Len(t, found, 4)
	require.Contains(t, found[0].Detail, `of type "Something"`)
	require.Contains(t, found[0].Detail, "run-4")
}

// An order that ends while its page is looked at has lost no workflow.
func TestAnOrderThatEndsMeanwhileIsNoOrphan(t *testing.T) {
	t.Parallel()
	books, key := anOldOrder(t)
	temporal := &lost{run: "run-1", status: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, meanwhile: func() {
		_, refusal, _, err := books.Act(t.Context(), key, order.Cancellation{ID: "1", By: "amina", Why: "paid by hand"}, false)
		require.NoError(t, err)
		require.Nil(t, refusal)
	}}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	search := func(ctx context.Context) (contract.Orphans, error) {
		return NewBooks(books, Settings{}).findOrphans(ctx, temporal)
	}
	env.RegisterActivity(search)
	_, err := env.ExecuteActivity(search)
	require.NoError(t, err)
	found, err := books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{})
	require.NoError(t, err)
	require.Empty(t, found)
}

// lost is a Temporal that knows one run of every workflow, or none.
type lost struct {
	client.Client
	meanwhile func() // before it answers
	run       string
	status    enumspb.WorkflowExecutionStatus
	queue     string // "": ours
	other     string // type; "": an order's
}

func (l *lost) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if l.meanwhile != nil {
		l.meanwhile()
	}
	if l.run == "" {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: l.run}, Status: l.status,
		Type: &commonpb.WorkflowType{Name: cmp.Or(l.other, contract.WithdrawalType)}, TaskQueue: cmp.Or(l.queue, contract.Queue),
	}}, nil
}
