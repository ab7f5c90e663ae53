package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Note adds a remark to the audit of an order in any state.
func (s *Service) Note(ctx context.Context, actor Actor, key order.Key, text string) (Order, error) {
	return s.do(ctx, actor, key, order.Note{ID: NewActionID(), By: actor.Name, Text: text})
}
