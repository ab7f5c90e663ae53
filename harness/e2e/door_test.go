package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// desk runs starter as finance has it on a machine that reaches only the api: with an API
// key and a person's key.
func (h *house) desk(t *testing.T, args ...string) ran {
	t.Helper()
	return h.starterWith(t, []string{
		"TEMPORAL_ADDRESS=127.0.0.1:1", "PAYOUTS_DATABASE_URL=", "PAYOUTS_MERCHANTS=", "PAYOUTS_DATA_KEY_FILE=", "PAYOUTS_KEY_DIR=",
		"PAYOUTS_API_ADDRESS=" + h.Addresses.API, "PAYOUTS_API_TOKEN=" + h.token(t),
	}, args...)
}

// worksAtTheDesk pays, looks, approves and sends a file with starter through the api.
func (h *house) worksAtTheDesk(t *testing.T) {
	t.Helper()
	p := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
	details := p.request.Details
	withdraw := []string{
		"withdraw", "--country", "PK", "--number", p.request.Number, "--way", p.request.Way, "--amount", p.request.Amount.Number(),
		"--name", details["customerName"], "--account", details["customerAccountNumber"], "--phone", details["customerContact"],
		"--field", "sandboxScenario=success", "--metadata", "desk=1", "--wait",
	}
	require.Equal(t, order.Succeeded, h.desk(t, withdraw...).answers(t, exitDone).Order.State)
	require.True(t, h.desk(t, withdraw...).answers(t, exitDone).Started.Existing)
	status := h.desk(t, "status", p.request.Number).answers(t, exitDone)
	require.Equal(t, p.request.Merchant, status.Order.Merchant, "found among the merchants of the api")
	listed := h.desk(t, "list", "--metadata", "desk=1").answers(t, exitDone)
	require.Len(t, listed.Orders, 1)
	require.Equal(t, p.request.Number, listed.Orders[0].Number)

	unsigned := h.withdrawal(t, "PK", "success", succeeds)
	h.stands(t, order.AwaitingApproval, unsigned)
	require.NotEmpty(t, h.desk(t, "queue").answers(t, exitDone).Queue)
	for _, person := range []string{"amina", "dana"} {
		h.desk(t, "approve", unsigned.request.Number, "--fingerprint", unsigned.request.Fingerprint()[:8], "--by", person).answers(t, exitDone)
	}
	h.settled(t, unsigned)
	require.Equal(t, "ORDER_ENDED", h.desk(t, "cancel", unsigned.request.Number, "--why", "late", "--by", "amina").answers(t, exitRefused).Error.Code)
	h.desk(t, "note", unsigned.request.Number, "seen").answers(t, exitDone)
	for _, command := range [][]string{
		{"show", p.request.Number}, {"audit", p.request.Number}, {"events", "--from", "1h"}, {"balance"}, {"reconcile", "--merchant", p.request.Merchant}, {"discrepancies", "--merchant", p.request.Merchant},
	} {
		h.desk(t, command...).answers(t, exitDone)
	}
	require.Equal(t, "NOT_THROUGH_API", h.desk(t, "audit", "--verify").answers(t, exitUsage).Error.Code)

	folder := t.TempDir()
	path := filepath.Join(folder, "july.csv")
	require.NoError(t, os.WriteFile(path, []byte(h.fileOf(t, 2)), 0o600))
	submitted := h.desk(t, "batch", "submit", path, "--merchant", p.request.Merchant, "--wait")
	require.Equal(t, exitDone, submitted.exit, submitted.out+submitted.err)
	var document struct{ Batch payouts.Batch }
	require.NoError(t, json.Unmarshal([]byte(submitted.out), &document))
	require.Equal(t, order.BatchCompleted, document.Batch.State)
	read := func(run func(*testing.T, ...string) ran, name string) string {
		h := run(t, "batch", "result", document.Batch.ID, "-o", filepath.Join(folder, name))
		require.Equal(t, exitDone, h.exit, h.err)
		text, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		return string(text)
	}
	require.Equal(t, read(h.starter, "here.csv"), read(h.desk, "there.csv"))
}
