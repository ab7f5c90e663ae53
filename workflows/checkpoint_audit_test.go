package workflows_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// checkpointed runs CheckpointAudit on a ledger, and returns the note.
func checkpointed(t *testing.T, books *ledger.Ledger, file string) (note string, err error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(silence())
	env := suite.NewTestWorkflowEnvironment()
	workflows.Register(env)
	env.RegisterActivity(activities.NewBooks(books, activities.Settings{CheckpointFile: file, RetryLadder: config.Ladder{time.Minute}}))
	env.ExecuteWorkflow(contract.CheckpointAuditType)
	require.True(t, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return "", err
	}
	require.NoError(t, env.GetWorkflowResult(&note))
	return note, nil
}

// Each run makes a checkpoint of what was added since, and the file has each once.
func TestCheckpointAudit(t *testing.T) {
	t.Parallel()
	private, _, err := seal.Generate("payouts.example.com/test")
	require.NoError(t, err)
	keys, err := seal.ParseKeys([]byte(private), "test")
	require.NoError(t, err)
	url := "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
	books, err := ledger.Open(t.Context(), url, ledger.SealWith(keys))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, books.Close()) })
	require.NoError(t, books.Migrate(t.Context()))

	file := filepath.Join(t.TempDir(), "checkpoints")
	var sizes []int64
	for _, policy := range []string{"none", "another"} {
		require.NoError(t, books.RecordPolicy(t.Context(), policy, nil))
		for range 2 { // the second run has nothing to add
			note, err := checkpointed(t, books, file)
			require.NoError(t, err)
			made, err := books.LastCheckpoint(t.Context())
			require.NoError(t, err)
			require.Equal(t, made.Note, note)
			kept, err := os.ReadFile(file)
			require.NoError(t, err)
			opened, err := keys.Public().OpenFile(kept, file)
			require.NoError(t, err)
			sizes = nil
			for _, checkpoint := range opened {
				sizes = append(sizes, checkpoint.Size)
			}
		}
	}
	require.Equal(t, []int64{1, 2}, sizes)

	for _, none := range []string{"", "-"} {
		_, err := checkpointed(t, books, none)
		require.NoError(t, err)
		require.NoFileExists(t, none)
	}
	_, err = checkpointed(t, books, filepath.Join(t.TempDir(), "missing", "checkpoints"))
	require.ErrorContains(t, err, "PAYOUTS_CHECKPOINT_FILE")

	without, err := ledger.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, without.Close()) })
	_, err = checkpointed(t, without, file)
	var refused *temporal.ApplicationError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, seal.CodeKeyMissing, refused.Type())
	require.False(t, refused.NonRetryable(), "another worker may have the key")
}
