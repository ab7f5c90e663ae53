package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// keeper is a Temporal with some runs.
type keeper struct {
	client.Client
	described *workflowpb.WorkflowExecutionInfo
	listed    []*workflowpb.WorkflowExecutionInfo
	asked     string
	away      error
}

func (k *keeper) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if k.described == nil {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: k.described}, nil
}

func (k *keeper) ListWorkflow(_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	k.asked = request.GetQuery()
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: k.listed}, k.away
}

func (k *keeper) WorkflowService() workflowservice.WorkflowServiceClient { return threeDays{} }

// threeDays is the retention of the namespace.
type threeDays struct {
	workflowservice.WorkflowServiceClient
}

func (threeDays) DescribeNamespace(_ context.Context, _ *workflowservice.DescribeNamespaceRequest, _ ...grpc.CallOption) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{Config: &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(72 * time.Hour)}}, nil
}

func runOf(id string, closed time.Time) *workflowpb.WorkflowExecutionInfo {
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "run-1"}, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}
	if !closed.IsZero() {
		info.Status, info.CloseTime = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, timestamppb.New(closed)
	}
	return info
}

func TestCopiesInTemporal(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	key := order.Key{Merchant: "M1", Number: "W-1"}
	for name, try := range map[string]struct {
		temporal keeper
		last     time.Time
		code     string
		says     string
	}{
		"none":          {keeper{}, noon.Add(-73 * time.Hour), "", ""},
		"nobody acted":  {keeper{}, time.Time{}, "", ""},
		"ended":         {keeper{described: runOf("order:M1:W-1", noon.Add(-time.Hour))}, noon.Add(-time.Hour), ledger.CodeEraseCopy, "order:M1:W-1, run run-1: Temporal keeps it until 2026-12-02 11:00"},
		"listed":        {keeper{listed: []*workflowpb.WorkflowExecutionInfo{runOf("late:M1:W-1:f00d", noon)}}, time.Time{}, ledger.CodeEraseCopy, "late:M1:W-1:f00d"},
		"runs":          {keeper{described: runOf("order:M1:W-1", time.Time{})}, time.Time{}, ledger.CodeEraseCopy, "it runs; Temporal keeps it for 72h0m0s after its end"},
		"a person's":    {keeper{}, noon.Add(-71 * time.Hour), ledger.CodeEraseCopy, "Temporal keeps what was written until 2026-11-29 13:00"},
		"does not list": {keeper{away: errors.New("deadline exceeded")}, time.Time{}, ledger.CodeEraseUnasked, "deadline exceeded"},
	} {
		refusal := temporalCopies{&try.temporal}.ask(t.Context(), key, try.last, noon)
		if try.code == "" {
			require.Nil(t, refusal, name)
			continue
		}
		require.NotNil(t, refusal, name)
		require.Equal(t, try.code, refusal.Code, name)
		require.Contains(t, refusal.Text, try.says, name)
	}
	require.Equal(t, "WorkflowId = 'order:M1:W-1' OR WorkflowId STARTS_WITH 'late:M1:W-1:' OR WorkflowId STARTS_WITH 'act:M1:W-1:' OR "+
		"WorkflowId STARTS_WITH 'repeat:M1:W-1:' OR (WorkflowId = 'actions:M1' AND StartTime <= '2026-11-29T12:00:00Z')", copiesQuery(key, noon))
	refusal := temporalCopies{&keeper{}}.ask(t.Context(), order.Key{Merchant: "M1", Number: "W' OR '1"}, noon, noon)
	require.Equal(t, order.CodeInvalidRequest, refusal.Code)
}

// Erasures are kept in a file, and done again from it, also after a line that a crash
// has cut off.
func TestErasuresFile(t *testing.T) {
	onEngines(t, func(o *office) {
		t := o.t
		path := filepath.Join(t.TempDir(), "erasures")
		keep := erasing(nil, activities.Settings{ErasuresFile: path}).Record
		require.Nil(t, erasing(nil, activities.Settings{}).Record)
		at := time.Now().UTC().Truncate(time.Millisecond)
		kept := func(number string) ledger.Erasure {
			return ledger.Erasure{Merchant: "M1", Number: number, At: at, Entry: strings.Repeat("0", 64)}
		}
		require.NoError(t, keep(kept("W-1")))
		file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = file.WriteString(`{"merchant":"M1","num`)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		for _, number := range []string{"W-2", "W-1", "NONE"} {
			require.NoError(t, keep(kept(number)))
		}
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Contains(t, string(text), `{"merchant":"M1","number":"W-2","at":"`+at.Format(time.RFC3339Nano)+`","entry":"000`)

		o.waits("W-2")
		cancelled := o.cancels("W-1")
		again, err := eraseAgain(t.Context(), o.Ledger, path)
		require.NoError(t, err)
		require.Equal(t, ErasedAgain{Erased: 1, Before: 1, Missing: 1, Failed: []string{"M1/W-2"}, Unreadable: []string{path + ":3"}}, again)
		erased, err := o.Order(t.Context(), cancelled.Key())
		require.NoError(t, err)
		require.Equal(t, ledger.Erased, erased.Hidden)

		nothing, err := eraseAgain(t.Context(), o.Ledger, "")
		require.NoError(t, err)
		require.Zero(t, nothing)
		_, err = eraseAgain(t.Context(), o.Ledger, path+".none")
		require.ErrorContains(t, err, "PAYOUTS_ERASURES_FILE")
	})
}
