package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// show sets the text of what happens next in the order's details. It updates the
// search attributes only when the state is one that an operator would search for,
// because each update costs an event and a billed action.
func (p *payout) show(ctx workflow.Context, next string) {
	p.next = next
	workflow.SetCurrentDetails(ctx, p.details())
	state, needs := p.standing.State, rules.NeedsPerson(p.standing) || p.retryReason.Code != ""
	released := p.shown == order.Scheduled && state != order.Scheduled
	if needs == p.flagged && !released && (state == p.shown || !needs && !worthSearching(state)) {
		return
	}
	p.shown, p.flagged = state, needs
	updates := []temporal.SearchAttributeUpdate{contract.AttributeState.ValueSet(string(state)), contract.AttributeNeedsReview.ValueSet(needs)}
	if p.standing.GatewayID != "" {
		updates = append(updates, contract.AttributeGatewayID.ValueSet(p.standing.GatewayID))
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Warn("Search attributes were not updated", "error", err)
	}
}

func worthSearching(state order.State) bool {
	switch state {
	case order.AwaitingApproval, order.Scheduled, order.AwaitingFunds, order.Unknown, order.InReview:
		return true
	case order.Created, order.Reserved, order.Submitting, order.Submitted:
		return false
	default:
		return state.Terminal()
	}
}

// details returns the text of the current-details pane of the Temporal UI, in
// markdown.
func (p *payout) details() string {
	text := fmt.Sprintf("**%s** — %s %s of %s\n\n", p.standing.State, p.request.Kind, p.request.Number, p.request.Amount)
	if p.standing.GatewayID != "" {
		text += fmt.Sprintf("Gateway order: `%s`\n\n", p.standing.GatewayID)
	}
	if p.retryReason.Code != "" {
		text += fmt.Sprintf("Held up: `%s`\n\n", p.retryReason.Code)
	}
	if p.standing.Reason.Code != "" {
		text += fmt.Sprintf("Reason: `%s` %s\n\n", p.standing.Reason.Code, p.standing.Reason.Text)
	}
	if p.cancelled == nil {
		text += "A cancellation of the workflow was requested. An order is not abandoned: it continues.\n\n"
	}
	// The UI cuts off the last line of the pane, so an empty one is added.
	return text + "Next: " + p.next + "\n\n\u00a0"
}
