package reconcile

import (
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Match is a record with the ledger's data about it.
type Match struct {
	Record
	Merchant string
	Order    *Order // of the record's number; nil if there is none
	Earlier  int    // number of other records of the order number with a smaller gateway id
	Booked   bool   // an own withdrawal that is booked as an adjustment
}

// Order is an order of the ledger. Amounts are in minor units.
type Order struct {
	Kind      order.Kind
	State     order.State
	GatewayID string // empty: not known
	Currency  string
	Amount    int64
	Paid      int64
	Fee       int64
	FeeText   string // the fee as the gateway wrote it, if Fee differs from it
	UpdatedAt time.Time
}

// Difference is one difference between a gateway's record and our order.
type Difference struct {
	Key    order.Key
	Code   string // order.Discrepancy…
	Mark   string // the evidence: the gateway id, and the field that differs
	Detail string
}

// Comparison is the result of comparing records with our orders.
type Comparison struct {
	Compared    int // number of records whose order has ended in the ledger
	Differences []Difference
	Doubtful    []order.Key // orders whose record has another final state. A record is no proof: query the gateway.
}

// Compare compares records with our orders. It skips open orders, because their
// workflows query them, and orders that ended at endedBefore or later. It reports
// no missing order and no own withdrawal for records older than opened, the time
// when the merchant's books were opened. If opened is zero, it reports none at
// all.
func Compare(matches []Match, opened, endedBefore time.Time) Comparison {
	var found Comparison
	for _, match := range matches {
		match.classify(opened, endedBefore, &found)
	}
	return found
}

// OwnWithdrawal reports whether the record is a withdrawal of the merchant's own
// money. Such a record has no order.
func (m Match) OwnWithdrawal() bool {
	return m.Kind == tarspay.HistoryUSDTWithdrawal || m.Kind == tarspay.HistoryOwnWithdrawal
}

func (m Match) classify(opened, endedBefore time.Time, found *Comparison) {
	// The gateway's time has no fractions of a second.
	before := opened.IsZero() || !m.CreatedAt.IsZero() && m.CreatedAt.Before(opened.Truncate(time.Second))
	ours := m.Order
	switch {
	case m.OwnWithdrawal():
		if m.State.Paid() && !before && !m.Booked {
			found.add(m.differs(codes.DiscrepancyOwnWithdrawal, "",
				"the merchant took "+m.money(m.Amount)+" out at the gateway, fee "+m.money(m.Fee)))
		}
	case ours == nil:
		if !before {
			found.add(m.differs(codes.DiscrepancyNoOrder, " state "+m.State.String(),
				fmt.Sprintf("the gateway has a %s of %s that we do not have: %s", m.kindName(), m.money(m.Amount), m.State)))
		}
	case ours.GatewayID != m.GatewayID && (ours.GatewayID != "" || m.Earlier > 0):
		found.add(m.differs(codes.DiscrepancySecond, "",
			fmt.Sprintf("the gateway has a second order of this number, a %s of %s: %s", m.kindName(), m.money(m.Amount), m.State)))
	case rules.Unsent(ours.State):
		found.doubt(m.key()) // nothing else queries such an order
	case !ours.State.Terminal() || ours.UpdatedAt.UnixMilli() >= endedBefore.UnixMilli():
	default:
		m.compare(*ours, found)
	}
}

// compare compares the fields of an ended order. It reports the first difference.
func (m Match) compare(ours Order, found *Comparison) {
	found.Compared++
	verdict := rules.Judge(ours.Kind, m.State)
	effect := rules.Decide(ours.Kind, ours.State, ours.Paid > 0, verdict)
	paid := ours.Paid > 0 && (verdict == rules.Paid || verdict == rules.PartPaid || verdict == rules.Returned)
	member, there, here := "", "", ""
	switch {
	case int(m.Kind) != int(ours.Kind.Direction()):
		member, there, here = "direction", m.kindName(), string(ours.Kind)
	case m.Currency != ours.Currency:
		member, there, here = "currency", m.Currency, ours.Currency
	case m.Amount != ours.Amount:
		member, there, here = "amount", m.money(m.Amount), m.money(ours.Amount)
	case effect.Moves() || effect.Discrepancy != "" && !effect.Known:
		found.doubt(m.key())
	case paid && verdict != rules.Returned && m.Paid != ours.Paid:
		member, there, here = "paid", m.money(m.Paid), m.money(ours.Paid)
	case paid && m.Fee == Unreadable && ours.FeeText != "": // known: the order's FeeText has the fee
	case paid && m.Fee != ours.Fee:
		member, there, here = "fee", m.money(m.Fee), m.money(ours.Fee)
	}
	if member != "" {
		found.add(m.differs(codes.DiscrepancyRecord, " "+member,
			fmt.Sprintf("%s: %s at the gateway, %s here", member, there, here)))
	}
}

func (c *Comparison) add(d Difference) { c.Differences = append(c.Differences, d) }

func (c *Comparison) doubt(key order.Key) { c.Doubtful = append(c.Doubtful, key) }

func (m Match) key() order.Key { return order.Key{Merchant: m.Merchant, Number: m.Number} }

// differs returns a Difference. The key of a record without an order number has
// the gateway id as its number.
func (m Match) differs(code, mark, detail string) Difference {
	d := Difference{Key: m.key(), Code: code, Mark: m.GatewayID + mark, Detail: "gateway order " + m.GatewayID + ": " + detail}
	if d.Key.Number == "" {
		d.Key.Number = m.GatewayID
	}
	return d
}

func (m Match) kindName() string {
	switch m.Kind {
	case tarspay.HistoryDeposit:
		return string(order.Deposit)
	case tarspay.HistoryWithdrawal:
		return string(order.Withdrawal)
	default:
		return fmt.Sprintf("transaction of kind %d", m.Kind)
	}
}

func (m Match) money(minor int64) string {
	amount, err := money.Minor(minor, m.Currency)
	if err != nil || minor == Unreadable {
		return "an amount that cannot be read"
	}
	return amount.String()
}
