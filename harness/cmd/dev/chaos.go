package main

import (
	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/harness/chaos"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

func chaosCommand() *cobra.Command {
	var options chaos.Options
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Kill, suspend and disconnect processes, then check the result against the gateway's records",
		Long: `Starts Temporal, a PostgreSQL of its own, two workers, two receivers and the
stand-in gateway, sends orders through them, and meanwhile kills, suspends and
cuts them off, at random and at named points. Then everything comes back, and
every order, every payment and every balance is judged by the gateway's book.

Standard output carries a line of JSON per violation and a summary as the last
line; the exit status is 1 after a violation, and logs and books are kept.

The judge can be tried: --worker runs another worker, for example one that was
built with a guard taken out.`,
		Example: `  dev chaos --seed 7
  dev chaos --duration 10m --orders 4000
  dev chaos --worker ./worker-without-a-guard`,
		Args: commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Progress = cmd.ErrOrStderr()
			return chaos.Run(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&options.Seed, "seed", 1, "selects the orders, the gateway's faults and the process faults")
	flags.IntVar(&options.Orders, "orders", 0, "number of orders (default: four per second of --duration)")
	flags.DurationVar(&options.Duration, "duration", 0, "how long faults are injected (default 1m)")
	flags.StringVar(&options.Bin, "bin", "", "directory of the stack's programs (default: beside this one)")
	flags.StringVar(&options.Worker, "worker", "", "another worker binary")
	flags.BoolVar(&options.Keep, "keep", false, "keep logs and books, whatever the outcome")
	return cmd
}
