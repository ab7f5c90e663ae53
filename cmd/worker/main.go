// Command worker drives orders: it runs the workflows and activities.
//
// It has only flags, wiring and signal handling, and no rule about orders or
// money.
package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot/process"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

func main() { os.Exit(process.Main(command())) }

func command() *cobra.Command {
	var settings strings.Builder
	if err := config.Table(&settings, config.Worker{}); err != nil {
		panic(err) // only wrong struct tags cause an error, and a test checks them
	}
	root := &cobra.Command{
		Use:   "worker",
		Short: "Drive deposits and withdrawals",
		Long: "Drives deposits and withdrawals: runs the workflows, writes the ledger and calls the gateway. " +
			"Migrates the database, registers search attributes and the reconciliation schedule, and drains on SIGTERM.\n\n" +
			"The connection to Temporal has its own settings: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_TLS_…, " +
			"TEMPORAL_API_KEY, TEMPORAL_PROFILE.\n\nSettings:\n\n" + settings.String(),
		Example: "  PAYOUTS_DATABASE_URL=postgres://payouts@db/payouts PAYOUTS_MERCHANTS=M1700000001:PK \\\n" +
			"  PAYOUTS_KEY_DIR=/run/secrets/keys PAYOUTS_AUDIT_KEY_FILE=/run/secrets/audit.key \\\n" +
			"  PAYOUTS_DATA_KEY_FILE=/run/secrets/data.key \\\n" +
			"  PAYOUTS_NOTIFY_URL=https://pay.example.com/callbacks/tarspay worker",
		Args: commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := config.LoadWorker()
			if err != nil {
				return err
			}
			return run(cmd.Context(), settings)
		},
	}
	root.AddCommand(migrateCommand(), restoredCommand(), rekeyCommand())
	commandline.Prepare(root, nil)
	return root
}
