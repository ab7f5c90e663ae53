package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Reject ends an order that waits for a second person. Its requester may reject it
// too.
func (s *Service) Reject(ctx context.Context, actor Actor, key order.Key, why string) (Order, error) {
	return s.do(ctx, actor, key, order.Rejection{ID: actor.actionID(), By: actor.Name, Why: why})
}

// Cancel withdraws an order before anything is sent. The error is
// ALREADY_SUBMITTED if a create may have been sent.
func (s *Service) Cancel(ctx context.Context, actor Actor, key order.Key, why string) (Order, error) {
	return s.do(ctx, actor, key, order.Cancellation{ID: NewActionID(), By: actor.Name, Why: why})
}
