package e2e

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestAnOlderLedgerLosesNoOrder restores an older copy of the ledger. The gateway
// accepts a number twice. A comparison of Temporal with the ledger must find every
// order that was sent since: running, terminated and ended. Adopting an order
// finishes it, and each is paid once.
func TestAnOlderLedgerLosesNoOrder(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	require.NoError(t, h.Gateway.Switch(h.ctx, h.Merchant("PK"), "no-duplicate-guard", true))
	first := h.withdrawal(t, "PK", "success", succeeds) // the merchant's books are open
	h.ended(t, first)
	backup := h.backUp(t)

	running := h.withdrawal(t, "PK", "stuck,silent", succeeds)
	terminated := h.withdrawal(t, "PK", "stuck,silent", succeeds)
	ended := h.withdrawal(t, "PK", "success", succeeds)
	h.stands(t, order.Submitted, running, terminated)
	h.ended(t, ended)
	h.completes(t, ended)
	require.NoError(t, h.Temporal.TerminateWorkflow(h.ctx, contract.WorkflowID(terminated.request.Key()), "", "by mistake"))
	h.restore(t, backup)

	lost := []payment{running, terminated, ended}
	until(t, h, "what the ledger lost to be found", func(ctx context.Context) (contract.Lost, error) {
		var found contract.Lost
		run, err := h.Temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{TaskQueue: contract.Queue}, contract.FindOrphansType)
		if err == nil {
			err = run.Get(ctx, &found)
		}
		return found, err
	}, func(found contract.Lost) bool { return len(found.Unwritten.Keys) == len(lost) })
	queued, err := h.books.Discrepancies(h.ctx, ledger.DiscrepancyFilter{Code: codes.DiscrepancyNotInLedger, Open: true})
	require.NoError(t, err)
	require.Len(t, queued, len(lost))

	h.move(t, running, tarspay.StateSucceeded, "")
	h.move(t, terminated, tarspay.StateSucceeded, "")
	for _, p := range lost {
		h.starter(t, "adopt", p.request.Number, "--merchant", p.request.Merchant, "--by", "amina").answers(t, exitDone)
	}
	h.ended(t, lost...)
	for _, p := range lost {
		require.Len(t, h.booked(t, p), 1, "%s is paid once", p.request.Number)
	}
}

// backUp copies the ledger while all processes run.
func (h *house) backUp(t *testing.T) string {
	t.Helper()
	path := strings.TrimPrefix(h.DatabaseURL(), "sqlite:")
	database, err := sqlx.Open("sqlite", path)
	require.NoError(t, err)
	defer func() { require.NoError(t, database.Close()) }()
	copied := path + ".backup"
	_, err = database.ExecContext(h.ctx, "VACUUM INTO ?", copied)
	require.NoError(t, err)
	return copied
}

// restore replaces the ledger by an older copy, while no process has it open.
func (h *house) restore(t *testing.T, backup string) {
	t.Helper()
	require.NoError(t, h.Terminate(stack.Receiver))
	require.NoError(t, h.Terminate(stack.Worker))
	require.NoError(t, h.books.Close())
	path := strings.TrimPrefix(h.DatabaseURL(), "sqlite:")
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(file); err != nil {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
	}
	from, err := os.Open(backup)
	require.NoError(t, err)
	defer func() { require.NoError(t, from.Close()) }()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = io.Copy(to, from)
	require.NoError(t, err)
	require.NoError(t, to.Close())
	h.books, err = ledger.Open(h.ctx, h.DatabaseURL(), ledger.SealWith(h.AuditKeys()), ledger.EncryptWith(h.DataKeys()))
	require.NoError(t, err)
	require.NoError(t, h.Launch(h.ctx, stack.Worker))
	require.NoError(t, h.Launch(h.ctx, stack.Receiver))
}

// TestTheMarkNeedsNoTemporal marks a restored copy while Temporal is away: the mark is
// set, and the operator reads that running workers could not be looked for.
func TestTheMarkNeedsNoTemporal(t *testing.T) {
	t.Parallel()
	marked := run(t, []string{
		"PAYOUTS_DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "ledger.db"), "PAYOUTS_AUDIT_UNSEALED=true", "PAYOUTS_DATA_CLEAR=true", "TEMPORAL_ADDRESS=127.0.0.1:1",
	}, "worker", "restored", "--by", "amina", "--why", "disk lost")
	require.Zero(t, marked.exit, marked.err)
	require.Equal(t, "restored: 0 open orders ask the gateway first, and so does every new order\n"+
		"when the lost hours are accounted for, end it with: starter restored --over --why WHY --by WHO\n"+
		"no erasure was done again: PAYOUTS_ERASURES_FILE is not set\n", marked.out)
	require.Contains(t, marked.err, "warning: it is not known whether a worker runs, because Temporal does not answer: ")
}
