package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// knownEvery is how often a worker renews its record, so that the record does not
// expire while the worker runs.
const knownEvery = ledger.KnownFor / 72

// RecordKnown writes to the ledger which merchants the worker has, and which country
// profiles it was built with. Other workers read it: one that lacks a merchant or a
// profile leaves its orders to a worker that has it. Call it before Start.
func RecordKnown(ctx context.Context, l *ledger.Ledger, settings activities.Settings) error {
	known := ledger.Known{Merchants: settings.Merchants, Profiles: make(map[string]string)}
	for _, profile := range tarspay.Countries() {
		known.Profiles[profile.Code] = profile.Sum
	}
	return l.RecordKnown(ctx, known)
}

// KeepKnown renews the record of RecordKnown every hour until the context ends.
func KeepKnown(ctx context.Context, l *ledger.Ledger, settings activities.Settings, log *slog.Logger) {
	again := time.NewTicker(knownEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			if err := RecordKnown(ctx, l, settings); err != nil && ctx.Err() == nil {
				log.Warn("The merchants and profiles of this worker could not be recorded; the next attempt is in an hour", "error", err)
			}
		}
	}
}
