package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Note adds a remark to an order's audit, in whatever state the order is.
func (s *Service) Note(ctx context.Context, actor Actor, key order.Key, text string) (Order, error) {
	return s.do(ctx, key, order.Note{ID: once(), By: actor.Name, Text: text})
}
