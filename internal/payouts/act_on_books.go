package payouts

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// actOnBooks has a worker execute an action that is not about one order, and returns
// what the action is about. The ledger decides and audits. Only actions that cannot
// be sent at all are refused here. look and key are the use case that shows whether it
// was done.
func actOnBooks[T any](ctx context.Context, s *Service, look UseCase, key order.Key, action order.BookAction) (record T, err error) {
	return actOnBooksFor[T](ctx, s, callTime, look, key, action)
}

// actOnBooksFor is actOnBooks for an action that takes longer.
func actOnBooksFor[T any](
	ctx context.Context, s *Service, patience time.Duration, look UseCase, key order.Key, action order.BookAction,
) (record T, err error) {
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return record, err
	}
	acting, cancel := within(ctx, patience)
	defer cancel()
	if action.ID == "" {
		action.ID = NewActionID()
	}
	err = orders.ActOnBooks(acting, action, &record)
	return record, late(acting, err, "nobody answered; it may still be done as told: look with %s. Does a worker run?", s.parts.Ask(look, key))
}

// who returns the actor with a reason.
func who(actor Actor, why string) order.Who { return order.Who{By: actor.Name, Why: why} }

// ActOnBooks has a worker execute an action that is not about one order and that somebody
// else has made, such as a caller of the api. It returns what the action is about.
func (s *Service) ActOnBooks(ctx context.Context, action order.BookAction) (json.RawMessage, error) {
	if refusal := action.Check(); refusal != nil {
		return nil, refusal
	}
	patience := callTime
	if action.CloseDay != nil {
		patience = readDayTime
	}
	return actOnBooksFor[json.RawMessage](ctx, s, patience, UseQueue, order.Key{}, action)
}
