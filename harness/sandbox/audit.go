package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Book is a copy of the gateway's records.
type Book struct {
	Now       time.Time      `json:"now"`
	Merchants []MerchantBook `json:"merchants"`
	Orders    []Order        `json:"orders"` // in the order of booking
	// Unbooked are order numbers whose creates booked no order.
	Unbooked []Unbooked `json:"unbooked,omitempty"`
}

// MerchantBook is the records of one merchant.
type MerchantBook struct {
	Merchant  string       `json:"merchant"`
	Country   string       `json:"country"`
	Opening   money.Amount `json:"opening"`
	Funded    money.Amount `json:"funded"` // sum of the changes by Fund since opening
	Available money.Amount `json:"available"`
	Frozen    money.Amount `json:"frozen"`
	Orders    int          `json:"orders"`
	Switches  []string     `json:"switches,omitempty"` // switches that are on
}

// Unbooked is an order number of creates that booked no order.
type Unbooked struct {
	Merchant        string `json:"merchant"`
	Number          string `json:"number"`
	CreatesReceived int    `json:"creates_received"`
}

// Book returns a copy of the records.
func (g *Gateway) Book() Book {
	g.mu.Lock()
	defer g.mu.Unlock()
	copied := Book{Now: g.clock.now(), Orders: make([]Order, 0, len(g.book.orders))}
	count := make(map[string]int)
	for _, o := range g.book.orders {
		copied.Orders = append(copied.Orders, g.book.snapshot(o))
		count[o.Merchant]++
	}
	for _, a := range g.book.accounts {
		m := a.snapshot()
		m.Orders = count[a.Number]
		copied.Merchants = append(copied.Merchants, m)
	}
	slices.SortFunc(copied.Merchants, func(a, b MerchantBook) int { return cmp.Compare(a.Merchant, b.Merchant) })
	for k, t := range g.book.tries {
		if t.Creates > 0 && t.Booked == 0 {
			copied.Unbooked = append(copied.Unbooked, Unbooked{k.merchant, k.number, t.Creates})
		}
	}
	slices.SortFunc(copied.Unbooked, func(a, b Unbooked) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Number, b.Number))
	})
	return copied
}

func (a *account) snapshot() MerchantBook {
	m := MerchantBook{
		Merchant: a.Number, Country: a.Country, Opening: amount(a.opening, a.zero), Funded: amount(a.funded, a.zero),
		Available: amount(a.available, a.zero), Frozen: amount(a.frozen, a.zero),
	}
	for name, on := range a.switches {
		if on {
			m.Switches = append(m.Switches, name)
		}
	}
	slices.Sort(m.Switches)
	return m
}

// Orders returns the orders of a number. There can be several if the switch
// no-duplicate-guard is on.
func (g *Gateway) Orders(merchant, number string) []Order {
	g.mu.Lock()
	defer g.mu.Unlock()
	var copied []Order
	for _, o := range g.book.byNumber[key{merchant, number}] {
		copied = append(copied, g.book.snapshot(o))
	}
	return copied
}

// Order returns the first order of a number, or ErrNoOrder.
func (g *Gateway) Order(merchant, number string) (Order, error) {
	if found := g.Orders(merchant, number); len(found) > 0 {
		return found[0], nil
	}
	return Order{}, ErrNoOrder
}

// Audit is the result of checking all records.
type Audit struct {
	Orders int `json:"orders"`
	Open   int `json:"open"` // orders that have not ended
	// DoublePayments counts payments of withdrawals after the first under the same
	// order number.
	DoublePayments int `json:"double_payments"`
	// Doubles lists their numbers as "merchant/number", at most a hundred.
	Doubles []string `json:"doubles,omitempty"`
	// Problems are wrong sums, at most a hundred. They are bugs of the sandbox.
	Problems []string `json:"problems,omitempty"`
	// CallbacksUnheard counts genuine callbacks that were never answered OK and
	// are no longer sent.
	CallbacksUnheard int `json:"callbacks_unheard"`
}

// maxFindings is the maximum length of the lists of an Audit.
const maxFindings = 100

// Audit counts double payments, and recomputes every sum from the orders.
func (g *Gateway) Audit() Audit {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := Audit{Orders: len(g.book.orders)}
	sums := make(map[string]effect)
	paid := make(map[key]int)
	for _, o := range g.book.orders {
		if o.open() {
			a.Open++
		}
		e, s := o.effect(), sums[o.Merchant]
		sums[o.Merchant] = effect{s.available + e.available, s.frozen + e.frozen}
		if moved := o.moved(); moved != e {
			a.problem("order %s: the sum of its movements is %v, and by its state it must be %v", o.ID, moved, e)
		}
		if o.Direction == tarspay.DirectionWithdrawal {
			paid[o.key()] += len(o.PaidAt)
		}
		for _, d := range o.Deliveries {
			if d.Falsehood == "" && d.Over && !d.Heard {
				a.CallbacksUnheard++
			}
		}
	}
	for k, times := range paid {
		if times > 1 {
			a.DoublePayments += times - 1
			a.Doubles = append(a.Doubles, k.merchant+"/"+k.number)
		}
	}
	slices.Sort(a.Doubles)
	a.Doubles = a.Doubles[:min(len(a.Doubles), maxFindings)]
	for _, m := range g.book.accounts {
		want := effect{m.opening + m.funded + sums[m.Number].available, sums[m.Number].frozen}
		if got := (effect{m.available, m.frozen}); got != want {
			a.problem("merchant %s: its balance is %v, and by its orders and funds it must be %v", m.Number, got, want)
		}
	}
	return a
}

func (a *Audit) problem(format string, values ...any) {
	if len(a.Problems) < maxFindings {
		a.Problems = append(a.Problems, fmt.Sprintf(format, values...))
	}
}

// moved returns the sum of an order's movements.
func (o *order) moved() effect {
	var sum effect
	for _, m := range o.Movements {
		sum.available += m.Available
		sum.frozen += m.Frozen
	}
	return sum
}
