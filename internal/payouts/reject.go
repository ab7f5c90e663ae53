package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Reject ends an order that waits for a second person. Whoever requested it may, too.
func (s *Service) Reject(ctx context.Context, actor Actor, key order.Key, why string) (Order, error) {
	return s.do(ctx, key, order.Rejection{ID: once(), By: actor.Name, Why: why})
}

// Cancel withdraws an order before anything is sent. ALREADY_SUBMITTED says that it is
// too late.
func (s *Service) Cancel(ctx context.Context, actor Actor, key order.Key, why string) (Order, error) {
	return s.do(ctx, key, order.Cancellation{ID: once(), By: actor.Name, Why: why})
}
