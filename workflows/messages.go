package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/order"
)

// handleMessages sets the handlers that every order has. An operator's action
// is decided in the ledger, in the transaction that acts and audits; a refusal
// is audited too, so no validator stands in its way.
func (p *payout) handleMessages(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, OrderQuery, func() (order.View, error) { return p.view(), nil }); err != nil {
		return err
	}
	for _, message := range []struct {
		name, description string
		handle            any
	}{
		{ApproveUpdate, "Let the order go ahead, as a second person.", func(ctx workflow.Context, a order.Approval) (order.View, error) {
			return p.act(ctx, ApproveUpdate, activities.Action{Approve: &a})
		}},
		{RejectUpdate, "End an order that waits for a second person.", func(ctx workflow.Context, r order.Rejection) (order.View, error) {
			return p.act(ctx, RejectUpdate, activities.Action{Reject: &r})
		}},
		{CancelUpdate, "Withdraw the order before anything is sent.", func(ctx workflow.Context, c order.Cancellation) (order.View, error) {
			return p.act(ctx, CancelUpdate, activities.Action{Cancel: &c})
		}},
		{ResolveUpdate, "End an order in review, with evidence.", func(ctx workflow.Context, r order.Resolution) (order.View, error) {
			return p.act(ctx, ResolveUpdate, activities.Action{Resolve: &r})
		}},
		{NoteUpdate, "Add a remark to the order's audit.", func(ctx workflow.Context, n order.Note) (order.View, error) {
			return p.act(ctx, NoteUpdate, activities.Action{Note: &n})
		}},
		{PollNowUpdate, "Ask the gateway about this order, or look for its funds, at once.", func(ctx workflow.Context, poll order.Poll) (order.View, error) {
			return p.act(ctx, PollNowUpdate, activities.Action{Poll: &poll})
		}},
	} {
		err := workflow.SetUpdateHandlerWithOptions(ctx, message.name, message.handle, workflow.UpdateHandlerOptions{Description: message.description})
		if err != nil {
			return err
		}
	}
	return nil
}

// act does what an operator asks, or says why not. The wake-up lets whatever
// the order waits for look again.
func (p *payout) act(ctx workflow.Context, summary string, action activities.Action) (order.View, error) {
	// The order is written down first: an action may come with the start.
	if err := workflow.Await(ctx, func() bool { return p.written }); err != nil {
		return order.View{}, err
	}
	// A reset delivers the updates of the history again, each under its own id.
	action = action.Marked("update " + workflow.GetCurrentUpdateInfo(ctx).ID)
	var acted activities.Acted
	err := workflow.ExecuteLocalActivity(forLedger(ctx, summary), books.Act, p.request.Key(), action).Get(ctx, &acted)
	if err != nil {
		return order.View{}, err
	}
	if acted.Refusal != nil {
		return order.View{}, refusal(&order.Refusal{Reason: *acted.Refusal})
	}
	before := p.standing.State
	p.stands(acted.Standing)
	moved := p.standing.State != before
	if action.Resolve != nil { // a note leaves what is proposed as it is
		p.proposed = acted.Pending
	}
	if action.Poll != nil && p.standing.State != order.AwaitingFunds { // those look for their funds when they are woken
		p.askNow = true
	}
	switch {
	case p.standing.State.Terminal():
		p.next = ended
	case p.proposed != "":
		p.next = p.review()
	case moved:
		p.next = "The order goes on."
	}
	p.wake.SendAsync(true)
	return p.view(), nil
}

// refusal carries a refusal's stable code to the caller as the error's type.
func refusal(err *order.Refusal) error {
	return temporal.NewApplicationErrorWithOptions(err.Error(), err.Code, temporal.ApplicationErrorOptions{NonRetryable: true})
}
