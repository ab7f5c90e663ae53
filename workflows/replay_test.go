package workflows_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// Histories recorded on a real server, by `bin/dev record`, replay under
// today's code: a change that would break workflows under way goes red here.
func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/histories/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 15)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			for name, run := range map[string]any{
				workflows.DepositType: workflows.Deposit, workflows.WithdrawalType: workflows.Withdrawal,
				workflows.ReconcileTransactionsType: workflows.ReconcileTransactions,
			} {
				replayer.RegisterWorkflowWithOptions(run, workflow.RegisterOptions{Name: name})
			}
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(silence(), file))
		})
	}
}

// The replay does catch a change of what the workflow does.
func TestReplayCatchesAChange(t *testing.T) {
	t.Parallel()
	replayer := worker.NewWorkflowReplayer()
	changed := func(ctx workflow.Context, request order.Request) (order.View, error) {
		if err := workflow.Sleep(ctx, 1); err != nil {
			return order.View{}, err
		}
		return workflows.Withdrawal(ctx, request)
	}
	replayer.RegisterWorkflowWithOptions(changed, workflow.RegisterOptions{Name: workflows.WithdrawalType})
	err := replayer.ReplayWorkflowHistoryFromJSONFile(silence(), "testdata/histories/withdrawal_callback.json")
	require.ErrorContains(t, err, "TMPRL1100", "Temporal's code for it")
}

func silence() sdklog.Logger { return sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)) }
