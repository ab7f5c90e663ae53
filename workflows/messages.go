package workflows

import (
	"errors"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// readUpdate decodes an update's argument strictly, as an action of the type.
func readUpdate(t order.ActionType, raw converter.RawValue) (order.Action, error) {
	data, err := inputJSON(raw)
	if err != nil {
		return nil, err
	}
	action, err := t.Read(data)
	if err != nil {
		return nil, err
	}
	if refusal := order.CheckTexts(action); refusal != nil {
		return action, refusal
	}
	return action, nil
}

// handleMessages sets the query and update handlers that every order has. The
// ledger decides about an operator's action, in the transaction that executes and
// audits it; it audits a refusal, too. A validator refuses only input that is no
// action, before Temporal writes it to the history.
//
// After an action the order's coroutine is woken.
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
			view, err := p.act(uncancelled(ctx), action)
			p.wakeIf(ctx, err == nil)
			return view, err
		}, workflow.UpdateHandlerOptions{
			Description: t.Update,
			Validator: func(raw converter.RawValue) error {
				action, err := readUpdate(t, raw)
				if err == nil {
					err = errors.Join(p.busy(), p.checkRepeated(action))
				}
				return refused(err)
			},
		}))
	}
}

// busy refuses a message while the order continues as a new run.
func (p *payout) busy() error {
	if !p.leaving {
		return nil
	}
	return order.Refuse(order.CodeOrderBusy, "order %s is moving to a new run; ask again in a moment", p.request.Number)
}

// must panics on an error that only a programming error causes. Temporal retries
// the workflow task until a corrected worker runs it; no order fails.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// mustDecrypt panics if this worker lacks the key of a payload that another worker
// could read. Temporal retries the workflow task until a worker has the key. A
// payload that no worker can read is refused before.
func mustDecrypt(raw converter.RawValue) {
	if payload := raw.Payload(); payload != nil && contract.Encrypted(payload) {
		panic(contract.Missing(payload))
	}
}

// uncancelled returns a context for an action, because a cancellation of the workflow takes
// no order from the operators. A run that refused an action after a cancellation, before
// this version, goes on refusing: it replays what it did.
func uncancelled(ctx workflow.Context) workflow.Context {
	if ctx.Err() != nil && workflow.GetVersion(ctx, "actions after a cancellation", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return ctx
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	return ctx
}

// act executes an operator's action, or returns why it was refused.
func (p *payout) act(ctx workflow.Context, action order.Action) (order.View, error) {
	// Wait until the ledger has the order: an action may come with the start.
	_ = workflow.Await(ctx, func() bool { return p.written || p.leaving })
	if err := p.busy(); err != nil {
		return order.View{}, refused(err)
	}
	// A reset delivers the updates of the history again, with their ids. The
	// ledger executes an id once.
	action = order.Marked(action, "update "+workflow.GetCurrentUpdateInfo(ctx).ID)
	var acted contract.Acted
	if workflow.ExecuteLocalActivity(forAction(ctx, action.Name()), books.Act, p.request.Key(), contract.Action{Action: action}).Get(ctx, &acted) != nil {
		return order.View{}, refusal(order.Refuse(codes.LedgerAway,
			"the ledger does not answer; it is not known whether the action was executed: look at the order, or ask again"))
	}
	if acted.Refusal != nil {
		p.countRefusal(action, *acted.Refusal)
		if acted.Refusal.Code == order.CodeAlreadySubmitted && rules.Uncleared(p.standing.State) { // the gateway has to be asked first
			p.mustAskFirst = true
			p.wake.SendAsync(true)
		}
		return order.View{}, refusal(&order.Refusal{Reason: *acted.Refusal})
	}
	before := p.standing.State
	p.store(acted.Standing)
	moved := p.standing.State != before
	plain, _ := order.Plain(action)
	switch plain.(type) {
	case order.Resolution: // a note does not change the proposal
		p.proposed, p.outcome = acted.Pending, acted.Outcome
	case order.Poll: // the ledger woke an order that waits for funds: it checks the balance itself
		p.askNow = p.askNow || p.standing.State != order.AwaitingFunds
	}
	switch {
	case p.standing.State.Terminal():
		p.next = ended
	case p.proposed != "":
		p.next = p.review()
	case moved:
		p.next = "The order continues."
	}
	return p.view(), nil
}

// refusal returns an application error whose type is the refusal's stable code.
func refusal(err *order.Refusal) error {
	return temporal.NewApplicationErrorWithOptions(err.Error(), err.Code, temporal.ApplicationErrorOptions{NonRetryable: true})
}

// refused does the same if the error is an *order.Refusal; it returns other errors
// and nil unchanged.
func refused(err error) error {
	var no *order.Refusal
	if errors.As(err, &no) {
		return refusal(no)
	}
	return err
}
