package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Poll makes an order ask the gateway at once. WORKFLOW_MISSING says that no workflow
// drives the order: nobody asks until it is adopted.
func (s *Service) Poll(ctx context.Context, actor Actor, key order.Key) (Order, error) {
	answer, driven, err := s.act(ctx, key, func(target) (order.Action, error) {
		return order.Poll{ID: once(), By: actor.Name}, nil
	})
	if err == nil && !driven { // it is on record, and that is all
		err = order.Refuse(order.DiscrepancyOrphan, "no workflow drives order %s, which is %s: nobody asks; let one go on with it: %s",
			key, answer.Order.State, s.parts.Ask(UseAdopt, key))
	}
	return answer, err
}
