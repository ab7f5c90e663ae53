package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/worklist"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) discrepanciesCommand() *cobra.Command {
	filter := payouts.DiscrepancyFilter{Limit: 100}
	cmd := &cobra.Command{
		Use:   "discrepancies",
		Short: "Differences between the ledger and the gateway",
		Long: `Lists discrepancies from the ledger, the newest first. A discrepancy touches
nothing: it stays open until new evidence settles it, or until a person has dealt with it
and closes it with starter close-discrepancy, or with starter adopt if no workflow drives
the order. starter discrepancy has what is done in between.

--json: {"discrepancies":[{"id","key":{"merchant","number"},"code","mark","detail",
"at","state","stake","delta","assignee","said","said_by","wait_until","accepted_by",
"closed_at","closed_by","closed_why"}],"more"}, where mark tells two of the same code
apart, state is open, assigned, explained, waiting, accepting, accepted or healed, stake is
the money that it is about, delta is the gateway's amount minus ours if an amount differs,
members that say nothing are left out, and more means that there are more than the limit.`,
		Example: `  starter discrepancies --open
  starter discrepancies --merchant M1700000001 --number INV-1 --json`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.discrepancies(cmd.Context(), filter) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&filter.Open, "open", false, "only those that nobody has closed")
	flags.StringVar(&filter.Merchant, "merchant", "", "only of this merchant number")
	flags.StringVar(&filter.Number, "number", "", "only of this order number")
	flags.StringVar(&filter.Code, "code", "", "only of this code")
	flags.IntVar(&filter.Limit, "limit", filter.Limit, fmt.Sprintf("at most so many, up to %d", payouts.MaxPage))
	s.complete(cmd, "merchant", s.merchantNames)
	s.complete(cmd, "code", func(*cobra.Command) []string { return worklist.DiscrepancyCodes() })
	return cmd
}

func (s *starter) discrepancies(ctx context.Context, filter payouts.DiscrepancyFilter) error {
	if err := pageLimit(filter.Limit); err != nil {
		return err
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	found, err := service.Discrepancies(ctx, s.self(), filter)
	if err != nil {
		return err
	}
	s.show(found, func(w io.Writer) { writeDiscrepancies(w, found) })
	return nil
}

func writeDiscrepancies(w io.Writer, document payouts.DiscrepancyPage) {
	if len(document.Discrepancies) == 0 {
		printf(w, "no discrepancies\n")
		return
	}
	var rows [][]string
	for _, d := range document.Discrepancies {
		rows = append(rows, []string{
			strconv.FormatInt(d.ID, 10), moment(d.At), d.Key.Merchant, d.Key.Number, d.Code, stakeText(d), string(d.State), standingText(d), d.Detail,
		})
	}
	table(w, []string{"ID", "SINCE", "MERCHANT", "NUMBER", "CODE", "AT STAKE", "STATE", "BY", "WHAT IS THE MATTER"}, rows)
	if document.More {
		printf(w, "there are more; raise --limit or narrow the filter\n")
	}
}

// stakeText returns the money that a discrepancy is about.
func stakeText(d payouts.Discrepancy) string {
	if !d.Stake.IsPositive() {
		return ""
	}
	return d.Stake.String()
}

// standingText returns who deals or dealt with a discrepancy, and what was said last.
func standingText(d payouts.Discrepancy) string {
	switch d.State {
	case order.DiscrepancyAccepted, order.DiscrepancyHealed:
		return d.ClosedBy + ": " + d.ClosedWhy
	case order.DiscrepancyAssigned:
		return "for " + d.Assignee + ", " + d.SaidBy + ": " + d.Said
	case order.DiscrepancyExplained, order.DiscrepancyWaiting, order.DiscrepancyAccepting:
		return d.SaidBy + ": " + d.Said
	case order.DiscrepancyOpen:
	}
	return ""
}

func (s *starter) closeDiscrepancyCommand() *cobra.Command {
	var who actor
	cmd := &cobra.Command{
		Use:   "close-discrepancy ID --why WHY",
		Short: "Say why nothing more is to be done about a discrepancy",
		Long: `Closes a discrepancy: a person has dealt with it, and says why nothing more is to be
done. It moves no money. A worker does it, and it is audited, done or refused; the id is
that of starter queue and starter discrepancies. If more than the policy's
two_person_close is at stake, another person closes it, too: until then its state is
accepting. With a roster both sign.

--json: {"discrepancy":{…}}, as of starter discrepancies.`,
		Example:           `  starter close-discrepancy 7 --why "the gateway withdrew its message, ticket 4711" --by amina`,
		Args:              commandline.Exactly("discrepancy's id"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := discrepancyID(args[0])
			if err != nil {
				return err
			}
			return s.closeDiscrepancy(cmd.Context(), id, who)
		},
	}
	s.addActor(cmd, &who, "why, in a sentence")
	return cmd
}

// discrepancyDocument is {"discrepancy":{…}}.
type discrepancyDocument struct {
	Discrepancy payouts.Discrepancy `json:"discrepancy"`
}

func (s *starter) closeDiscrepancy(ctx context.Context, id int64, who actor) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	closed, err := service.CloseDiscrepancy(ctx, s.by(who.by), id, who.why)
	if err != nil {
		return err
	}
	s.show(discrepancyDocument{closed}, func(w io.Writer) {
		done := "closed"
		if closed.State == order.DiscrepancyAccepting {
			done = "accepted; another person must close it, too"
		}
		s.writeDone(w, done, who)
		writeDiscrepancies(w, payouts.DiscrepancyPage{Discrepancies: []payouts.Discrepancy{closed}})
	})
	return nil
}

// discrepancyID reads the id of a discrepancy. The error is an *order.Invalid.
func discrepancyID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err == nil && id > 0 {
		return id, nil
	}
	var wrong problems
	wrong.add(codeUsage, "id", "a discrepancy's id is a number: starter discrepancies lists them")
	return 0, &order.Invalid{Problems: wrong}
}
