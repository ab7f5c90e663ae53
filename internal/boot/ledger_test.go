package boot

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

// The worker creates the ledger's file and its directory. It does not wait after a
// lasting error.
func TestTheWorkerMakesItsLedger(t *testing.T) {
	t.Parallel()
	open := func(path string) error {
		books, err := AwaitMigratedLedger(t.Context(), slog.New(slog.DiscardHandler), config.Secret("sqlite:"+path), nil, nil, nil)
		if err == nil {
			require.NoError(t, books.Ping(t.Context()))
			require.NoError(t, books.Close())
		}
		return err
	}
	path := filepath.Join(t.TempDir(), "var", "payouts.db")
	require.NoError(t, open(path))
	require.FileExists(t, path)

	var wrong *ledger.Error
	require.NoError(t, os.WriteFile(path+".d", nil, 0o600))
	err := open(filepath.Join(path+".d", "payouts.db")) // at once, not after a minute
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, ledger.CodeURL, wrong.Code)
	require.ErrorContains(t, err, "not a directory")
	require.NotContains(t, err.Error(), "gave up waiting")
}
