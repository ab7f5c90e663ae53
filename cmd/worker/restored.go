package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/worker"
	"github.com/tarspay-payouts/orchestrator/order"
)

// workersPatience is how long worker restored asks Temporal for running workers.
const workersPatience = 5 * time.Second

// warnOfWorkers warns if a worker runs, or if that cannot be found out. It refuses
// nothing: in an emergency the mark must be set although a worker runs.
func warnOfWorkers(ctx context.Context, w io.Writer) {
	running, err := runningWorkers(ctx)
	switch {
	case err != nil:
		_, _ = fmt.Fprintf(w, "warning: it is not known whether a worker runs, because Temporal does not answer: %v. "+
			"What a worker sent between the restore and this mark, it sent without asking first\n", err)
	case len(running) > 0:
		_, _ = fmt.Fprintf(w, "warning: a worker runs: %s. What it sent between the restore and this mark, it sent without asking first: "+
			"compare it with starter reconcile --transactions\n", strings.Join(running, "; "))
	}
}

func runningWorkers(ctx context.Context) ([]string, error) {
	settings, err := boot.ReadTemporal(nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	temporal, err := settings.Lazy()
	if err != nil {
		return nil, err
	}
	defer temporal.Close()
	ctx, cancel := context.WithTimeout(ctx, workersPatience)
	defer cancel()
	return worker.Running(ctx, temporal)
}

func restoredCommand() *cobra.Command {
	var who order.Who
	cmd := &cobra.Command{
		Use:   "restored --by WHO --why WHY",
		Short: "Mark that an older copy of the ledger was restored",
		Long: `An older copy of the ledger does not know what was sent after it was taken. Run this
after it is restored and before a worker is started: the next create of every order
that is open, or is opened from now on, asks the gateway first, and sends only what
the gateway does not have. starter restored --over ends the mark.

The mark is set at once, whether or not a worker runs. Then Temporal is asked for running
workers, for five seconds at most, and there is a warning if one runs: it sent without
asking until now.

It reads PAYOUTS_DATABASE_URL, PAYOUTS_AUDIT_KEY_FILE, PAYOUTS_DATA_KEY_FILE and
Temporal's own settings, and is in the installation's audit, done or refused: starter audit --installation.`,
		Example: `  worker restored --why "disk lost; backup of 03:00" --by amina`,
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := config.LoadTables()
			if err != nil {
				return err
			}
			mark, err := worker.MarkRestored(cmd.Context(), settings.Logger(cmd.ErrOrStderr()), settings, who)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "restored: %d open orders ask the gateway first, and so does every new order\n%s\n", mark.Orders,
				"when the lost hours are accounted for, end it with: starter restored --over --why WHY --by WHO")
			warnOfWorkers(cmd.Context(), cmd.ErrOrStderr())
			return err
		},
	}
	cmd.Flags().StringVar(&who.By, "by", "", "who you are")
	cmd.Flags().StringVar(&who.Why, "why", "", "which copy was restored and why, in a sentence")
	return cmd
}
