// Package reconcile compares a gateway's records of moved money with the ledger's.
// It does no I/O.
//
// Each source is converted to the same Record: see FromHistory, FromAnswer and
// FromStatement. A new source needs a function like these and a Source. What the
// gateway itself tells also needs a migration of the column source of gateway_records.
// Lines of statements are not in that table: a person has exported them, and they never
// replace what the gateway told.
package reconcile

import (
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Record is the gateway's record of a transaction, without personal data. Amounts
// are in minor units, or Unreadable if the gateway's text is not an amount.
type Record struct {
	GatewayID string
	Number    string // empty: the gateway left it out
	Kind      tarspay.HistoryKind
	State     tarspay.State
	Currency  string // ISO 4217 if it is the country's currency, otherwise the gateway's text
	Amount    int64  // the requested amount
	Paid      int64  // the amount paid, before the fee is deducted; 0 unless the state says paid
	Fee       int64
	CreatedAt time.Time // the gateway's time; zero: unknown
	Source    Source
}

// Values of amounts that are no amount.
const (
	Unreadable = -1                      // it cannot be parsed
	Unstated   = order.StatementUnstated // a statement does not tell it; it is not compared
)

// Source is the origin of a record.
type Source string

// The sources.
const (
	Listed   Source = "history"   // a line of the gateway's history
	Answered Source = "query"     // an answer to a query by the order number
	Stated   Source = "statement" // a line of a statement, which a person has exported
)

// FromHistory converts a line of the gateway's history. It omits personal data.
func FromHistory(profile *tarspay.Profile, r tarspay.HistoryRecord) Record {
	moved, amount := minor(profile, r.Amount), minor(profile, r.OrderAmount)
	record := Record{
		GatewayID: r.GatewayID, Number: r.OrderNumber, Kind: r.Kind, State: r.State, Currency: isoCurrency(profile, r.Currency),
		Amount: amount, Fee: minorFee(profile, r.Fee, max(amount, moved)), CreatedAt: r.CreatedAt, Source: Listed,
	}
	if r.OrderAmount == "" {
		record.Amount = moved // an own withdrawal may have no order amount
	}
	if !r.State.Paid() {
		return record
	}
	record.Paid = moved
	if r.Kind == tarspay.HistoryDeposit && record.Fee >= 0 { // the history's amount of a deposit is after the fee
		record.Paid = Unreadable
		if whole, err := money.AddAnswers(r.Amount, feeText(r.Fee), profile.Currency); err == nil && whole.Minor() >= 0 {
			record.Paid = whole.Minor()
		}
	}
	return record
}

// FromAnswer converts the gateway's answer to a query about an order.
func FromAnswer(profile *tarspay.Profile, row order.Order, s tarspay.OrderStatus) Record {
	amount := minor(profile, s.OrderAmount)
	record := Record{
		GatewayID: s.GatewayID, Number: row.Number, Kind: tarspay.HistoryKind(row.Kind.Direction()), State: s.State,
		Currency: isoCurrency(profile, s.Currency), Amount: amount, Fee: minorFee(profile, s.Fee, amount), Source: Answered,
	}
	if s.State.Paid() {
		record.Paid = minor(profile, s.PayAmount)
	}
	return record
}

// FromStatement converts a line of a statement.
func FromStatement(l order.StatementLine) Record {
	return Record{
		GatewayID: l.GatewayID, Number: l.Number, Kind: l.Kind, State: l.State, Currency: l.Currency,
		Amount: l.Amount, Paid: l.Paid, Fee: l.Fee, CreatedAt: l.At, Source: Stated,
	}
}

// minor parses an amount of the gateway. Unreadable if it is not an amount.
func minor(profile *tarspay.Profile, text string) int64 {
	amount, err := profile.ParseAmount(text)
	if err != nil || amount.Minor() < 0 {
		return Unreadable
	}
	return amount.Minor()
}

// minorFee parses the fee of an amount as an order books it. Unreadable if an
// order would not book it.
func minorFee(profile *tarspay.Profile, text string, of int64) int64 {
	amount, err := money.Minor(of, profile.Currency)
	if err != nil || of < 0 {
		return minor(profile, feeText(text))
	}
	fee := rules.ReadFee(text, amount)
	if !fee.Believed {
		return Unreadable
	}
	return fee.Amount.Minor()
}

// feeText returns "0" for an omitted fee.
func feeText(text string) string {
	if text == "" {
		return "0"
	}
	return text
}

func isoCurrency(profile *tarspay.Profile, code string) string {
	if code == profile.GatewayCurrency {
		return profile.Currency
	}
	return code
}
