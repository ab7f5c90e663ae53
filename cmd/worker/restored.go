package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/order"
)

func restoredCommand() *cobra.Command {
	var who order.Who
	cmd := &cobra.Command{
		Use:   "restored --by WHO --why WHY",
		Short: "Mark that an older copy of the ledger was restored",
		Long: `An older copy of the ledger does not know what was sent after it was taken. Run this
after it is restored and before a worker is started: the next create of every order
that is open, or is opened from now on, asks the gateway first, and sends only what
the gateway does not have. starter restored --over ends the mark.

It reads PAYOUTS_DATABASE_URL and PAYOUTS_AUDIT_KEY_FILE only, and is in the installation's audit, done or
refused: starter audit --installation.`,
		Example: `  worker restored --why "disk lost; backup of 03:00" --by amina`,
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := config.LoadTables()
			if err != nil {
				return err
			}
			log := settings.Logger(cmd.ErrOrStderr())
			keys, err := boot.AuditKeys(log, settings.Audit)
			if err != nil {
				return err
			}
			books, err := boot.AwaitMigratedLedger(cmd.Context(), log, settings.DatabaseURL, settings.AllowInsecure, keys)
			if err != nil {
				return err
			}
			defer func() { _ = books.Close() }()
			mark, refusal, err := books.MarkRestored(cmd.Context(), who)
			if err != nil {
				return err
			}
			if refusal != nil {
				return refusal
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "restored: %d open orders ask the gateway first\n", mark.Orders)
			return err
		},
	}
	cmd.Flags().StringVar(&who.By, "by", "", "who you are")
	cmd.Flags().StringVar(&who.Why, "why", "", "which copy was restored and why, in a sentence")
	return cmd
}
