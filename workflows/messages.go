package workflows

import (
	"errors"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// readUpdate reads an update's argument, strictly, as an action of the type.
func readUpdate(t order.ActionType, raw converter.RawValue) (order.Action, error) {
	data, err := plain(raw)
	if err != nil {
		return nil, err
	}
	action, err := t.Read(data)
	if err != nil {
		return nil, err
	}
	if refusal := action.TooLong(); refusal != nil {
		return action, refusal
	}
	return action, nil
}

// handleMessages sets the handlers that every order has. An operator's action
// is decided in the ledger, in the transaction that acts and audits; a refusal
// is audited too. A validator refuses only what is no action at all, before
// Temporal writes it down.
//
// Afterwards whatever the order waits for looks again.
func (p *payout) handleMessages(ctx workflow.Context) {
	must(workflow.SetQueryHandler(ctx, contract.OrderQuery, func() (order.View, error) { return p.view(), nil }))
	for _, t := range order.ActionTypes {
		if t.Update == "" {
			continue
		}
		must(workflow.SetUpdateHandlerWithOptions(ctx, t.Name, func(ctx workflow.Context, raw converter.RawValue) (order.View, error) {
			mustDecrypt(raw)
			action, err := readUpdate(t, raw)
			if err != nil {
				return order.View{}, refused(err)
			}
			p.updates++
			view, err := p.act(ctx, action)
			p.rouse(ctx, err == nil)
			return view, err
		}, workflow.UpdateHandlerOptions{
			Description: t.Update,
			Validator: func(raw converter.RawValue) error {
				action, err := readUpdate(t, raw)
				if err == nil {
					err = errors.Join(p.busy(), p.insists(action))
				}
				return refused(err)
			},
		}))
	}
}

// busy refuses a message that comes while the order turns over to a new run.
func (p *payout) busy() error {
	if !p.leaving {
		return nil
	}
	return order.Refuse(order.CodeOrderBusy, "order %s is just being handed on; ask again in a moment", p.request.Number)
}

// must is for what only a mistake of ours can break: the worker is told again and
// again until it is mended, and no order fails of it.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// mustDecrypt stops a worker that has not the key to what another worker could
// read, and went by: it is told again, and goes on once it has the key. What
// nobody could read never comes so far.
func mustDecrypt(raw converter.RawValue) {
	if payload := raw.Payload(); payload != nil && contract.Encrypted(payload) {
		panic(contract.Missing(payload))
	}
}

// act does what an operator asks, or says why not.
func (p *payout) act(ctx workflow.Context, action order.Action) (order.View, error) {
	// The order is written down first: an action may come with the start.
	_ = workflow.Await(ctx, func() bool { return p.written || p.leaving })
	if err := p.busy(); err != nil {
		return order.View{}, refused(err)
	}
	// A reset delivers the updates of the history again, each under its own id.
	action = order.Marked(action, "update "+workflow.GetCurrentUpdateInfo(ctx).ID)
	var acted contract.Acted
	if workflow.ExecuteLocalActivity(forAction(ctx, action.Name()), books.Act, p.request.Key(), contract.Action{Action: action}).Get(ctx, &acted) != nil {
		return order.View{}, refusal(order.Refuse(order.CodeLedgerAway,
			"the ledger does not answer; whether it was done is not known: look at the order, or ask again"))
	}
	if acted.Refusal != nil {
		p.remember(action, *acted.Refusal)
		if acted.Refusal.Code == order.CodeAlreadySubmitted && p.standing.State.Uncleared() { // the gateway was not asked
			p.unasked = true
			p.wake.SendAsync(true)
		}
		return order.View{}, refusal(&order.Refusal{Reason: *acted.Refusal})
	}
	before := p.standing.State
	p.stands(acted.Standing)
	moved := p.standing.State != before
	switch action.(type) {
	case order.Resolution: // a note leaves what is proposed as it is
		p.proposed = acted.Pending
	case order.Poll: // orders that wait for funds look for them when they are woken
		p.askNow = p.askNow || p.standing.State != order.AwaitingFunds
	}
	switch {
	case p.standing.State.Terminal():
		p.next = ended
	case p.proposed != "":
		p.next = p.review()
	case moved:
		p.next = "The order goes on."
	}
	return p.view(), nil
}

// refusal carries a refusal's stable code to the caller as the error's type.
func refusal(err *order.Refusal) error {
	return temporal.NewApplicationErrorWithOptions(err.Error(), err.Code, temporal.ApplicationErrorOptions{NonRetryable: true})
}

// refused does the same for an error that is a refusal, or nil.
func refused(err error) error {
	var no *order.Refusal
	if errors.As(err, &no) {
		return refusal(no)
	}
	return err
}
