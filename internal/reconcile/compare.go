package reconcile

import (
	"fmt"
	"strings"
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
	// Signed is what the gateway itself told about the record's gateway id. It is set for
	// lines of statements only; nil if it told nothing.
	Signed *Record
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

	Currency string // of Stake and Delta; empty: the stake is unknown
	Stake    int64  // the money it is about, in minor units
	Delta    int64  // the gateway's amount minus ours; 0: no amount differs
}

// Marks of what a statement says of an order, and not of one record of it.
const (
	MarkSays   = "says "  // and which state: it ends the order otherwise
	MarkAbsent = "absent" // it does not have the order
)

// OfOrder reports whether a mark is about an order, and not about one record of it.
func OfOrder(mark string) bool { return mark == MarkAbsent || strings.HasPrefix(mark, MarkSays) }

// Agreement is a record that agrees with the books.
type Agreement struct {
	Key       order.Key // as of a Difference
	GatewayID string    // as in the mark of a Difference
	// Weak says that a statement agrees, and that the gateway itself told of the record,
	// too: what differs there still differs.
	Weak bool
}

// Comparison is the result of comparing records with our orders.
type Comparison struct {
	Compared    int // number of records whose order has ended in the ledger
	Differences []Difference
	Agreed      []Agreement
	Doubtful    []order.Key // orders whose record has another final state. A record is no proof: query the gateway.
}

// Compare compares records with our orders. It skips open orders, because their
// workflows query them, and orders that ended at endedBefore or later. But an open order
// of which a statement tells an end is doubtful. It reports no missing order and no own
// withdrawal for records older than opened, the time when the merchant's books were opened.
// If opened is zero, it reports none at all.
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
		} else {
			found.agree(m)
		}
	case ours == nil:
		if !before {
			found.add(m.differs(codes.DiscrepancyNoOrder, " state "+m.State.String(),
				fmt.Sprintf("%s has a %s of %s that we do not have: %s", m.teller(), m.kindName(), m.money(m.Amount), m.State)))
		}
	case m.GatewayID != "" && ours.GatewayID != m.GatewayID && (ours.GatewayID != "" || m.Earlier > 0):
		found.add(m.differs(codes.DiscrepancySecond, "",
			fmt.Sprintf("%s has a second order of this number, a %s of %s: %s", m.teller(), m.kindName(), m.money(m.Amount), m.State)))
	case rules.Unsent(ours.State):
		found.doubt(m.key()) // nothing else queries such an order
	case m.Source == Stated && !ours.State.Terminal() && m.State.Final(ours.Kind.Direction()):
		found.doubt(m.key()) // its workflow asks now; of one in review the line may be what a person needs
	case !ours.State.Terminal() || ours.UpdatedAt.UnixMilli() >= endedBefore.UnixMilli():
	default:
		m.compare(*ours, found)
	}
}

// compare compares the fields of an ended order. It reports the first difference.
func (m Match) compare(ours Order, found *Comparison) {
	found.Compared++
	effect := rules.Decide(ours.Kind, ours.State, ours.Paid > 0, rules.Judge(ours.Kind, m.State))
	d := m.request(m.Record, ours)
	switch {
	case d.member != "":
	case effect.Moves() || effect.Discrepancy != "" && !effect.Known:
		found.doubt(m.key())
		return
	default:
		d = m.payment(m.Record, ours)
	}
	if d.member == "" && m.State.Final(ours.Kind.Direction()) {
		found.agree(m)
	}
	if d.member == "" {
		return
	}
	code, text := codes.DiscrepancyRecord, fmt.Sprintf("%s: %s %s, %s here", d.member, d.there, m.where(), d.here)
	if m.Signed != nil && m.request(*m.Signed, ours).member != d.member && m.payment(*m.Signed, ours).member != d.member {
		code, text = codes.DiscrepancyStatement, text+", as the gateway itself told"
	}
	differs := m.differs(code, " "+d.member, text)
	if d.delta != 0 {
		differs.Currency, differs.Stake, differs.Delta = ours.Currency, max(d.delta, -d.delta), d.delta
	}
	found.add(differs)
}

// difference is a member of a record that differs from the order. Without a member there
// is none.
type difference struct {
	member, there, here string
	delta               int64 // the record's amount minus ours; 0 if the member is no amount, or cannot be read
}

// amounts compares two amounts that differ.
func (m Match) amounts(member string, theirs, ours int64) difference {
	d := difference{member: member, there: m.money(theirs), here: m.money(ours)}
	if theirs >= 0 {
		d.delta = theirs - ours // neither is negative, so it cannot overflow
	}
	return d
}

// request compares what was requested.
func (m Match) request(r Record, ours Order) difference {
	switch {
	case int(r.Kind) != int(ours.Kind.Direction()):
		return difference{member: "direction", there: m.kindName(), here: string(ours.Kind)}
	case r.Currency != ours.Currency:
		return difference{member: "currency", there: r.Currency, here: ours.Currency}
	case r.Amount != ours.Amount:
		return m.amounts("amount", r.Amount, ours.Amount)
	}
	return difference{}
}

// payment compares what was paid, and the fee.
func (m Match) payment(r Record, ours Order) difference {
	verdict := rules.Judge(ours.Kind, r.State)
	paid := ours.Paid > 0 && (verdict == rules.Paid || verdict == rules.PartPaid || verdict == rules.Returned)
	switch {
	case paid && verdict != rules.Returned && r.Paid != ours.Paid && r.Paid != Unstated:
		return m.amounts("paid", r.Paid, ours.Paid)
	case paid && r.Fee == Unreadable && ours.FeeText != "": // known: the order's FeeText has the fee
	case paid && r.Fee != ours.Fee && r.Fee != Unstated:
		return m.amounts("fee", r.Fee, ours.Fee)
	}
	return difference{}
}

// teller says who told the record.
func (m Match) teller() string {
	if m.Source == Stated {
		return "the statement"
	}
	return "the gateway"
}

// where says where the record is from.
func (m Match) where() string {
	if m.Source == Stated {
		return "in the statement"
	}
	return "at the gateway"
}

func (c *Comparison) add(d Difference) { c.Differences = append(c.Differences, d) }

func (c *Comparison) doubt(key order.Key) { c.Doubtful = append(c.Doubtful, key) }

func (c *Comparison) agree(m Match) {
	c.Agreed = append(c.Agreed, Agreement{Key: m.subject(), GatewayID: m.mark(), Weak: m.Signed != nil})
}

func (m Match) key() order.Key { return order.Key{Merchant: m.Merchant, Number: m.Number} }

// subject is the key of what is said about the record: its order, or the gateway id as the
// number if it has none.
func (m Match) subject() order.Key {
	key := m.key()
	if key.Number == "" {
		key.Number = m.GatewayID
	}
	return key
}

// mark names the record. A line of a statement may have the order number only.
func (m Match) mark() string {
	if m.GatewayID == "" {
		return "without id"
	}
	return m.GatewayID
}

// differs returns a Difference whose stake is the record's amount.
func (m Match) differs(code, mark, detail string) Difference {
	d := Difference{Key: m.subject(), Code: code, Mark: m.mark() + mark, Detail: "gateway order " + m.GatewayID + ": " + detail}
	if m.GatewayID == "" {
		d.Detail = detail
	}
	if _, err := money.Minor(m.Amount, m.Currency); err == nil && m.Amount >= 0 {
		d.Currency, d.Stake = m.Currency, m.Amount
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
	if minor == Unstated {
		return "an amount that is not told"
	}
	amount, err := money.Minor(minor, m.Currency)
	if err != nil || minor == Unreadable {
		return "an amount that cannot be read"
	}
	return amount.String()
}
