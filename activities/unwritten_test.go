package activities

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// visible is Temporal's list, a page per entry.
type visible struct {
	client.Client
	pages [][]*workflowpb.WorkflowExecutionInfo
	asked []string
	fails int // at the page of that number, once
}

func (v *visible) ListWorkflow(_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	v.asked = append(v.asked, request.GetQuery())
	page := len(request.GetNextPageToken())
	if v.fails > 0 && page == v.fails {
		v.fails = 0
		return nil, context.DeadlineExceeded
	}
	response := &workflowservice.ListWorkflowExecutionsResponse{Executions: v.pages[page]}
	if page+1 < len(v.pages) {
		response.NextPageToken = []byte(strings.Repeat("x", page+1))
	}
	return response, nil
}

// workflowOf is an entry of Temporal's list.
func workflowOf(t *testing.T, id string, status enumspb.WorkflowExecutionStatus, state order.State) *workflowpb.WorkflowExecutionInfo {
	t.Helper()
	payload, err := converter.GetDefaultDataConverter().ToPayload(string(state))
	require.NoError(t, err)
	return &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "run of " + id}, Status: status,
		Type: &commonpb.WorkflowType{Name: contract.WithdrawalType}, TaskQueue: contract.Queue, StartTime: timestamppb.Now(),
		SearchAttributes: &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{contract.AttributeState.GetName(): payload}},
	}
}

// A workflow of an order that the ledger does not have is found, however it
// stands, once per run; a comparison goes on where it was left.
func TestWhatOnlyTemporalHasIsFound(t *testing.T) {
	t.Parallel()
	books, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, books.Close()) })
	require.NoError(t, books.Migrate(t.Context()))
	thousand, err := money.Parse("1000", "PKR")
	require.NoError(t, err)
	require.NoError(t, books.OpenBooks(t.Context(), "M1", thousand, thousand))
	written := order.Request{Kind: order.Withdrawal, Merchant: "M1", Number: "WRITTEN", Country: "PK", Way: "easypaisa", Amount: thousand}
	_, _, err = books.OpenOrder(t.Context(), written, ledger.Terms{})
	require.NoError(t, err)

	const running, terminated, completed = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	dead := workflowOf(t, "order:M1:SQUATTED", running, order.Created)
	dead.TaskQueue = "nobodys"
	liar := workflowOf(t, "order:M1:LIAR", completed, order.Rejected)
	liar.Type.Name = "Mailer"
	temporal := &visible{pages: [][]*workflowpb.WorkflowExecutionInfo{
		{
			workflowOf(t, "order:M1:WRITTEN", running, order.Created),
			workflowOf(t, "order:M1:LOST", running, order.Created),
			workflowOf(t, "order:M1:REFUSED", completed, order.Rejected),
			workflowOf(t, "order:M1:ENDED", completed, order.Succeeded),
		},
		{
			workflowOf(t, "order:M1:TERMINATED", terminated, order.Created), dead, liar,
			workflowOf(t, "order:M1:not a number", running, order.Created),
			workflowOf(t, "reconcile-balances", running, ""),
		},
	}}
	var suite testsuite.WorkflowTestSuite
	search := func(ctx context.Context) (contract.Unwritten, error) {
		return NewBooks(books, Settings{}).findUnwritten(ctx, temporal, "default")
	}
	find := func(heartbeat any) (contract.Unwritten, error) {
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(search)
		if heartbeat != nil {
			env.SetHeartbeatDetails(heartbeat)
		}
		value, err := env.ExecuteActivity(search)
		var found contract.Unwritten
		if err == nil {
			err = value.Get(&found)
		}
		return found, err
	}
	want := []string{"LOST", "ENDED", "TERMINATED", "SQUATTED", "LIAR"}

	temporal.fails = 1
	_, err = find(nil)
	require.Error(t, err)
	upTo, err := books.WorkflowsCompared(t.Context())
	require.NoError(t, err)
	require.Zero(t, upTo, "what was not compared to the end is compared again")
	require.NotContains(t, temporal.asked[0], "StartTime >=")

	// Whoever comes next goes on with the second page.
	rest, err := find(unwrittenProgress{Until: time.Now().Add(-time.Minute), Token: []byte("x"), Found: contract.Unwritten{Seen: 4, Keys: []order.Key{{Merchant: "M1", Number: "LOST"}, {Merchant: "M1", Number: "ENDED"}}}})
	require.NoError(t, err)
	require.Equal(t, 9, rest.Seen)
	require.Equal(t, want, numbersOf(rest.Keys))

	open, err := books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Code: codes.DiscrepancyNotInLedger, Open: true})
	require.NoError(t, err)
	require.Len(t, open, 5)
	details := make(map[string]string)
	for _, d := range open {
		details[d.Key.Number] = d.Detail
	}
	require.Contains(t, details["TERMINATED"], "its workflow is terminated; the run is run of order:M1:TERMINATED")
	require.Contains(t, details["SQUATTED"], `task queue "nobodys", which drives no order`)

	// The same again opens nothing, and looks at little.
	again, err := find(nil)
	require.NoError(t, err)
	require.Equal(t, want, numbersOf(again.Keys))
	require.Contains(t, temporal.asked[len(temporal.asked)-1], "StartTime >=")
	open, err = books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Code: codes.DiscrepancyNotInLedger})
	require.NoError(t, err)
	require.Len(t, open, 5, "once per run")
}

func numbersOf(keys []order.Key) []string {
	var numbers []string
	for _, key := range keys {
		numbers = append(numbers, key.Number)
	}
	return numbers
}
