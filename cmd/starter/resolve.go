package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) resolveCommand() *cobra.Command {
	var merchant string
	var flags resolveFlags
	cmd := &cobra.Command{
		Use:   "resolve NUMBER --state STATE --by WHO --why WHY --evidence PROOF",
		Short: "End an order in review, with evidence",
		Long: `Ends an order that is in review. Decide on proof only: what you write here moves
the books, and is kept with who decided and why. The evidence is the gateway's: a
ticket, a line of its statement, a certificate.

--json: {"order","source"}, as of starter status.`,
		Example: `  starter resolve INV-1 --state succeeded --by "Amina, treasury" \
    --why "the gateway's support confirms the payout" --evidence "ticket 4711" --fee 15
  starter resolve CART-2 --state partially_paid --paid 300 --by Lin --why "statement of 3 May" --evidence "statement line 88"`,
		Args:              oneArgument("order number"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := s.key(merchant, args[0])
			if err != nil {
				return err
			}
			return s.resolve(cmd.Context(), key, flags)
		},
	}
	s.addMerchant(cmd, &merchant)
	flags.add(cmd)
	s.complete(cmd, "state", func(*cobra.Command) []string { return stateNames(reviewEnds()) })
	return cmd
}

// resolveFlags are an operator's decision.
type resolveFlags struct {
	state, by, why, evidence, paid, fee string
}

func (f *resolveFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.state, "state", "", "the end that the evidence proves: "+strings.Join(stateNames(reviewEnds()), ", "))
	flags.StringVar(&f.by, "by", "", "who decides")
	flags.StringVar(&f.why, "why", "", "why, in a sentence")
	flags.StringVar(&f.evidence, "evidence", "", "the gateway's proof")
	flags.StringVar(&f.paid, "paid", "", "partially_paid: what arrived")
	flags.StringVar(&f.fee, "fee", "", "what the gateway kept, if it is known")
}

// check finds what is wrong with the flags by themselves.
func (f resolveFlags) check() problems {
	var wrong problems
	wrong.need("state", f.state, "--state is needed: one of "+strings.Join(stateNames(reviewEnds()), ", "))
	wrong.need("by", f.by, "--by is needed: who decides")
	wrong.need("why", f.why, "--why is needed: why, in a sentence")
	wrong.need("evidence", f.evidence, "--evidence is needed: the gateway's proof")
	if f.state != "" && !slices.Contains(order.States(), order.State(f.state)) {
		wrong.add(codeUsage, "state", "--state is one of %s", strings.Join(stateNames(reviewEnds()), ", "))
	}
	if f.paid != "" && order.State(f.state) != order.PartiallyPaid {
		wrong.add(codeUsage, "paid", "--paid goes with --state partially_paid only")
	}
	return wrong
}

// resolution is the decision about an order of the country. The error is an
// *order.Invalid with everything that is wrong.
func (f resolveFlags) resolution(country string) (order.Resolution, error) {
	wrong := f.check()
	decision := order.Resolution{State: order.State(f.state), By: f.by, Why: f.why, Evidence: f.evidence}
	if f.paid != "" {
		decision.Paid = wrong.amount("paid", f.paid, country)
	}
	if f.fee != "" {
		decision.Fee = wrong.amount("fee", f.fee, country)
	}
	if len(wrong) > 0 {
		return order.Resolution{}, &order.Invalid{Problems: wrong}
	}
	return decision, nil
}

// reviewEnds are the states that an order in review can be resolved to.
func reviewEnds() []order.State {
	return slices.DeleteFunc(order.States(), func(state order.State) bool {
		return !order.CanMove(order.Deposit, order.InReview, state) && !order.CanMove(order.Withdrawal, order.InReview, state)
	})
}

func (s *starter) resolve(ctx context.Context, key order.Key, flags resolveFlags) error {
	if wrong := flags.check(); len(wrong) > 0 {
		return &order.Invalid{Problems: wrong} // before anything is asked
	}
	return s.steer(ctx, key, func(ctx context.Context, temporal orders, kind order.Kind, country string) (order.View, error) {
		decision, err := flags.resolution(country)
		if err != nil {
			return order.View{}, err
		}
		return temporal.Resolve(ctx, kind, key, decision)
	})
}

// steer does something to an open order and prints how it stands then.
func (s *starter) steer(ctx context.Context, key order.Key, do func(context.Context, orders, order.Kind, string) (order.View, error)) error {
	temporal, hangUp, err := s.temporal(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	row, err := s.find(ctx, temporal, key)
	if err != nil {
		return err
	}
	if !row.Open {
		return order.Refuse(order.CodeTerminal, "order %s has ended: %s", key, listedState(row))
	}
	steering, cancel := within(ctx, callTime)
	defer cancel()
	view, err := do(steering, temporal, row.Kind, row.Country)
	if err != nil {
		return late(steering, err, "order %s did not answer; it may still do as told: look with starter status. Does a worker run?", key)
	}
	document := orderDocument{Order: view, Source: sourceWorkflow}
	s.show(document, func(w io.Writer) { writeOrder(w, document) })
	return nil
}
