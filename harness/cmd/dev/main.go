// Command dev runs the whole stack on one machine: a demo that checks its own result
// (demo), a stack to try commands on (up), benchmarks (bench), a run with killed
// processes and cut connections (chaos), and one with planted discrepancies (p10). It is
// not part of the product.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

// Exit codes.
const exitInterrupted = 130 // after Ctrl-C

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first Ctrl-C stops the stack in order. The second ends the program at
	// once.
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
		return commandline.Report(os.Stderr, "dev", err)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "dev",
		Short: "Run the whole stack on this machine",
	}
	root.AddCommand(demoCommand(), upCommand(), benchCommand(), floodCommand(), chaosCommand(), p10Command(), endpointCommand(), recordCommand())
	commandline.Prepare(root, nil)
	return root
}
