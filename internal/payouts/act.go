package payouts

import (
	"cmp"
	"context"

	"github.com/google/uuid"

	"github.com/tarspay-payouts/orchestrator/order"
)

// The ledger decides whether an action on an order is allowed, and records it in
// the same transaction. So an action without an actor or a reason is sent too: the
// ledger refuses it, and the audit has the attempt. Only actions that cannot be
// sent at all are refused here.

// target is the order of an action, as far as it is known.
type target struct {
	view  order.View
	found bool // the ledger or Temporal has it; else kind and country are guesses
}

// act does an action on an order in any state. It returns the order afterwards,
// and whether a workflow drives it. action makes the action for the order that was
// found.
func (s *Service) act(ctx context.Context, actor Actor, key order.Key, action func(target) (order.Action, error)) (
	answer Order, driven bool, err error,
) {
	if err := CheckKey(key); err != nil {
		return Order{}, false, err
	}
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return Order{}, false, err
	}
	at, err := s.target(ctx, orders, key)
	if err != nil {
		return Order{}, false, err
	}
	todo, err := action(at)
	if err == nil {
		todo, err = s.signed(actor, todo, at)
	}
	if err != nil {
		return Order{}, false, err
	}
	acting, cancel := within(ctx, callTime)
	defer cancel()
	view, err := orders.Act(acting, key, todo)
	if err != nil {
		return Order{}, false, late(acting, err, "order %s did not answer; it may still do as told: look with %s. Does a worker run?", key, s.parts.Ask(UseStatus, key))
	}
	if view.Fingerprint != "" {
		answer, err = s.preferLedger(ctx, Order{Order: view, Source: FromWorkflow})
		return answer, true, err
	}
	return Order{Order: s.undrivenView(at, view.Standing), Source: FromLedger}, false, nil
}

// do is act for an action that does not depend on the order.
func (s *Service) do(ctx context.Context, actor Actor, key order.Key, action order.Action) (Order, error) {
	answer, _, err := s.act(ctx, actor, key, func(target) (order.Action, error) { return action, nil })
	return answer, err
}

// undrivenView returns the order as the ledger has it, because no workflow drives
// it.
func (s *Service) undrivenView(at target, standing order.Standing) order.View {
	view := at.view
	view.Standing = standing
	if !at.found {
		view.Kind, view.Country = "", ""
	}
	if standing.State.Terminal() {
		view.Next = s.afterEnd(view)
	} else {
		view.Next = "Nothing: no workflow drives the order. Let one go on with it: " + s.parts.Ask(UseAdopt, view.Key())
	}
	return view
}

// target looks for an order in the ledger, then in Temporal. It returns an unknown
// order too, so that the attempt is audited.
func (s *Service) target(ctx context.Context, orders Orders, key order.Key) (target, error) {
	known := s.record(ctx, key)
	if known.found {
		return target{view: known.answer().Order, found: true}, nil
	}
	row, err := find(ctx, orders, key)
	if err == nil {
		return target{view: rowView(row), found: true}, nil
	}
	if order.CodeOf(err) != order.CodeOrderNotFound {
		return target{}, err
	}
	return target{view: order.View{
		Kind: order.Withdrawal, Merchant: key.Merchant, Number: key.Number, Country: s.parts.Merchants.Countries()[key.Merchant],
	}}, known.err
}

// actionID returns the id of an action of the actor.
func (a Actor) actionID() string { return cmp.Or(a.ActionID, NewActionID()) }

// NewActionID returns an idempotency key, so that an action that arrives twice is
// done once.
func NewActionID() string { return uuid.NewString() }
