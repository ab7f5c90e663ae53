package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Erased is an order whose personal data was erased.
type Erased = ledger.ErasedOrder

// Erase destroys the keys of an order's personal data. The codes are those of
// ledger.EraseOrder.
func (s *Service) Erase(ctx context.Context, actor Actor, key order.Key, why string) (Erased, error) {
	acting, err := s.whoSigns(actor, why, envelope.ActionErase, func(who order.Who) envelope.Envelope {
		return envelope.Erase(who, key, actor.Signing.Origin, s.parts.Now(), signedLife)
	})
	if err != nil {
		return Erased{}, err
	}
	return actOnBooks[Erased](ctx, s, UseStatus, key, order.BookAction{Who: acting, Erase: &key})
}
