package sandbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Fund moves a merchant's own money: into its available balance, or with out set from there to
// its bank. The amount is in the country's ISO currency. Money that goes out is in the history
// as the merchant's own withdrawal. Money that comes in shows only in the balance; no page has
// a record of it. Fund returns the merchant's new balances.
func (g *Gateway) Fund(merchant, amount string, out bool) (MerchantBook, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.book.accounts[merchant]
	if a == nil {
		return MerchantBook{}, fmt.Errorf("sandbox: there is no merchant %q", merchant)
	}
	moved, err := parseMoney(a.profile, amount)
	if err != nil {
		return MerchantBook{}, fmt.Errorf("sandbox: %w", err)
	}
	by := moved.Minor()
	switch {
	case by <= 0:
		return MerchantBook{}, errors.New("sandbox: the amount must be above zero")
	case out && by > a.available:
		return MerchantBook{}, fmt.Errorf("sandbox: only %s is available", a.text(a.available))
	case out:
		by = -by
	}
	if sum := a.available + by; sum > maxMinor {
		return MerchantBook{}, errors.New("sandbox: the balance would be beyond all bounds")
	}
	a.fund(a.funded + by)
	g.journal.write(record{Merchant: merchant, Funded: &a.funded})
	if out {
		t := taking{ID: g.book.nextID(g.clock.now()), At: g.clock.now(), Minor: -by}
		a.take(t)
		g.journal.write(record{Merchant: merchant, Taken: &t})
	}
	return a.snapshot(), nil
}

// taking is money that a merchant took out to its own bank.
type taking struct {
	ID    string    `json:"id"` // payOrderId
	At    time.Time `json:"at"`
	Minor int64     `json:"minor"` // of the country's currency
}

// take records a merchant's own withdrawal. The history lists it.
func (a *account) take(t taking) {
	a.taken = append(a.taken, t)
	sum := amount(t.Minor, a.zero)
	a.listed.update(&order{Order: Order{
		ID: t.ID, Merchant: a.Number, Direction: tarspay.Direction(tarspay.HistoryOwnWithdrawal), Amount: sum, Paid: sum, Fee: a.zero,
		State: tarspay.StateSucceeded, CreatedAt: t.At, PaidAt: []time.Time{t.At},
	}})
}

// fund sets the total of the changes by Fund.
func (a *account) fund(total int64) {
	a.available += total - a.funded
	a.funded = total
}
