package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

func migrateCommand() *cobra.Command {
	var roles bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the ledger's tables up to date, and end",
		Long: `Migrates the ledger's tables to the version of this program, and ends. A worker does
that when it starts, too, if its login owns the tables. It reads
PAYOUTS_DATABASE_URL only.

--roles then makes the PostgreSQL roles payouts_migrate, payouts_worker,
payouts_receiver, payouts_api and payouts_reader, hands the tables to payouts_migrate,
and gives each role what its process needs. Repeat it with every migration.`,
		Example: "  PAYOUTS_DATABASE_URL=postgres://migrate_1@db/payouts worker migrate --roles",
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := config.LoadMigration()
			if err != nil {
				return err
			}
			books, err := boot.Migrate(cmd.Context(), settings.Logger(cmd.ErrOrStderr()), settings.DatabaseURL, settings.AllowInsecure)
			if err != nil {
				return err
			}
			defer func() { _ = books.Close() }()
			said := "the tables are up to date"
			if roles {
				if err := books.GrantRoles(cmd.Context()); err != nil {
					return err
				}
				said += ", and the roles have their rights"
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), said)
			return err
		},
	}
	cmd.Flags().BoolVar(&roles, "roles", false, "make the PostgreSQL roles and give them their rights")
	return cmd
}
