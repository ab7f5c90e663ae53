package reconcile

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
)

// P10: every planted discrepancy is found once and under its class, through balances,
// transactions and statements; nothing else is; exactly those heal that are explained.
// TEST_SEED=n selects another run.
func TestP10ATenth(t *testing.T) {
	t.Parallel()
	seed := uint64(1)
	if text := os.Getenv("TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	dbtest.Each(t, func(t *testing.T, url string) {
		var out bytes.Buffer
		require.NoError(t, Run(t.Context(), &out, Options{Seed: seed, Orders: 2000, Planted: 50, DatabaseURL: url, Progress: t.Output()}))
		var line Summary
		require.NoError(t, json.Unmarshal(out.Bytes(), &line))
		require.Equal(t, []int{50, 50, 0}, []int{line.Found, line.Healed + line.Booked + line.Open, line.Missed + line.Invented + line.CleanOnes + line.Wrong + line.Faults}, line)
		require.Positive(t, line.Healed)
		require.Greater(t, line.Asked, 4*1700, "each order, in each comparison of transactions")
		t.Log(out.String())
	})
}
