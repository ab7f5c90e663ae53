package payouts

import (
	"context"

	"github.com/google/uuid"

	"github.com/tarspay-payouts/orchestrator/order"
)

// What every action on an order has in common. The ledger decides whether it may be done,
// in the transaction that does it and writes it down: nothing is refused here that the
// audit should know of, not even an action that does not say who acts, or why. Only what
// cannot be sent at all stops here.

// target is the order that something is done to, as far as it is known.
type target struct {
	view  order.View
	found bool // somebody knows it; else the kind and the country are guesses
}

// act does an action to an order, in whatever state it is, and says how it stands then,
// and whether a workflow drives it. action makes the action for the order that was found.
func (s *Service) act(ctx context.Context, key order.Key, action func(target) (order.Action, error)) (answer Order, driven bool, err error) {
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
		answer, err = s.decided(ctx, Order{Order: view, Source: FromWorkflow})
		return answer, true, err
	}
	return Order{Order: s.stands(at, view.Standing), Source: FromLedger}, false, nil
}

// do is act for an action that needs nothing of the order.
func (s *Service) do(ctx context.Context, key order.Key, action order.Action) (Order, error) {
	answer, _, err := s.act(ctx, key, func(target) (order.Action, error) { return action, nil })
	return answer, err
}

// stands is the order as the ledger says, because no workflow drives it.
func (s *Service) stands(at target, standing order.Standing) order.View {
	view := at.view
	view.Standing = standing
	view.Next = orderEnded
	if !at.found {
		view.Kind, view.Country = "", ""
	}
	if !standing.State.Terminal() {
		view.Next = "Nothing: no workflow drives the order. Let one go on with it: " + s.parts.Ask(UseAdopt, view.Key())
	}
	return view
}

// target looks for an order wherever one may be known, in the ledger first. An order that
// nobody knows is a target, too: whoever tries to do something to it leaves a trace.
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

// once returns an idempotency key: an action that is heard twice is done once.
func once() string { return uuid.NewString() }
