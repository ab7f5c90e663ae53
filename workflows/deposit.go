package workflows

import (
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Deposit takes money in: it sends the order, tells the caller how the payer pays,
// finds out the result and settles it. It completes with the order's view in every
// business outcome.
//
// The update "instructions", sent together with the start, answers as soon as
// the create has an outcome, so a caller gets the payment page in one round
// trip.
func Deposit(ctx workflow.Context, raw, from converter.RawValue) (order.View, error) {
	p, no := start(ctx, order.Deposit, raw, from)
	must(workflow.SetUpdateHandlerWithOptions(ctx, contract.InstructionsUpdate, p.instructions, workflow.UpdateHandlerOptions{
		Validator:   p.validateInstructions,
		Description: "Wait until the create has an outcome and return how the payer pays.",
	}))
	if no != nil {
		return p.refuse(ctx, raw)
	}
	return p.run(ctx)
}

// validateInstructions refuses a caller whose order differs in content from the
// running order of the same number.
func (p *payout) validateInstructions(raw converter.RawValue) error {
	var fingerprint string
	if err := read(raw, &fingerprint); err != nil {
		return refused(err)
	}
	if !rules.Unwritten(p.standing) && fingerprint != p.request.Fingerprint() {
		return refusal(rules.OtherContent(p.request.Key()))
	}
	return refused(p.busy())
}

// instructions returns when the create has an outcome, or when a reason is known
// why it has none yet.
func (p *payout) instructions(ctx workflow.Context, _ converter.RawValue) (order.View, error) {
	p.updates++
	known := func() bool {
		waits := p.standing.State == order.Created || p.standing.State == order.Submitting
		return !waits || p.standing.Reason.Code != "" && p.standing.Reason.Code != codes.BooksClosed
	}
	_ = workflow.Await(ctx, func() bool { return known() || p.leaving })
	p.wakeIf(ctx, false)
	if !known() {
		return order.View{}, refused(p.busy())
	}
	return p.view(), nil
}
