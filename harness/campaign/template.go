package campaign

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/tarspay-payouts/orchestrator/ledger"
)

// template is a ledger that is migrated and empty, as a file's bytes: to
// migrate one takes longer than most worlds live.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := scratch()
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

// copyLedger opens a ledger of its own, in a directory that is thrown away
// with it.
func copyLedger(ctx context.Context, dir string) (*ledger.Ledger, error) {
	bytes, err := template()
	if err != nil {
		return nil, fmt.Errorf("make a ledger to copy: %w", err)
	}
	path := filepath.Join(dir, ledgerFile)
	if err := os.WriteFile(path, bytes, 0o600); err != nil {
		return nil, err
	}
	return ledger.Open(ctx, "sqlite:"+path)
}

// memory is where Linux keeps files that never reach a disk.
const memory = "/dev/shm"

// scratch makes a directory for files that live as long as a world. The ledger
// forces every commit to the disk and shall; where there is a disk that is
// memory, that costs nothing.
func scratch() (string, error) {
	if dir, err := os.MkdirTemp(memory, "campaign-"); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "campaign-")
}
