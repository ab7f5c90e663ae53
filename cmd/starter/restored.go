package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

func (s *starter) restoredCommand() *cobra.Command {
	var who actor
	var over bool
	cmd := &cobra.Command{
		Use:   "restored --over --why WHY",
		Short: "End the mark that an older copy of the ledger was restored",
		Long: `Ends the mark that worker restored has set: orders that are opened from now on are sent
without asking the gateway first. Run this when every order that was lost has been
found. Orders that are open keep asking.

The mark itself must be set before a worker is started, so no worker can set it: run
worker restored with the worker's database URL.

A worker does it. It is in the installation's audit, done or refused: starter audit
--installation.

--json: {"restore":{"at","by","why","ended","orders"}}, where orders is 0.`,
		Example:           `  starter restored --over --why "all of the lost hours is accounted for" --by amina`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !over {
				return commandline.Misused("starter restored only ends the mark, with --over; the mark is set before a worker is started, by worker restored --by WHO --why WHY")
			}
			return s.restoreOver(cmd.Context(), who)
		},
	}
	s.addActor(cmd, &who, "why nothing is missing any more, in a sentence")
	cmd.Flags().BoolVar(&over, "over", false, "end the mark")
	return cmd
}

// restoreDocument is {"restore":{…}}.
type restoreDocument struct {
	Restore payouts.Restore `json:"restore"`
}

func (s *starter) restoreOver(ctx context.Context, who actor) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	restore, err := service.EndRestore(ctx, s.by(who.by), who.why)
	if err != nil {
		return err
	}
	s.show(restoreDocument{restore}, func(w io.Writer) {
		describe(w, "restore is over", []fact{{"at", moment(restore.At)}, {"by", restore.By}, {"why", restore.Why}})
	})
	return nil
}
