package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Poll makes an order ask the gateway at once. The error is WORKFLOW_MISSING if no
// workflow drives the order. Then the gateway is not asked until the order is
// adopted.
func (s *Service) Poll(ctx context.Context, actor Actor, key order.Key) (Order, error) {
	answer, driven, err := s.act(ctx, actor, key, func(target) (order.Action, error) {
		return order.Poll{ID: NewActionID(), By: actor.Name}, nil
	})
	if err == nil && !driven { // the request is audited, but no workflow asks the gateway
		err = order.Refuse(codes.DiscrepancyOrphan, "no workflow drives order %s, which is %s: nobody asks; let one go on with it: %s",
			key, answer.Order.State, s.parts.Ask(UseAdopt, key))
	}
	return answer, err
}
