package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Restore is the mark that an older copy of the ledger was restored.
type Restore = ledger.Restore

// MarkRestored records that an older copy of the ledger was restored: the next create of
// every open order, and of every order opened from now on, asks the gateway first.
func (s *Service) MarkRestored(ctx context.Context, actor Actor, why string) (Restore, error) {
	return decide(ctx, s, func(ctx context.Context, l Ledger) (Restore, *order.Refusal, error) {
		return l.MarkRestored(ctx, actor.Name, why)
	})
}

// EndRestore ends the mark of MarkRestored for orders that are opened from now on.
func (s *Service) EndRestore(ctx context.Context, actor Actor, why string) (Restore, error) {
	return decide(ctx, s, func(ctx context.Context, l Ledger) (Restore, *order.Refusal, error) {
		return l.EndRestore(ctx, actor.Name, why)
	})
}
