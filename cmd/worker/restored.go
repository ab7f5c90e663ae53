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

// tellErased prints what was erased again, and warns of what was not.
func tellErased(w, warnings io.Writer, file string, again worker.ErasedAgain) error {
	if file == "" {
		_, err := fmt.Fprintln(w, "no erasure was done again: PAYOUTS_ERASURES_FILE is not set")
		return err
	}
	for _, number := range again.Failed {
		_, _ = fmt.Fprintf(warnings, "warning: order %s was erased once, and is open or in clear in this copy: erase it when it has ended\n", number)
	}
	for _, line := range again.Unreadable {
		_, _ = fmt.Fprintf(warnings, "warning: %s is no erasure\n", line)
	}
	_, err := fmt.Fprintf(w, "erased again: %d orders; %d were erased in this copy, %d are not in it\n", again.Erased, again.Before, again.Missing)
	return err
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

Then the erasures of PAYOUTS_ERASURES_FILE are done again, and counted. It may be repeated
for another file: every worker has its own, unless they share one.

It reads PAYOUTS_DATABASE_URL, PAYOUTS_AUDIT_KEY_FILE, PAYOUTS_DATA_KEY_FILE,
PAYOUTS_ERASURES_FILE and Temporal's own settings, and is in the installation's audit, done or refused: starter audit --installation.`,
		Example: `  worker restored --why "disk lost; backup of 03:00" --by amina`,
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := config.LoadTables()
			if err != nil {
				return err
			}
			w, erasures := cmd.OutOrStdout(), settings.ErasuresFile
			again, err := worker.MarkRestored(cmd.Context(), settings.Logger(cmd.ErrOrStderr()), settings, who, func(orders int) {
				_, _ = fmt.Fprintf(w, "restored: %d open orders ask the gateway first, and so does every new order\n%s\n", orders,
					"when the lost hours are accounted for, end it with: starter restored --over --why WHY --by WHO")
				warnOfWorkers(cmd.Context(), cmd.ErrOrStderr())
			})
			if err == nil {
				err = tellErased(w, cmd.ErrOrStderr(), erasures, again)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&who.By, "by", "", "who you are")
	cmd.Flags().StringVar(&who.Why, "why", "", "which copy was restored and why, in a sentence")
	return cmd
}
