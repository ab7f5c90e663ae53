package main

import (
	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/harness/bench"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

func benchCommand() *cobra.Command {
	var options bench.Options
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what an order costs and how fast orders go",
		Long: "Measures on the embedded stack, and then on Temporal's production server with everything on a PostgreSQL of its own,\n" +
			"beside a baseline: the cheapest workflow of the same shape on the same server. That PostgreSQL must have the extensions\n" +
			"pg_stat_statements and btree_gin, which some systems keep in a package postgresql-contrib.\n" +
			"Standard output carries one JSON object per line and nothing else.",
		Args: commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Progress = cmd.ErrOrStderr()
			return bench.Run(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	cmd.Flags().StringVar(&options.Server, "server", "", "measure on this server only: embedded or production")
	cmd.Flags().StringVar(&options.Only, "only", "", "make this measurement only, as the lines name it: cost, throughput, api, webhook, batch, …")
	cmd.Flags().BoolVar(&options.Roster, "roster", false, "with a roster, for which the system signs each start")
	cmd.Flags().StringVar(&options.DatabaseURL, "database-url", "", "measure the embedded stack with the ledger on this PostgreSQL instead of SQLite")
	cmd.Flags().IntVar(&options.Orders, "orders", 200, "orders per round of throughput, api, webhook and sql")
	cmd.Flags().IntVar(&options.Concurrency, "concurrency", 32, "orders or starts at once in these")
	cmd.Flags().IntVar(&options.Open, "open", 1000, "orders in the measurement of open orders")
	cmd.Flags().IntVar(&options.Records, "records", 100_000, "transactions in the measurement of the comparison")
	cmd.Flags().StringVar(&options.Source, "source", "", "compare transactions by this alone: history or statement")
	cmd.Flags().IntVar(&options.Rows, "rows", 1000, "rows of the batch")
	cmd.Flags().IntVar(&options.DayOrders, "day-orders", 1_000_000, "orders of the day that is reported")
	cmd.Flags().IntVar(&options.Ledger, "ledger", 10_000, "orders in the ledger in the measurement of its growth")
	cmd.Flags().IntVar(&options.Rounds, "rounds", 3, "rounds of the orders and of the baseline, alternating")
	return cmd
}

func floodCommand() *cobra.Command {
	var options bench.FloodOptions
	cmd := &cobra.Command{
		Use:   "flood",
		Short: "Send a receiver many forged callbacks and some genuine ones",
		Long: "Sends forged callbacks of every kind, half of them of 64 KiB, to a real receiver as fast as it answers, with genuine\n" +
			"callbacks among them. Standard output carries one JSON object. The exit status is 1 if a forged callback was accepted, a\n" +
			"genuine one was not stored or took too long, or the receiver's memory grew.",
		Args: commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Progress = cmd.ErrOrStderr()
			return bench.Flood(cmd.Context(), cmd.OutOrStdout(), options)
		},
	}
	cmd.Flags().StringVar(&options.DatabaseURL, "database-url", "", "use a ledger on this PostgreSQL instead of SQLite")
	cmd.Flags().IntVar(&options.Forged, "forged", 100_000, "number of forged callbacks")
	cmd.Flags().IntVar(&options.Genuine, "genuine", 500, "number of genuine callbacks")
	cmd.Flags().IntVar(&options.Senders, "senders", 32, "number of senders of forged callbacks")
	return cmd
}
