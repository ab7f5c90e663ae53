package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/order"
)

// actOnBooks has a worker execute an action that is not about one order, and returns
// what the action is about. The ledger decides and audits. Only actions that cannot
// be sent at all are refused here. look and key are the use case that shows whether it
// was done.
func actOnBooks[T any](ctx context.Context, s *Service, look UseCase, key order.Key, action order.BookAction) (record T, err error) {
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return record, err
	}
	acting, cancel := within(ctx, callTime)
	defer cancel()
	if action.ID == "" {
		action.ID = NewActionID()
	}
	err = orders.ActOnBooks(acting, action, &record)
	return record, late(acting, err, "nobody answered; it may still be done as told: look with %s. Does a worker run?", s.parts.Ask(look, key))
}

// who returns the actor with a reason.
func who(actor Actor, why string) order.Who { return order.Who{By: actor.Name, Why: why} }
