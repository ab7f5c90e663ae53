package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Approve approves an order that waits for a second person. The fingerprint, or
// its first eight digits, identifies the approved content.
func (s *Service) Approve(ctx context.Context, actor Actor, key order.Key, fingerprint, why string) (Order, error) {
	return s.do(ctx, actor, key, order.Approval{ID: actor.actionID(), By: actor.Name, Fingerprint: fingerprint, Why: why})
}
