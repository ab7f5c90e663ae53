package main

import (
	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/harness/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

func p10Command() *cobra.Command {
	var options reconcile.Options
	cmd := &cobra.Command{
		Use:   "p10",
		Short: "Plant discrepancies among many orders, and check that exactly these are found and healed",
		Long: `Makes orders of every outcome at the stand-in gateway and in a ledger, and compares
balances, transactions and statements: nothing may be found. Then plants discrepancies of
every class and compares again, twice: each must be found once and under its class, and
nothing else. Then repairs some: exactly these must heal or be closed by their booking.

The workflows run in Temporal's test environment, which skips time. The ledger, the
gateway's client and the stand-in gateway are real.

Standard output carries one JSON object. After a difference the exit status is 1, and the
seed and each difference are on standard error.`,
		Example: `  dev p10 --seed 7
  dev p10 --orders 2000 --planted 50`,
		Args: commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Progress = cmd.ErrOrStderr()
			return reconcile.Run(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&options.Seed, "seed", 1, "selects the orders and their outcomes, and which merchants have which discrepancies")
	flags.IntVar(&options.Orders, "orders", 20_000, "number of orders")
	flags.IntVar(&options.Planted, "planted", 500, "number of discrepancies, of all kinds in turn")
	flags.StringVar(&options.DatabaseURL, "database-url", "", "use a ledger in this empty database instead of a file of SQLite")
	return cmd
}
