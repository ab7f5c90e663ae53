// Package boot connects our processes to what they use: the ledger, Temporal and the
// gateway. It also serves their health and metrics, and ends their HTTP servers.
//
// It holds no rule about orders. What a process does with its connections is for cmd/ to
// say.
package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

// The database and Temporal may start after us. They are waited for this long, and asked
// this often.
const (
	patience = time.Minute
	pause    = time.Second
)

// Await repeats try until it succeeds, a minute is over or the context ends. An error of
// the ledger that waiting does not mend is returned at once.
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
