package payouts

import (
	"context"
	"errors"
	"slices"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Balance is a merchant's money in one currency.
type Balance struct {
	Merchant string                          `json:"merchant"`
	Currency string                          `json:"currency"`
	Accounts map[ledger.Account]money.Amount `json:"accounts"`
	Snapshot *order.Snapshot                 `json:"snapshot,omitempty"` // the latest comparison with the gateway; absent before the first
}

// Balances returns the accounts of merchants in the ledger. No merchant means all
// configured merchants. unopened lists merchants without accounts. A merchant's
// first order or reconciliation opens its accounts.
func (s *Service) Balances(ctx context.Context, _ Actor, merchants []string) (balances []Balance, unopened []string, err error) {
	if len(merchants) == 0 {
		merchants = s.parts.Merchants.Numbers()
	}
	if len(merchants) == 0 {
		return nil, nil, merchantNeeded("PAYOUTS_MERCHANTS is not set")
	}
	balances = []Balance{}
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		for _, merchant := range merchants {
			found, err := balancesOf(ctx, l, merchant, s.currenciesOf(merchant))
			if err != nil {
				return err
			}
			if len(found) == 0 {
				if err := s.checkMerchant(ctx, l, merchant); err != nil {
					return err
				}
				unopened = append(unopened, merchant)
			}
			balances = append(balances, found...)
		}
		return nil
	})
	return balances, unopened, err
}

func balancesOf(ctx context.Context, l Ledger, merchant string, currencies []string) ([]Balance, error) {
	snapshots, err := l.Snapshots(ctx, merchant, len(currencies))
	if err != nil {
		return nil, err
	}
	var found []Balance
	for _, currency := range currencies {
		accounts, err := l.Balances(ctx, merchant, currency)
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		b := Balance{Merchant: merchant, Currency: currency, Accounts: accounts}
		latest := slices.IndexFunc(snapshots, func(s order.Snapshot) bool { return s.Currency == currency })
		if latest >= 0 {
			b.Snapshot = &snapshots[latest]
		}
		found = append(found, b)
	}
	return found, nil
}

// currenciesOf returns the currency of the merchant's country if the merchant is
// configured, else all currencies. The gateway gives each merchant number one
// country, which may be configured for the worker only.
func (s *Service) currenciesOf(merchant string) []string {
	if profile, known := tarspay.Country(s.parts.Merchants.Countries()[merchant]); known {
		return []string{profile.Currency}
	}
	var currencies []string
	for _, profile := range tarspay.Countries() {
		currencies = append(currencies, profile.Currency)
	}
	slices.Sort(currencies)
	return slices.Compact(currencies)
}

// Accounts lists the accounts of a Balance.
func Accounts() []ledger.Account { return ledger.Accounts() }
