package worker

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
)

// Limits that contradict each other stop the start, with a code, the file and
// the line.
func TestAPolicyThatContradictsItself(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	text := "rules:\n  - country: PK\n    per_order: {approve_above: \"2000\", refuse_above: \"1000\"}\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	_, err := Settings(config.Worker{Approval: config.Approval{PolicyFile: file}})
	require.ErrorContains(t, err, CodePolicy)
	require.ErrorContains(t, err, file+":3")
}

func TestNoPolicy(t *testing.T) {
	t.Parallel()
	settings, err := Settings(config.Worker{})
	require.NoError(t, err)
	require.Nil(t, settings.Policy)
}
