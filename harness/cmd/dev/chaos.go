package main

import (
	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/harness/chaos"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

func chaosCommand() *cobra.Command {
	var options chaos.Options
	var rows int
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Kill, suspend and disconnect processes, then check the result against the gateway's records",
		Long: `Starts Temporal, a PostgreSQL of its own, two workers, two receivers and the
stand-in gateway. Sends orders through them, and meanwhile kills, suspends and
disconnects them, at random and at named points. Then everything is started again,
and every order, payment and balance is compared with the gateway's records.

Standard output carries a line of JSON per violation and a summary as the last
line. After a violation the exit status is 1, and logs and records are kept.

With --events there are many more orders, half of them are started at the api, a webhook
endpoint is told every event, and api and endpoint are killed, too. What the endpoint has
recorded is compared with the ledger's history. No older copies are restored.

With --batch a file of so many rows is paid instead, and the worker is killed five times
meanwhile. Each row must be one order, paid once, and have its end in the file of results.

To test the comparison itself, give --worker another worker, for example one that was
built without one of the checks.`,
		Example: `  dev chaos --seed 7
  dev chaos --duration 10m --orders 4000
  dev chaos --events --orders 1000
  dev chaos --batch 10000
  dev chaos --worker ./worker-without-a-check`,
		Args: commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Progress = cmd.ErrOrStderr()
			if rows > 0 {
				return chaos.RunBatch(cmd.Context(), cmd.OutOrStdout(), chaos.BatchOptions{
					Seed: options.Seed, Rows: rows, Bin: options.Bin, Keep: options.Keep, Progress: options.Progress,
				})
			}
			return chaos.Run(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&options.Seed, "seed", 1, "selects the orders, the gateway's faults and the process faults")
	flags.IntVar(&options.Orders, "orders", 0, "number of orders (default: four per second of --duration; 1000 with --events)")
	flags.DurationVar(&options.Duration, "duration", 0, "how long faults are injected (default 1m; with --events: until all orders were started)")
	flags.BoolVar(&options.Events, "events", false, "add the api and a webhook endpoint, and check what the endpoint was told")
	flags.BoolVar(&options.Production, "production", false, "with Temporal's own server, on the ledger's PostgreSQL: the development server does not bear 10,000 orders")
	flags.IntVar(&rows, "batch", 0, "pay a file of so many rows instead")
	flags.StringVar(&options.Bin, "bin", "", "directory of the stack's programs (default: beside this one)")
	flags.StringVar(&options.Worker, "worker", "", "run this worker program instead")
	flags.BoolVar(&options.Keep, "keep", false, "keep logs and records, whatever the outcome")
	return cmd
}

// endpointCommand runs the webhook endpoint of a run of chaos, as a process that can be
// killed.
func endpointCommand() *cobra.Command {
	var options chaos.EndpointOptions
	cmd := &cobra.Command{
		Use:    "endpoint",
		Short:  "Record the events that are posted, as a finance system does",
		Hidden: true,
		Args:   commandline.NoArguments,
		RunE:   func(cmd *cobra.Command, _ []string) error { return chaos.ServeEndpoint(cmd.Context(), options) },
	}
	flags := cmd.Flags()
	flags.StringVar(&options.Listen, "listen", "", "host:port")
	flags.StringVar(&options.Settings, "settings", "", "file with the secret, as JSON")
	flags.StringVar(&options.Record, "record", "", "file for the events")
	return cmd
}
