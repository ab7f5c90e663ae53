package sandbox

import (
	"errors"
	"fmt"
)

// Fund moves a merchant's own money: into its available balance, or with out
// set from there to its bank. The amount is in the country's ISO currency.
// Money that comes in is told nowhere but in the balance; the pages know no
// record of it. What is there after it is returned.
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
	return a.snapshot(), nil
}

// fund sets what has come in and gone out by Fund, all together.
func (a *account) fund(total int64) {
	a.available += total - a.funded
	a.funded = total
}
