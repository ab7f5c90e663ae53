package payouts

import (
	"context"
	"slices"

	"github.com/tarspay-payouts/orchestrator/order"
)

// checkMerchant returns UNKNOWN_MERCHANT for a merchant that neither the settings nor
// the ledger know. It is often a mistyped number.
func (s *Service) checkMerchant(ctx context.Context, l Ledger, merchant string) error {
	if merchant == "" || slices.Contains(s.parts.Merchants.Numbers(), merchant) {
		return nil
	}
	known, err := l.HasMerchant(ctx, merchant)
	if err != nil || known {
		return err
	}
	return unknownMerchant(merchant)
}

func unknownMerchant(merchant string) *order.Refusal {
	return order.Refuse(order.CodeUnknownMerchant,
		"merchant %s is not known: neither the settings nor the ledger have it; correct the number, or add it to PAYOUTS_MERCHANTS of a worker", merchant)
}

// checkMerchants is checkMerchant for what is done by a worker. Without an answer of
// the ledger here, the worker's report says which merchants are unknown.
func (s *Service) checkMerchants(ctx context.Context, merchants []string) error {
	configured := s.parts.Merchants.Numbers()
	if !slices.ContainsFunc(merchants, func(m string) bool { return !slices.Contains(configured, m) }) {
		return nil
	}
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		for _, merchant := range merchants {
			if err := s.checkMerchant(ctx, l, merchant); err != nil {
				return err
			}
		}
		return nil
	})
	if order.CodeOf(err) == order.CodeUnknownMerchant {
		return err
	}
	return nil
}
