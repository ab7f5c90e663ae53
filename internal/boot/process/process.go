// Package process runs a program until it ends or is told to stop, and drains its HTTP
// server.
//
// It knows command lines and HTTP. It imports neither the ledger nor Temporal, so that
// the codec server does not carry them.
package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

// Main runs a program with the arguments of its command line. It returns the exit status,
// after errors are written to standard error.
func Main(root *cobra.Command) int {
	ctx, stop := Signals(context.Background())
	defer stop()
	return commandline.Report(os.Stderr, root.Name(), root.ExecuteContext(ctx))
}

// Signals returns a context that ends with SIGTERM or Ctrl-C. After stop, they end the
// process again.
func Signals(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// Serve answers until the context ends, then finishes the requests under way. The error
// says that the listener broke, or that requests were cut off because they took longer
// than drain.
func Serve(ctx context.Context, listener net.Listener, server *http.Server, drain time.Duration) error {
	broke := make(chan error, 1)
	go func() { broke <- server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	select {
	case err := <-broke:
		return fmt.Errorf("the listener on %s broke: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := server.Shutdown(draining); errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("requests under way were cut off after %s: %w", drain, err)
	} else if err != nil {
		return err
	}
	return nil
}
