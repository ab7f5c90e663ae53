package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Restore is the mark that an older copy of the ledger was restored.
type Restore = ledger.Restore

// EndRestore ends the mark of `worker restored` for orders that are opened from now
// on. Only that command sets the mark, because it must be set before a worker runs.
func (s *Service) EndRestore(ctx context.Context, actor Actor, why string) (Restore, error) {
	return actOnBooks[Restore](ctx, s, UseAudit, order.Key{}, order.BookAction{Who: who(actor, why), EndRestore: &order.Installation{}})
}
