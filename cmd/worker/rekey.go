package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/worker"
)

func rekeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rekey",
		Short: "Encrypt personal data with the newest data key only",
		Long: `Wraps the key of every row with the data key that is first in PAYOUTS_DATA_KEY_FILE,
and retires the others: then no process needs them any more. It encrypts why payouts were
stopped, where that is in clear. Other texts and the audit stay as they are. Do this after every worker and receiver has been restarted with the new key
first: the database refuses what another process would encrypt with a retired key.

It works in pages, beside running workers. If it is stopped, repeat it. Keep the retired
keys as long as there are backups from before.

It reads PAYOUTS_DATABASE_URL, PAYOUTS_AUDIT_KEY_FILE and PAYOUTS_DATA_KEY_FILE.`,
		Example: "  worker rekey",
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := config.LoadTables()
			if err != nil {
				return err
			}
			done, err := worker.Rekey(cmd.Context(), settings.Logger(cmd.ErrOrStderr()), settings)
			if err != nil {
				return err
			}
			said := "no other data key was ever used"
			if len(done.Retired) > 0 {
				said = "nothing in the ledger needs these keys, which may be taken out of PAYOUTS_DATA_KEY_FILE: " + strings.Join(done.Retired, ", ") +
					"\nkeep them as long as there are backups from before"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d rows were encrypted with another data key; all have %s now\n"+
				"%d reasons of stops were in clear, and are encrypted now\n%s\n", done.Rows, done.Newest, done.Reasons, said)
			return err
		},
	}
}
