// Command receiver receives the gateway's callbacks: it verifies and stores each,
// signals the order's workflow and answers OK. It keeps no state, so any number of
// receivers can run.
//
// It has only flags, wiring and signal handling; package callback does the work.
package main

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot/process"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

func main() {
	ctx, stop := process.Signals(context.Background())
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the process until the context ends, and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := command()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return commandline.Report(stderr, "receiver", root.ExecuteContext(ctx))
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:     "receiver",
		Short:   "Take the gateway's callbacks and pass them to the orders",
		Long:    help(),
		Example: "  PAYOUTS_DATABASE_URL=sqlite:var/payouts.db PAYOUTS_MERCHANTS=M1700000001:PK \\\n  PAYOUTS_DATA_KEY_FILE=var/data.key receiver\n  curl http://127.0.0.1:8082/readyz",
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := config.LoadReceiver()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), settings, settings.Logger(cmd.ErrOrStderr()))
		},
	}
	commandline.Prepare(root, nil)
	return root
}

func help() string {
	var text strings.Builder
	text.WriteString(`The receiver verifies the gateway's callbacks over the raw bytes, stores them,
signals the order's workflow and answers OK. It starts and answers while
Temporal is away; what is stored then is signalled later.

Callbacks are taken at ` + callback.Path + ` on PAYOUTS_LISTEN. PAYOUTS_ADMIN_LISTEN
answers /healthz (the process is up), /readyz (the database is reachable; the
state of Temporal is told, too) and /metrics (Prometheus).

Settings, from the environment:

`)
	_ = config.Table(&text, config.Receiver{}) // writing to a strings.Builder never fails
	text.WriteString(`
The Temporal connection follows Temporal's own convention: TEMPORAL_ADDRESS,
TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_*, profiles.

Exit status: 0 after SIGTERM or Ctrl-C, 1 if it could not start or a listener
broke, 2 if the command line or a setting is missing or wrong.`)
	return text.String()
}
