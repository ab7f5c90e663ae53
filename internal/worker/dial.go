package worker

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
)

// Dial connects to Temporal as a worker does and prepares the namespace. It waits for a
// Temporal that starts later.
func Dial(ctx context.Context, log *slog.Logger, settings config.Worker) (client.Client, error) {
	temporal, err := boot.ReadTemporal(settings.KeyRing(), log)
	if err != nil {
		return nil, err
	}
	return temporal.Await(ctx, log, ShortRejections, func(dialled client.Client, namespace string) error {
		if err := PrepareNamespace(ctx, dialled, namespace, settings.Reconciliation); err != nil {
			return err
		}
		if err := scheduleMidnights(ctx, dialled, settings.Merchants); err != nil {
			return err
		}
		return scheduleCheckpoints(ctx, dialled, log, settings)
	})
}
