// Command dev runs the whole stack on one machine: a demonstration that checks
// itself (demo), a stack to play with (up), benchmarks (bench), and a run in which
// everything breaks (chaos).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailed      = 1   // something did not hold, or could not be started
	exitInterrupted = 130 // Ctrl-C
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first Ctrl-C stops in order; a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx))
}

func run(ctx context.Context) int {
	err := command().ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "stopped")
		return exitInterrupted
	default:
		fmt.Fprintln(os.Stderr, "dev:", err)
		return exitFailed
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "dev",
		Short:         "Run the whole stack on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(demoCommand(), upCommand(), benchCommand(), chaosCommand(), recordCommand())
	return root
}
