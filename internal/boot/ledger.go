package boot

import (
	"context"
	"log/slog"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

// answerTime is the time limit of one try to reach a database or Temporal.
const answerTime = 5 * time.Second

// Ledger opens an existing ledger and checks that its database answers. The error
// is a *ledger.Error, or that of the URL.
func Ledger(ctx context.Context, url config.Secret, accepted config.Insecure) (*ledger.Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	books, err := ledger.OpenExisting(ctx, url.Reveal(), allow(accepted))
	if err != nil {
		return nil, err
	}
	if err := books.Ping(ctx); err != nil {
		_ = books.Close()
		return nil, err
	}
	return books, nil
}

// AwaitLedger is Ledger for a process that may start before its database, or before a
// worker has migrated it.
func AwaitLedger(ctx context.Context, log *slog.Logger, url config.Secret, accepted config.Insecure) (books *ledger.Ledger, err error) {
	err = Await(ctx, log, "the database", func() error {
		books, err = Ledger(ctx, url, accepted)
		return err
	})
	return books, err
}

// AwaitMigratedLedger is AwaitLedger for a worker. It creates the ledger if it
// does not exist, and migrates it.
func AwaitMigratedLedger(ctx context.Context, log *slog.Logger, url config.Secret, accepted config.Insecure) (*ledger.Ledger, error) {
	var books *ledger.Ledger
	err := Await(ctx, log, "the database", func() error {
		opened, err := ledger.Open(ctx, url.Reveal(), allow(accepted))
		if err != nil {
			return err
		}
		if err := opened.Migrate(ctx); err != nil {
			_ = opened.Close()
			return err
		}
		books = opened
		return nil
	})
	return books, err
}

func allow(accepted config.Insecure) ledger.Option {
	return ledger.AllowUnencrypted(accepted.Has(config.InsecureDatabase))
}
