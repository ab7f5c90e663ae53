package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// These commands book money that moved at the gateway without an order. A worker
// executes them; the ledger decides and audits.

func (s *starter) adjustCommand() *cobra.Command {
	var kinds strings.Builder
	for _, move := range payouts.AdjustmentKinds() {
		printf(&kinds, "  %-16s %s\n", move.Kind, move.Text)
	}
	cmd := &cobra.Command{
		Use:   "adjust",
		Short: "Book money that moved without an order, by two persons",
		Long: `Books money that moved at the gateway and belongs to no order: one person proposes it
with the proof, another one confirms it. Nothing moves before that. The kinds are:

` + kinds.String() + `
--json: {"adjustment"} and {"adjustments"}, as the commands below say.`,
		Example: "  starter adjust list --open",
	}
	cmd.AddCommand(s.adjustProposeCommand(), s.adjustConfirmCommand(), s.adjustRejectCommand(), s.adjustListCommand())
	return cmd
}

// adjustmentDocument is {"adjustment":{…}}.
type adjustmentDocument struct {
	Adjustment payouts.Adjustment `json:"adjustment"`
}

func (s *starter) adjustProposeCommand() *cobra.Command {
	var flags proposalFlags
	cmd := &cobra.Command{
		Use:   "propose REF --kind KIND --amount AMOUNT --why WHY --evidence PROOF",
		Short: "Propose to book money that moved",
		Long: `Proposes to book money that moved at the gateway and belongs to no order; starter adjust
--help lists the kinds. Nothing moves until another person confirms it. The reference
is yours, chosen once per merchant: the same content under it again is the same
proposal, other content is refused with ADJUSTMENT_CONFLICT.

--json: {"adjustment":{"merchant","ref","kind","amount","by","why","evidence","state",
"proposed_at","decided_by","decided_at","decided_why","repeated"}}, where state is
proposed, booked or rejected, the decided_ members are left out while it is proposed,
and repeated is true if the same was done before: then nothing was done now.`,
		Example: `  starter adjust propose TOPUP-7 --merchant M1700000001 --kind top_up --amount 5000 --by amina \
    --why "paid in for the salaries" --evidence "bank slip 88"`,
		Args:              commandline.Exactly("reference"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			adjustment, err := s.proposal(args[0], flags)
			if err != nil {
				return err
			}
			return s.adjust(func(service useCases) (payouts.Adjustment, error) {
				return service.ProposeAdjustment(cmd.Context(), s.by(flags.by), adjustment)
			})
		},
	}
	s.addMerchant(cmd, &flags.merchant)
	cmd.Flags().StringVar(&flags.kind, "kind", "", "what has moved: "+strings.Join(adjustmentKinds(), ", "))
	cmd.Flags().StringVar(&flags.amount, "amount", "", "how much, in the currency of the merchant's country")
	cmd.Flags().StringVar(&flags.evidence, "evidence", "", "the proof: a bank slip, a statement line, a ticket of the gateway")
	s.addActor(cmd, &flags.actor, "why, in a sentence")
	s.complete(cmd, "kind", func(*cobra.Command) []string { return adjustmentKinds() })
	for _, flag := range []string{"amount", "evidence"} {
		s.complete(cmd, flag, func(*cobra.Command) []string { return nil })
	}
	return cmd
}

func adjustmentKinds() []string {
	var kinds []string
	for _, move := range payouts.AdjustmentKinds() {
		kinds = append(kinds, string(move.Kind))
	}
	return kinds
}

// proposalFlags are the flags of a proposal.
type proposalFlags struct {
	actor
	merchant, kind, amount, evidence string
}

// proposal returns the proposal of the flags. The error is an *order.Invalid with
// every problem.
func (s *starter) proposal(ref string, flags proposalFlags) (payouts.Proposal, error) {
	settings, err := s.settings()
	if err != nil {
		return payouts.Proposal{}, err
	}
	var wrong problems
	wrong.need("kind", flags.kind, "--kind is needed: one of "+strings.Join(adjustmentKinds(), ", "))
	wrong.need("amount", flags.amount, "--amount is needed")
	if flags.kind != "" && !slices.Contains(adjustmentKinds(), flags.kind) {
		wrong.add(codeUsage, "kind", "%s", commandline.NoneOf("--kind", flags.kind, adjustmentKinds()))
	}
	key, err := s.adjustmentKey(flags.merchant, ref)
	wrong.merge(err)
	country := settings.Merchants.Countries()[key.Merchant]
	if _, known := tarspay.Country(country); !known && key.Merchant != "" {
		wrong.add(order.ProblemCountry, "country", "PAYOUTS_MERCHANTS does not say the merchant's country, so the amount cannot be read")
	}
	adjustment := payouts.Proposal{
		Key: key, Kind: flags.kind, Amount: wrong.amount("amount", flags.amount, country), Why: flags.why, Evidence: flags.evidence,
	}
	if len(wrong) > 0 {
		return payouts.Proposal{}, &order.Invalid{Problems: wrong}
	}
	return adjustment, err
}

// adjustmentKey returns the key of an adjustment. Its reference has the shape of
// an order's number. The error is an *order.Invalid.
func (s *starter) adjustmentKey(merchant, ref string) (order.Key, error) {
	key, err := s.merchantKey(merchant)
	var wrong problems
	wrong.merge(err)
	key.Number = ref
	if err == nil || !order.IsNumber(ref) {
		wrong.merge(payouts.CheckReference(key))
	}
	if len(wrong) > 0 {
		return order.Key{}, &order.Invalid{Problems: wrong}
	}
	return key, err
}

func (s *starter) adjustConfirmCommand() *cobra.Command {
	var merchant, who string
	cmd := &cobra.Command{
		Use:   "confirm REF",
		Short: "Book what another person has proposed",
		Long: `Books an adjustment that another person has proposed, once. Look at it first, with its
proof: starter adjust list. Whoever proposed it is refused with SAME_PERSON.

--json: {"adjustment"}, as of starter adjust propose.`,
		Example:           `  starter adjust confirm TOPUP-7 --merchant M1700000001 --by dana`,
		Args:              commandline.Exactly("reference"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := s.adjustmentKey(merchant, args[0])
			if err != nil {
				return err
			}
			return s.adjust(func(service useCases) (payouts.Adjustment, error) {
				return service.ConfirmAdjustment(cmd.Context(), s.by(who), key)
			})
		},
	}
	s.addMerchant(cmd, &merchant)
	s.addBy(cmd, &who)
	return cmd
}

func (s *starter) adjustRejectCommand() *cobra.Command {
	var merchant string
	var who actor
	cmd := &cobra.Command{
		Use:   "reject REF --why WHY",
		Short: "End an adjustment without booking it",
		Long: `Ends an adjustment without booking it. Whoever proposed it may do so, too. The
reference stays taken.

--json: {"adjustment"}, as of starter adjust propose.`,
		Example:           `  starter adjust reject TOPUP-7 --merchant M1700000001 --why "the slip is of another account" --by dana`,
		Args:              commandline.Exactly("reference"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := s.adjustmentKey(merchant, args[0])
			if err != nil {
				return err
			}
			return s.adjust(func(service useCases) (payouts.Adjustment, error) {
				return service.RejectAdjustment(cmd.Context(), s.by(who.by), key, who.why)
			})
		},
	}
	s.addMerchant(cmd, &merchant)
	s.addActor(cmd, &who, "why, in a sentence")
	return cmd
}

// adjust does an action on an adjustment and prints the adjustment afterwards.
func (s *starter) adjust(do func(useCases) (payouts.Adjustment, error)) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	record, err := do(service)
	if err != nil {
		return err
	}
	s.show(adjustmentDocument{record}, func(w io.Writer) { s.writeAdjustment(w, record) })
	return nil
}

func (s *starter) writeAdjustment(w io.Writer, a payouts.Adjustment) {
	if a.Repeated {
		writeRepeated(w, a)
	}
	at := shellWord(a.Ref) + " --merchant " + shellWord(a.Merchant)
	facts := []fact{
		{"state", string(a.State)}, {"amount", amountText(a.Amount)}, {"proposed by", a.By}, {"proposed at", moment(a.ProposedAt)}, {"why", a.Why}, {"evidence", a.Evidence},
		{"decided by", a.DecidedBy}, {"decided at", moment(a.DecidedAt)}, {"decided why", a.DecidedWhy},
	}
	if a.State == payouts.AdjustmentProposed {
		facts = append(facts, fact{"next", "nothing is booked: another person than " + a.By + " must confirm it"}, fact{"with", "starter adjust confirm " + at})
	}
	describe(w, string(a.Kind)+" "+a.Merchant+"/"+a.Ref, facts)
}

// writeRepeated prints that an action on an adjustment was done before.
func writeRepeated(w io.Writer, a payouts.Adjustment) {
	by, at := a.DecidedBy, a.DecidedAt
	if a.State == payouts.AdjustmentProposed {
		by, at = a.By, a.ProposedAt
	}
	printf(w, "%s\n", printable("nothing was done now: the adjustment was "+string(a.State)+" before, at "+moment(at)+", by "+by))
}
