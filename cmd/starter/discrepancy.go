package main

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) discrepancyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "discrepancy",
		Short: "Work on a discrepancy: who deals with it, why it is there, what it waits for",
		Long: `Works on one discrepancy; starter discrepancies lists them. A step moves no money and is
audited. New evidence closes some discrepancies by itself: their state is then healed. One
that nobody has worked on for PAYOUTS_DISCREPANCY_REMINDER is an event
discrepancy.reminder, which webhooks get.

--json: {"discrepancy"} and {"adjustment"}, as the commands below say.`,
		Example: "  starter discrepancy show 7",
	}
	cmd.AddCommand(
		s.showDiscrepancyCommand(),
		s.stepCommand(order.StepAssign, "Say who deals with a discrepancy", "assigned", `  starter discrepancy assign 7 --to bilal --why "your merchant" --by amina`),
		s.stepCommand(order.StepExplain, "Say why the difference is there, before it is settled", "explained", `  starter discrepancy explain 7 --why "the gateway kept an old fee, ticket 4711" --by bilal`),
		s.stepCommand(order.StepWait, "Say that the gateway was asked, and what about", "waiting for the gateway", `  starter discrepancy wait 7 --days 3 --why "ticket 4711" --by bilal`),
		s.stepCommand(order.StepReopen, "Take back an assignment, an explanation or a first acceptance", "open again", `  starter discrepancy reopen 7 --why "the ticket was about another order" --by bilal`),
		s.feeCommand(),
	)
	return cmd
}

func (s *starter) showDiscrepancyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "What is known about a discrepancy, what was done, and what to do next",
		Long: `Shows one discrepancy: what it means, the money at stake, its age, the state of its
order, every step with who did it, and what to do next.

--json: {"discrepancy":{…}}, as of starter discrepancies, with "age_seconds", "means",
"next", "order_state" and "steps":[{"at","by","action","what","text","refused"}].`,
		Example:           "  starter discrepancy show 7",
		Args:              commandline.Exactly("discrepancy's id"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := discrepancyID(args[0])
			if err != nil {
				return err
			}
			service, err := s.useCases()
			if err != nil {
				return err
			}
			story, err := service.Discrepancy(cmd.Context(), s.self(), id)
			if err != nil {
				return err
			}
			s.show(storyDocument{story}, func(w io.Writer) { writeDiscrepancy(w, story) })
			return nil
		},
	}
}

// storyDocument is {"discrepancy":{…}}.
type storyDocument struct {
	Discrepancy payouts.DiscrepancyStory `json:"discrepancy"`
}

func writeDiscrepancy(w io.Writer, d payouts.DiscrepancyStory) {
	about := "merchant " + d.Key.Merchant
	if d.Key.Number != "" {
		about = "order " + d.Key.Number + " of " + about
	}
	delta := ""
	if !d.Delta.IsZero() {
		delta = d.Delta.String()
	}
	describe(w, "discrepancy "+strconv.FormatInt(d.ID, 10)+": "+d.Code, []fact{
		{"about", about}, {"order is", string(d.OrderState)}, {"state", string(d.State)}, {"since", moment(d.At)},
		{"age", short(time.Duration(d.AgeSeconds) * time.Second)}, {"at stake", stakeText(d.Discrepancy)}, {"gateway minus books", delta},
		{"matter", d.Detail}, {"means", d.Means}, {"assigned to", d.Assignee}, {"waits until", moment(d.WaitUntil)},
		{"accepted by", d.AcceptedBy}, {"closed by", d.ClosedBy}, {"closed at", moment(d.ClosedAt)}, {"next", d.Next},
	})
	var rows [][]string
	for _, step := range d.Steps {
		action := string(step.Action)
		if step.What != "" {
			action += ": " + step.What
		}
		if step.Refused {
			action += " (refused)"
		}
		rows = append(rows, []string{moment(step.At), step.By, action, step.Text})
	}
	table(w, []string{"AT", "BY", "WHAT", "WHY"}, rows)
}

// stepCommand returns the command of a step.
func (s *starter) stepCommand(step order.DiscrepancyStep, short, done, example string) *cobra.Command {
	var who actor
	work := order.DiscrepancyWork{Step: step}
	use := string(step) + " ID --why WHY"
	if step == order.StepAssign {
		use = string(step) + " ID --to NAME --why WHY"
	}
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + `. A worker does it, and it is audited, done or
refused. It takes back the first of two acceptances.

--json: {"discrepancy":{…}}, as of starter discrepancies.`,
		Example:           example,
		Args:              commandline.Exactly("discrepancy's id"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if work.Discrepancy, err = discrepancyID(args[0]); err != nil {
				return err
			}
			return s.work(cmd.Context(), work, who, done)
		},
	}
	switch step {
	case order.StepAssign:
		cmd.Flags().StringVar(&work.To, "to", "", "who deals with it")
		s.complete(cmd, "to", func(*cobra.Command) []string { return nil })
	case order.StepWait:
		cmd.Flags().IntVar(&work.Days, "days", 0, "days until somebody is reminded, up to "+strconv.Itoa(order.MaxWaitDays)+"; 0: without an end")
	case order.StepExplain, order.StepReopen:
	}
	s.addActor(cmd, &who, "why, in a sentence")
	return cmd
}

func (s *starter) work(ctx context.Context, work order.DiscrepancyWork, who actor, done string) error {
	if refusal := (order.BookAction{WorkDiscrepancy: &work}).Check(); refusal != nil {
		return usage("%s", refusal.Text)
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	worked, err := service.WorkDiscrepancy(ctx, s.by(who.by), work, who.why)
	if err != nil {
		return err
	}
	s.show(discrepancyDocument{worked}, func(w io.Writer) {
		s.writeDone(w, done, who)
		writeDiscrepancies(w, payouts.DiscrepancyPage{Discrepancies: []payouts.Discrepancy{worked}})
	})
	return nil
}

func (s *starter) feeCommand() *cobra.Command {
	var who actor
	var evidence string
	cmd := &cobra.Command{
		Use:   "fee ID --why WHY --evidence PROOF",
		Short: "Book a fee that differs, by two persons; that closes the discrepancy",
		Long: `Books the fee that the gateway's record has and the books do not, as the adjustment
DISCREPANCY-ID of the kind fee or fee_refund. The first person's command proposes it;
another person's same command confirms it, and the discrepancy is closed. With a roster
both sign.

--json: {"adjustment":{…}}, as of starter adjust propose.`,
		Example: `  starter discrepancy fee 7 --why "as on the statement" --evidence "statement of 1 March, line 12" --by amina
  starter discrepancy fee 7 --why "checked" --evidence "statement of 1 March, line 12" --by bilal`,
		Args:              commandline.Exactly("discrepancy's id"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := discrepancyID(args[0])
			if err != nil {
				return err
			}
			return s.adjust(func(service useCases) (payouts.Adjustment, error) {
				return service.BookDiscrepancy(cmd.Context(), s.by(who.by), id, who.why, evidence)
			})
		},
	}
	cmd.Flags().StringVar(&evidence, "evidence", "", "the proof: a bank slip, a statement line, a ticket of the gateway")
	s.complete(cmd, "evidence", func(*cobra.Command) []string { return nil })
	s.addActor(cmd, &who, "why, in a sentence")
	return cmd
}
