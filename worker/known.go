package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// knownEvery is how often a worker says again what it knows: often enough that
// what it said never runs out while it runs.
const knownEvery = ledger.KnownFor / 72

// RecordKnown writes down which merchants a worker is configured with and which
// profiles it was built with, before it takes work. Orders that another worker
// lacks something for are then left to this one.
func RecordKnown(ctx context.Context, l *ledger.Ledger, settings activities.Settings) error {
	known := ledger.Known{Merchants: settings.Merchants, Profiles: make(map[string]string)}
	for _, profile := range tarspay.Countries() {
		known.Profiles[profile.Code] = profile.Sum
	}
	return l.RecordKnown(ctx, known)
}

// KeepKnown writes it down again now and then, until the context ends.
func KeepKnown(ctx context.Context, l *ledger.Ledger, settings activities.Settings, log *slog.Logger) {
	again := time.NewTicker(knownEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			if err := RecordKnown(ctx, l, settings); err != nil && ctx.Err() == nil {
				log.Warn("What this worker knows is not on record just now; it is tried again in an hour", "error", err)
			}
		}
	}
}
