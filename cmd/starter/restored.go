package main

import (
	"context"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

func (s *starter) restoredCommand() *cobra.Command {
	var who actor
	var over bool
	cmd := &cobra.Command{
		Use:   "restored --why WHY",
		Short: "Mark that an older copy of the ledger was restored",
		Long: `An older copy of the ledger does not know what was sent after it was taken. Run this
after it is restored and before a worker is started: the next create of every order
that is open, or is opened from now on, asks the gateway first, and sends only what
the gateway does not have.

With --over, orders that are opened from now on are sent without asking: every order
that was lost has been found. Orders that are open keep asking.

It is written to the ledger directly and is in the installation's audit, done or
refused: starter audit --installation.

--json: {"restore":{"at","by","why","ended","orders"}}, where orders is how many
are open and ask first.`,
		Example: `  starter restored --why "disk lost; backup of 03:00" --by amina
  starter restored --over --why "all of the lost hours is accounted for" --by amina`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.restored(cmd.Context(), over, who)
		},
	}
	s.addActor(cmd, &who, "which copy was restored and why, in a sentence")
	cmd.Flags().BoolVar(&over, "over", false, "end the mark instead")
	return cmd
}

// restoreDocument is {"restore":{…}}.
type restoreDocument struct {
	Restore payouts.Restore `json:"restore"`
}

func (s *starter) restored(ctx context.Context, over bool, who actor) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	mark := service.MarkRestored
	if over {
		mark = service.EndRestore
	}
	restore, err := mark(ctx, by(who.by), who.why)
	if err != nil {
		return err
	}
	s.show(restoreDocument{restore}, func(w io.Writer) { writeRestore(w, restore) })
	return nil
}

func writeRestore(w io.Writer, r payouts.Restore) {
	title, orders := "restored", strconv.Itoa(r.Orders)
	if r.Ended {
		title, orders = "restore is over", ""
	}
	describe(w, title, []fact{{"at", moment(r.At)}, {"by", r.By}, {"why", r.Why}, {"open orders that ask first", orders}})
}
