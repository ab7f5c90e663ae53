package e2e

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/bench"
)

// TestComparison compares a tenth of the transactions of `bin/dev bench --only reconcile`
// by the gateway's history and by a statement.
func TestComparison(t *testing.T) {
	t.Parallel()
	const rows = 10_000
	var out bytes.Buffer
	require.NoError(t, bench.Run(t.Context(), &out, bench.Options{Only: "reconcile", Server: bench.Embedded, Records: rows}))
	lines := json.NewDecoder(&out)
	for _, source := range []string{"history", "statement"} {
		var line struct {
			Bench, Source string
			Rows          int
			PeakRSS       float64 `json:"peak_rss_mb"`
		}
		require.NoError(t, lines.Decode(&line))
		require.Equal(t, []any{"reconcile", source, rows}, []any{line.Bench, line.Source, line.Rows})
		require.Positive(t, line.PeakRSS)
	}
	require.False(t, lines.More())
}
