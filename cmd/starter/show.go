package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/worklist"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) showCommand() *cobra.Command {
	var merchant string
	cmd := &cobra.Command{
		Use:   "show NUMBER",
		Short: "The story of an order, from its beginning",
		Long: `Tells from the ledger what happened to an order, in order: the request (without the
people in it), attempts to send it, callbacks, changes of state and what was behind
them, decisions of people, discrepancies and transfers.

It also tells what is known of a number that we do not have: callbacks that speak of
it, and what somebody tried on it.

--json: {"order","events":[{"at","kind","by","text"}]}, where order is as of starter
status, or null, and kind is request, callback, attempt, move, decision,
discrepancy or transfer.`,
		Example:           `  starter show INV-1 --merchant M1700000001`,
		Args:              commandline.Exactly("order number"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := s.bookedKey(cmd.Context(), merchant, args[0])
			if err != nil {
				return err
			}
			return s.showStory(cmd.Context(), key)
		},
	}
	s.addMerchant(cmd, &merchant)
	return cmd
}

func (s *starter) showStory(ctx context.Context, key order.Key) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	story, err := service.Story(ctx, s.self(), key)
	if err != nil {
		return err
	}
	known := ""
	if story.Order == nil && !s.json {
		known = service.WorkflowKnows(ctx, s.self(), key)
	}
	s.show(story, func(w io.Writer) { writeStory(w, key, story, known) })
	return nil
}

// writeStory prints a story. known is what Temporal knows of a number that the
// ledger does not have.
func writeStory(w io.Writer, key order.Key, document payouts.Story, known string) {
	if document.Order == nil {
		printf(w, "%s: we have no such order%s\n", printable(key.String()), printable(known))
	} else {
		writeOrder(w, orderDocument{Order: *document.Order, Source: payouts.FromLedger})
	}
	var rows [][]string
	for _, e := range document.Events {
		text := e.Text
		if e.Kind != worklist.EventDecision { // a person's words
			text = localTimes(text)
		}
		rows = append(rows, []string{moment(e.At), string(e.Kind), e.By, text})
	}
	printf(w, "\n")
	table(w, []string{"AT", "WHAT", "BY", "HOW"}, rows)
}
