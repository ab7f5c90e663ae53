package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Approve lets an order go ahead that waits for a second person. The fingerprint, or its
// first eight digits, says what is approved.
func (s *Service) Approve(ctx context.Context, actor Actor, key order.Key, fingerprint, why string) (Order, error) {
	return s.do(ctx, key, order.Approval{ID: once(), By: actor.Name, Fingerprint: fingerprint, Why: why})
}
