package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (s *starter) resolveCommand() *cobra.Command {
	var merchant string
	var flags resolveFlags
	cmd := &cobra.Command{
		Use:   "resolve NUMBER --state STATE [--fee FEE] --by WHO --why WHY --evidence PROOF",
		Short: "End an order in review, with evidence",
		Long: `Ends an order that is in review. Decide on proof only: what you write here moves
the books, and is kept with who decided and why. The evidence is the gateway's: a
ticket, a line of its statement, a certificate.

Without who, why or the proof it is refused with WHO_MISSING, WHY_MISSING or
EVIDENCE_MISSING, which the audit has, too.

Where the approval policy asks for two persons, the first one proposes and nothing is
booked; another one, who did not request the order either, confirms by resolving it
alike: starter queue has the command. A resolution to another end or amount is refused
with PROPOSAL_DIFFERS, unless --replace says that it takes the place of the proposal.

Give the fee that the proof names: without --fee 0.00 is booked. A fee as large as what
was paid is refused with FEE_NOT_CONFIRMED unless --whole-fee says that it is meant.

--json: {"order","source","pending"}, as of starter status; pending is true when a
second person has to confirm it.`,
		Example: `  starter resolve INV-1 --state succeeded --by "Amina, treasury" \
    --why "the gateway's support confirms the payout" --evidence "ticket 4711" --fee 15
  starter resolve CART-2 --state partially_paid --paid 300 --by Lin --why "statement of 3 May" --evidence "statement line 88"`,
		Args:              commandline.Exactly("order number"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := s.actionKey(cmd.Context(), merchant, args[0], flags.check())
			if err != nil {
				return err
			}
			return s.resolve(cmd.Context(), key, flags)
		},
	}
	s.addMerchant(cmd, &merchant)
	flags.add(cmd)
	s.addActor(cmd, &flags.actor, "why, in a sentence")
	s.complete(cmd, "state", func(*cobra.Command) []string { return stateNames(payouts.ReviewEnds()) })
	return cmd
}

// resolveFlags are the flags of an operator's decision.
type resolveFlags struct {
	actor
	state, evidence, paid, fee string
	wholeFee, replace          bool
}

func (f *resolveFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.state, "state", "", "the end that the evidence proves: "+strings.Join(stateNames(payouts.ReviewEnds()), ", "))
	flags.StringVar(&f.evidence, "evidence", "", "the gateway's proof")
	flags.StringVar(&f.paid, "paid", "", "partially_paid: what arrived")
	flags.StringVar(&f.fee, "fee", "", "what the gateway kept; 0.00 is booked without it")
	flags.BoolVar(&f.replace, "replace", false, "take the place of another person's proposal that differs")
	flags.BoolVar(&f.wholeFee, "whole-fee", false, "confirm a fee as large as what was paid")
}

// check returns the problems that do not depend on the order.
func (f resolveFlags) check() problems {
	var wrong problems
	wrong.need("state", f.state, "--state is needed: one of "+strings.Join(stateNames(payouts.ReviewEnds()), ", "))
	if f.state != "" && !slices.Contains(order.States(), order.State(f.state)) {
		wrong.add(codeUsage, "state", "%s", commandline.NoneOf("--state", f.state, stateNames(payouts.ReviewEnds())))
	}
	if f.paid != "" && order.State(f.state) != order.PartiallyPaid {
		wrong.add(codeUsage, "paid", "--paid goes with --state partially_paid only")
	}
	return wrong
}

// resolution returns the decision about an order of a country. The error is an
// *order.Invalid with every problem.
func (f resolveFlags) resolution(country string) (order.Resolution, error) {
	wrong := f.check()
	if _, known := tarspay.Country(country); !known && f.paid+f.fee != "" {
		wrong.add(order.ProblemCountry, "country", "the country of the order is not known, so amounts cannot be read")
	}
	decision := order.Resolution{State: order.State(f.state), Why: f.why, Evidence: f.evidence, WholeFee: f.wholeFee, Replace: f.replace}
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

func (s *starter) resolve(ctx context.Context, key order.Key, flags resolveFlags) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	resolved, err := service.Resolve(ctx, s.by(flags.by), key, flags.resolution)
	if err != nil {
		return err
	}
	s.warnAway(resolved.Order)
	s.show(resolved, func(w io.Writer) { s.writeResolved(w, resolved, flags) })
	return nil
}

func (s *starter) writeResolved(w io.Writer, resolved payouts.Resolved, flags resolveFlags) {
	if !resolved.Pending {
		s.writeDone(w, "resolved", flags.actor)
		o := resolved.Order.Order
		printf(w, "booked: %s\n", booked(o, order.Resolution{State: o.State, Paid: o.Paid, Fee: o.Fee}))
		writeOrder(w, resolved.Order)
		writeUnsaidFee(w, resolved.Order.Order, flags)
		return
	}
	writeOrder(w, resolved.Order)
	amounts := ""
	for _, given := range []struct{ flag, value string }{{"paid", flags.paid}, {"fee", flags.fee}} {
		if given.value != "" {
			amounts += " --" + given.flag + " " + shellWord(given.value)
		}
	}
	if flags.wholeFee {
		amounts += " --whole-fee"
	}
	proposed, err := flags.resolution(resolved.Order.Order.Country)
	books := ""
	if err == nil {
		books = booked(resolved.Order.Order, proposed)
	}
	describe(w, "proposed, and nothing is booked: a second person must confirm it", []fact{
		{"books", books},
		{"who", "neither " + s.recorded(flags.by) + " nor who requested the order"},
		{"with", "starter resolve " + orderArguments(resolved.Order.Order.Key()) + " --state " + flags.state + amounts + " --why WHY --evidence PROOF"},
	})
}

// booked returns what a resolution of the order books.
func booked(o order.View, r order.Resolution) string {
	if r.State != order.Succeeded && r.State != order.PartiallyPaid {
		if o.Kind == order.Withdrawal {
			return "nothing was paid; what was reserved is available again"
		}
		return "nothing was paid"
	}
	paid, fee := o.Amount, none(o.Amount.Currency())
	if r.State == order.PartiallyPaid {
		paid = r.Paid
	}
	if r.Fee.IsPositive() {
		fee = r.Fee
	}
	return paid.String() + " paid, and a fee of " + fee.String() + " that the gateway kept"
}

// writeUnsaidFee prints that no fee was given for money that moved.
func writeUnsaidFee(w io.Writer, o order.View, flags resolveFlags) {
	if moved := o.State == order.Succeeded || o.State == order.PartiallyPaid; !moved || flags.fee != "" || o.Fee.IsPositive() {
		return
	}
	printf(w, "no --fee was given, so a fee of %s is booked; if the gateway kept one, book it with: starter adjust propose REF --merchant %s --kind %s --amount AMOUNT --why WHY --evidence PROOF\n",
		none(o.Amount.Currency()), shellWord(o.Merchant), payouts.AdjustFee)
}
