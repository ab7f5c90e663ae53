// Package boot connects a process to the ledger, Temporal and the gateway. It also
// serves health and metrics, and stops HTTP servers.
//
// It has no rules about orders. The commands in cmd/ use the connections.
package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

// The database and Temporal may start after the process. Await tries for this
// long, with this pause.
const (
	patience = time.Minute
	pause    = time.Second
)

// Await repeats try until it succeeds, a minute is over or the context ends. It
// returns a lasting error of the ledger at once.
func Await(ctx context.Context, log *slog.Logger, what string, try func() error) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := try()
		var wrong *ledger.Error
		if err == nil || errors.As(err, &wrong) && wrong.Lasting() {
			return err
		}
		log.Warn("Waiting for "+what, "error", err)
		select {
		case <-waiting.Done():
			return fmt.Errorf("gave up waiting for %s: %w", what, err)
		case <-time.After(pause):
		}
	}
}
