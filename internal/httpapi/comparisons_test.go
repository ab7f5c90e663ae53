package httpapi

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

// A comparison is started once while it is under way, and read with its id.
func TestAComparisonOfTransactions(t *testing.T) {
	t.Parallel()
	h := setup(t)
	read := func(got reply) (run payouts.TransactionsRun) {
		require.NoError(t, json.Unmarshal([]byte(got.text), &run), got.text)
		return run
	}
	body := `{"merchant":"` + merchant + `","from":"2026-05-01T00:00:00Z","to":"2026-05-03T00:00:00+05:00"}`
	started := h.as(t, "desk", http.MethodPost, comparisonsPath, body)
	require.Equal(t, http.StatusCreated, started.status, started.text)
	require.Equal(t, payouts.TransactionsRun{ID: comparison, Merchant: merchant, State: payouts.RunUnderWay, StartedAt: noon}, read(started))
	require.Equal(t, contract.ReconcileTransactionsInput{
		Merchants: []string{merchant}, From: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 5, 2, 19, 0, 0, 0, time.UTC),
	}, contract.ReconcileTransactionsInput{Merchants: h.orders.span.Merchants, From: h.orders.span.From.UTC(), To: h.orders.span.To.UTC()})
	again := h.as(t, "desk", http.MethodPost, comparisonsPath, body)
	require.Equal(t, http.StatusOK, again.status, again.text)
	require.True(t, read(again).Existing)

	path := started.header.Get("Location")
	require.Equal(t, comparisonsPath+"/"+merchant+"/"+comparison, path)
	done := read(h.as(t, "watcher", http.MethodGet, path, ""))
	require.Equal(t, payouts.RunDone, done.State)
	require.Equal(t, noon.Add(time.Hour), done.EndedAt)
	require.Equal(t, 3, done.Report.Merchants[0].Asked)
	require.Equal(t, []string{merchant}, done.Report.WithoutHistory)

	h.orders.broken = true
	broken := read(h.as(t, "watcher", http.MethodGet, path, ""))
	require.Equal(t, payouts.RunBroken, broken.State)
	require.Nil(t, broken.Report)
}
