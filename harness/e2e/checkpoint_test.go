package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestCheckpoints runs a worker that signs checkpoints by schedule. The audit agrees
// with those that were kept, and a program of other hands checks the proof of an entry.
// Then the owner of the database removes the last order, so that nothing in the
// database tells: only the kept checkpoints do.
func TestCheckpoints(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		kept := filepath.Join(t.TempDir(), "checkpoints")
		h := enter(t, options{Options: stack.Options{DatabaseURL: databaseURL, Settings: map[string]string{
			"PAYOUTS_CHECKPOINT_EVERY": "1s", "PAYOUTS_CHECKPOINT_FILE": kept,
		}}})
		owner := h.owner(t)
		first := h.withdrawal(t, "PK", "success", succeeds)
		h.ended(t, first)
		h.covered(t, owner, first, kept)
		books := make(map[string]any)
		require.NoError(t, owner.QueryRowx(owner.Rebind("SELECT * FROM books WHERE merchant = ?"), first.request.Merchant).MapScan(books))
		last := h.withdrawal(t, "PK", "success", succeeds)
		h.ended(t, last)
		h.covered(t, owner, last, kept)
		require.NoError(t, h.Terminate(stack.Worker))

		verify := []string{"audit", "--verify", "--checkpoint", kept}
		whole := h.starter(t, verify...)
		require.Equal(t, exitDone, whole.exit, whole.out)
		require.Contains(t, whole.out, `"broken":[]`)
		h.checksElsewhere(t, first)

		withoutTriggers(t, owner)
		var columns []string
		for column := range books {
			columns = append(columns, column+" = :"+column)
		}
		_, err := owner.NamedExec("UPDATE books SET "+strings.Join(columns, ", ")+" WHERE merchant = :merchant", books)
		require.NoError(t, err)
		for _, statement := range []string{
			"DELETE FROM gateway_ids WHERE order_id = (SELECT id FROM orders WHERE number = ?)",
			"DELETE FROM transfers WHERE order_id = (SELECT id FROM orders WHERE number = ?)",
			"DELETE FROM submissions WHERE order_id = (SELECT id FROM orders WHERE number = ?)",
			"DELETE FROM inbox WHERE number = ?", "DELETE FROM audit WHERE number = ?", "DELETE FROM orders WHERE number = ?",
			"DELETE FROM checkpoints WHERE size > (SELECT MIN(position) FROM audit_tree WHERE number = ?)",
			"DELETE FROM audit_tree WHERE position >= (SELECT MIN(position) FROM audit_tree WHERE number = ?)",
		} {
			_, err := owner.Exec(owner.Rebind(statement), last.request.Number)
			require.NoError(t, err, statement)
		}
		unnoticed := h.starter(t, "audit", "--verify")
		require.Equal(t, exitDone, unnoticed.exit, unnoticed.out)
		found := h.starter(t, verify...)
		require.Equal(t, exitOtherwise, found.exit, found.out)
		require.Contains(t, found.out, `"code":"`+seal.CodeTailCut+`"`)
	})
}

// owner is the database as its owner has it.
func (h *house) owner(t *testing.T) *sqlx.DB {
	t.Helper()
	driver, address := "postgres", h.DatabaseURL()
	if path, isFile := strings.CutPrefix(address, "sqlite:"); isFile {
		driver, address = "sqlite", path+"?_pragma=busy_timeout(10000)"
	}
	db, err := sqlx.Open(driver, address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// withoutTriggers takes the guards of the tables away, as their owner can.
func withoutTriggers(t *testing.T, db *sqlx.DB) {
	t.Helper()
	query, drop := "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()", "ALTER TABLE % DISABLE TRIGGER USER"
	if db.DriverName() == "sqlite" {
		query, drop = "SELECT name FROM sqlite_master WHERE type = 'trigger'", "DROP TRIGGER %"
	}
	var names []string
	require.NoError(t, db.Select(&names, query))
	for _, name := range names {
		_, err := db.Exec(strings.ReplaceAll(drop, "%", name))
		require.NoError(t, err)
	}
}

// covered waits until a checkpoint in the file covers the entries of a payment.
func (h *house) covered(t *testing.T, owner *sqlx.DB, p payment, file string) {
	t.Helper()
	until(t, h, "a checkpoint to cover "+p.request.Number, func(ctx context.Context) (bool, error) {
		var newer int64
		err := owner.GetContext(ctx, &newer, owner.Rebind(`SELECT COUNT(*) FROM audit a WHERE number = ? AND NOT EXISTS (
			SELECT 1 FROM audit_tree t WHERE t.merchant = a.merchant AND t.number = a.number AND t.chain = a.chain AND t.seq = a.seq)`), p.request.Number)
		if err != nil || newer > 0 {
			return false, err
		}
		var size int64
		if err := owner.GetContext(ctx, &size, owner.Rebind("SELECT MAX(position) + 1 FROM audit_tree WHERE number = ?"), p.request.Number); err != nil {
			return false, err
		}
		text, err := os.ReadFile(file)
		if err != nil || len(text) == 0 {
			return false, err
		}
		opened, err := h.AuditKeys().Public().OpenFile(text, file)
		return err == nil && opened[len(opened)-1].Size >= size, err
	}, func(covered bool) bool { return covered })
}

// checksElsewhere proves the entries of a payment, and has a program check the proofs
// that shares no code with ours.
func (h *house) checksElsewhere(t *testing.T, p payment) {
	t.Helper()
	dir := t.TempDir()
	made := h.starter(t, "audit", "--prove", p.request.Number, "--merchant", p.request.Merchant, "--out", filepath.Join(dir, "proofs"))
	require.Equal(t, exitDone, made.exit, made.out)
	var answer struct {
		Proofs []struct{ Hash, File string } `json:"proofs"`
		Newer  int                           `json:"newer"`
	}
	require.NoError(t, json.Unmarshal([]byte(made.out), &answer))
	entries, err := h.books.Audit(h.ctx, order.Key{Merchant: p.request.Merchant, Number: p.request.Number})
	require.NoError(t, err)
	require.Len(t, answer.Proofs, len(entries))
	require.Zero(t, answer.Newer)

	program := filepath.Join(dir, "checkproof")
	output, err := exec.CommandContext(h.ctx, "go", "build", "-o", program, "../../internal/seal/testdata/checkproof").CombinedOutput()
	require.NoError(t, err, string(output))
	key := strings.TrimSpace(string(h.AuditKeys().PublicLines()))
	for i, proof := range answer.Proofs {
		require.Equal(t, entries[i].Hash, proof.Hash)
		output, err := exec.CommandContext(h.ctx, program, key, proof.File, proof.Hash).CombinedOutput()
		require.NoError(t, err, string(output))
		require.Contains(t, string(output), " is in the audit of "+h.AuditKeys().Origin()+"\n")
		other := answer.Proofs[(i+1)%len(answer.Proofs)].Hash
		output, err = exec.CommandContext(h.ctx, program, key, proof.File, other).CombinedOutput()
		require.Error(t, err, string(output))
	}
}
