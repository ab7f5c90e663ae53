package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

// How often a worker looks for events without a place, and how long it pauses after an
// error. A round costs the ledger four statements, whatever the number of events.
const (
	relayEvery = 500 * time.Millisecond
	relayPause = 5 * time.Second
)

// KeepEvents gives events their places until the context ends.
func KeepEvents(ctx context.Context, l *ledger.Ledger, log *slog.Logger) {
	relay := l.NewRelay()
	for {
		_, more, err := relay.Round(ctx)
		pause := relayEvery
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("Events could not be given their places; the next attempt is in 5 s", "error", err)
			pause = relayPause
		case more:
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
