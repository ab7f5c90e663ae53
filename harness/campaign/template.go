package campaign

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
)

// template returns the bytes of a migrated, empty ledger. Migrating a ledger takes longer
// than running most worlds.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := tempDir()
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "template.db")
	books, err := ledger.Open(context.Background(), "sqlite:"+path)
	if err != nil {
		return nil, err
	}
	err = books.Migrate(context.Background())
	if closing := books.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// ledgerFile is the name of a world's ledger.
const ledgerFile = "ledger.db"

// copyLedger creates a ledger in dir from the template, and opens it.
func copyLedger(ctx context.Context, dir string) (*ledger.Ledger, error) {
	bytes, err := template()
	if err != nil {
		return nil, fmt.Errorf("make a ledger to copy: %w", err)
	}
	path := filepath.Join(dir, ledgerFile)
	if err := os.WriteFile(path, bytes, 0o600); err != nil {
		return nil, err
	}
	return openSealed(ctx, path)
}

// auditKeys seal the audits of all worlds.
var auditKeys = sync.OnceValues(func() (*seal.Keys, error) {
	private, _, err := seal.Generate("payouts.example.com/campaign")
	if err != nil {
		return nil, err
	}
	return seal.ParseKeys([]byte(private), "the campaign's key")
})

// openSealed opens a ledger whose audit is sealed.
func openSealed(ctx context.Context, path string) (*ledger.Ledger, error) {
	keys, err := auditKeys()
	if err != nil {
		return nil, err
	}
	return ledger.Open(ctx, "sqlite:"+path, ledger.SealWith(keys))
}

// verifyAudit verifies the audit of the world's ledger, with its seals.
func (w *world) verifyAudit() ledger.AuditReport {
	keys, err := auditKeys()
	w.must(err, "", "the audit's key cannot be made")
	report, err := w.books.VerifyAudit(w.ctx, ledger.AuditEvidence{Keys: keys.Public()})
	w.must(err, "", "the audit cannot be verified")
	return report
}

// memoryDir is a directory that Linux keeps in memory.
const memoryDir = "/dev/shm"

// tempDir creates a directory for the files of a world, in memory if possible. The ledger
// syncs every commit to disk; in memory that costs nothing.
func tempDir() (string, error) {
	if dir, err := os.MkdirTemp(memoryDir, "campaign-"); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "campaign-")
}
