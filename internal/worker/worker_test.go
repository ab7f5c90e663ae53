package worker

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	sdk "go.temporal.io/sdk/worker"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Limits that contradict each other stop the start, with a code, the file and
// the line.
func TestAPolicyThatContradictsItself(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	text := "approvals: 1d\nrules:\n  - {country: PK, per_order: {approve_above: \"2000\", refuse_above: \"1000\"}}\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	_, err := Settings(config.Worker{Approval: config.Approval{PolicyFile: file}})
	require.ErrorContains(t, err, CodePolicy)
	require.ErrorContains(t, err, file+":3")

	b := setup(t)
	require.NoError(t, RecordPolicy(t.Context(), b.ledger, activities.Settings{}, err))
	last := b.lastPolicy(t)
	require.True(t, last.Refused)
	require.Equal(t, CodePolicy, last.Reason.Code)
	require.Contains(t, last.Reason.Text, file+":3")
	require.NotContains(t, last.Reason.Text, CodePolicy, "the code is told once")
	require.NotContains(t, last.Reason.Text, "\n")
}

// A worker that starts says under which policy.
func TestThePolicyIsOnRecord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, RecordPolicy(t.Context(), b.ledger, activities.Settings{}, nil))
	require.Equal(t, "none", b.lastPolicy(t).Evidence)

	policy, err := rules.ParsePolicy([]byte("rules: [{new_beneficiary: approve}]"), "policy.yaml")
	require.NoError(t, err)
	require.NoError(t, RecordPolicy(t.Context(), b.ledger, activities.Settings{Policy: policy}, nil))
	last := b.lastPolicy(t)
	require.Equal(t, policy.ID(), last.Evidence)
	require.NotEmpty(t, last.Evidence)
	require.False(t, last.Refused)
}

func (b *testBundle) lastPolicy(t *testing.T) ledger.AuditEntry {
	t.Helper()
	entries, err := b.ledger.Audit(t.Context(), order.Key{})
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	return entries[len(entries)-1]
}

func TestNoPolicy(t *testing.T) {
	t.Parallel()
	settings, err := Settings(config.Worker{Platform: config.Platform{GatewayPublicKey: config.PublicKeys{gatewayKey}}})
	require.NoError(t, err)
	require.Nil(t, settings.Policy)
}

// A mistake in workflow code fails no order.
func TestAPanicBlocks(t *testing.T) {
	t.Parallel()
	require.Equal(t, sdk.BlockWorkflow, orderOptions().WorkflowPanicPolicy)
}
