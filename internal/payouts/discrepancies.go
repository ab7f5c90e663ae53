package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Discrepancy is a difference between the ledger and the gateway.
type Discrepancy = ledger.Discrepancy

// DiscrepancyFilter selects discrepancies of a listing.
type DiscrepancyFilter = ledger.DiscrepancyFilter

// DiscrepancyPage is a page of discrepancies, the newest first.
type DiscrepancyPage struct {
	Discrepancies []Discrepancy `json:"discrepancies"`
	More          bool          `json:"more"` // there are more than the limit
}

// Discrepancies lists differences between the ledger and the gateway, the newest
// first.
func (s *Service) Discrepancies(ctx context.Context, _ Actor, filter DiscrepancyFilter) (found DiscrepancyPage, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		found.Discrepancies, found.More, err = page(filter.Limit, func(limit int) ([]Discrepancy, error) {
			filter.Limit = limit
			return l.Discrepancies(ctx, filter)
		})
		if err == nil && len(found.Discrepancies) == 0 {
			err = s.checkMerchant(ctx, l, filter.Merchant)
		}
		return err
	})
	return found, err
}

// CloseDiscrepancy closes a discrepancy that a person has dealt with, and returns
// it. It changes nothing else. The error is DISCREPANCY_NOT_FOUND if there is no
// discrepancy with the id.
func (s *Service) CloseDiscrepancy(ctx context.Context, actor Actor, id int64, why string) (Discrepancy, error) {
	return actOnBooks[Discrepancy](ctx, s, UseDiscrepancies, order.Key{}, order.BookAction{
		Who: who(actor, why), CloseDiscrepancy: &order.DiscrepancyRef{Discrepancy: id},
	})
}
