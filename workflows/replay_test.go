package workflows_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// Histories recorded on a real server, by `bin/dev record`, replay under
// today's code: a change that would break workflows under way goes red here.
func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/histories/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 24)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			workflows.Register(replayer)
			history, id := recording(t, file)
			require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(silence(), history, worker.ReplayWorkflowHistoryOptions{
				OriginalExecution: workflow.Execution{ID: id},
			}))
		})
	}
}

// recording reads a recorded history, and the id of its workflow.
func recording(t *testing.T, file string) (*historypb.History, string) {
	t.Helper()
	text, err := os.Open(file)
	require.NoError(t, err)
	defer func() { require.NoError(t, text.Close()) }()
	history, err := client.HistoryFromJSON(text, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return history, history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowId()
}

// The replay does catch a change of what the workflow does.
func TestReplayCatchesAChange(t *testing.T) {
	t.Parallel()
	replayer := worker.NewWorkflowReplayer()
	changed := func(ctx workflow.Context, request converter.RawValue) (order.View, error) {
		if err := workflow.Sleep(ctx, 1); err != nil {
			return order.View{}, err
		}
		return workflows.Withdrawal(ctx, request, converter.RawValue{})
	}
	replayer.RegisterWorkflowWithOptions(changed, workflow.RegisterOptions{Name: contract.WithdrawalType})
	err := replayer.ReplayWorkflowHistoryFromJSONFile(silence(), "testdata/histories/withdrawal_callback.json")
	require.ErrorContains(t, err, "TMPRL1100", "Temporal's code for it")
}

func silence() sdklog.Logger { return sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)) }
