package boot

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
)

// answerTime is the time limit of one try to reach a database or Temporal.
const answerTime = 5 * time.Second

// AuditKeys reads the keys that seal the audit. They are nil if the settings say that it
// is not sealed, which is logged. The error begins with the name of the setting, and
// wraps a *seal.Fault.
func AuditKeys(log *slog.Logger, settings config.Audit) (*seal.Keys, error) {
	if settings.AuditUnsealed {
		log.Warn("The audit is not sealed, because PAYOUTS_AUDIT_UNSEALED is true: who can write to the database can add entries to it")
		return nil, nil
	}
	keys, err := seal.ReadKeys(settings.AuditKeyFile)
	if err != nil {
		return nil, fmt.Errorf("PAYOUTS_AUDIT_KEY_FILE: %w", err)
	}
	return keys, nil
}

// Ledger opens an existing ledger, for a process that writes nothing to the audit, and
// checks that its database answers. The error is a *ledger.Error, or that of the URL.
func Ledger(ctx context.Context, url config.Secret, accepted config.Insecure, options ...ledger.Option) (*ledger.Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	books, err := ledger.OpenExisting(ctx, url.Reveal(), append(options, allow(accepted))...)
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

// AwaitMigratedLedger is AwaitLedger for a worker, which seals the audit with keys. It
// creates the ledger if it does not exist, and migrates it.
func AwaitMigratedLedger(ctx context.Context, log *slog.Logger, url config.Secret, accepted config.Insecure, keys *seal.Keys) (*ledger.Ledger, error) {
	var books *ledger.Ledger
	err := Await(ctx, log, "the database", func() error {
		opened, err := ledger.Open(ctx, url.Reveal(), allow(accepted), ledger.SealWith(keys))
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
