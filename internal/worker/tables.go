package worker

import (
	"context"
	"log/slog"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// MarkRestored records in the ledger of the settings that an older copy was restored.
// It calls marked with the number of open orders, then repeats the erasures of the
// settings' file. The error is an *order.Refusal without a person or a reason.
func MarkRestored(ctx context.Context, log *slog.Logger, settings config.Tables, who order.Who, marked func(orders int)) (ErasedAgain, error) {
	books, err := openTables(ctx, log, settings)
	if err != nil {
		return ErasedAgain{}, err
	}
	defer func() { _ = books.Close() }()
	mark, refusal, err := books.MarkRestored(ctx, who)
	if err == nil && refusal != nil {
		err = refusal
	}
	if err != nil {
		return ErasedAgain{}, err
	}
	marked(mark.Orders)
	return eraseAgain(ctx, books, settings.ErasuresFile)
}

// Rekey encrypts the ledger of the settings with the newest data key: see ledger.Rekey.
// It logs its progress.
func Rekey(ctx context.Context, log *slog.Logger, settings config.Tables) (ledger.Rekeyed, error) {
	books, err := openTables(ctx, log, settings)
	if err != nil {
		return ledger.Rekeyed{}, err
	}
	defer func() { _ = books.Close() }()
	return books.Rekey(ctx, func(table string, rows int) {
		log.Info("Keys were wrapped with the newest data key", "table", table, "rows", rows)
	})
}

// openTables opens the ledger as a worker does.
func openTables(ctx context.Context, log *slog.Logger, settings config.Tables) (*ledger.Ledger, error) {
	keys, err := boot.AuditKeys(log, settings.Audit)
	if err != nil {
		return nil, err
	}
	data, err := boot.DataKeys(log, settings.Data)
	if err != nil {
		return nil, err
	}
	return boot.AwaitMigratedLedger(ctx, log, settings.DatabaseURL, settings.AllowInsecure, keys, data)
}
