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
// The error is an *order.Refusal without a person or a reason.
func MarkRestored(ctx context.Context, log *slog.Logger, settings config.Tables, who order.Who) (ledger.Restore, error) {
	keys, err := boot.AuditKeys(log, settings.Audit)
	if err != nil {
		return ledger.Restore{}, err
	}
	data, err := boot.DataKeys(log, settings.Data)
	if err != nil {
		return ledger.Restore{}, err
	}
	books, err := boot.AwaitMigratedLedger(ctx, log, settings.DatabaseURL, settings.AllowInsecure, keys, data)
	if err != nil {
		return ledger.Restore{}, err
	}
	defer func() { _ = books.Close() }()
	mark, refusal, err := books.MarkRestored(ctx, who)
	if err == nil && refusal != nil {
		err = refusal
	}
	return mark, err
}
