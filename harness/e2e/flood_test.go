package e2e

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/bench"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
)

// TestFlood sends a twentieth of the callbacks of `make flood`.
func TestFlood(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, bench.Flood(t.Context(), &out, bench.FloodOptions{Forged: 5000, Genuine: 25}))
	var line bench.FloodLine
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Zero(t, line.Accepted)
	require.Equal(t, 25, line.Stored)
	require.Positive(t, line.Answers[callback.CodeSignature])
	require.Positive(t, line.Answers[callback.CodeNotSigned])
	total := 0
	for _, count := range line.Answers {
		total += count
	}
	require.Equal(t, 5000, total)
}
