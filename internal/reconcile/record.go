// Package reconcile compares records of two sides: what a source says of money
// that moved, and what the ledger has of it. It reads and writes nothing.
//
// Each source returns the same Record: see FromHistory and FromAnswer. A later
// source, a statement file for example, is one more function like these and one
// more Source; the column source of gateway_records then needs a migration.
package reconcile

import (
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Record is what the gateway says of one of its transactions, without the
// people in it. Amounts are minor units, Unreadable where its text is none.
type Record struct {
	GatewayID string
	Number    string // empty: the gateway left it out
	Kind      tarspay.HistoryKind
	State     tarspay.State
	Currency  string // ISO 4217 if it is the country's, else as it came
	Amount    int64  // what was asked for
	Paid      int64  // what moved, the fee not counted; 0 unless the state says paid
	Fee       int64
	CreatedAt time.Time // at the gateway; zero: not told
	Source    Source
}

// Unreadable stands for an amount that is none.
const Unreadable = -1

// Source says where a record comes from.
type Source string

// The sources.
const (
	Listed   Source = "history" // the gateway's history lists it
	Answered Source = "query"   // it was asked about by its number
)

// FromHistory returns a line of the gateway's history without the people in it.
func FromHistory(profile *tarspay.Profile, r tarspay.HistoryRecord) Record {
	moved, amount := minor(profile, r.Amount), minor(profile, r.OrderAmount)
	record := Record{
		GatewayID: r.GatewayID, Number: r.OrderNumber, Kind: r.Kind, State: r.State, Currency: isoCurrency(profile, r.Currency),
		Amount: amount, Fee: minorFee(profile, r.Fee, max(amount, moved)), CreatedAt: r.CreatedAt, Source: Listed,
	}
	if r.OrderAmount == "" {
		record.Amount = moved // a merchant's own withdrawal may have no order
	}
	if !r.State.Paid() {
		return record
	}
	record.Paid = moved
	if r.Kind == tarspay.HistoryDeposit && record.Fee >= 0 { // the history counts it without the fee
		record.Paid = Unreadable
		if whole, err := money.AddAnswers(r.Amount, feeText(r.Fee), profile.Currency); err == nil && whole.Minor() >= 0 {
			record.Paid = whole.Minor()
		}
	}
	return record
}

// FromAnswer returns the gateway's answer to a query about an order.
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

// minor reads an amount of the gateway's; Unreadable if it is none.
func minor(profile *tarspay.Profile, text string) int64 {
	amount, err := profile.ParseAmount(text)
	if err != nil || amount.Minor() < 0 {
		return Unreadable
	}
	return amount.Minor()
}

// minorFee reads a fee of an amount, as an order books it; Unreadable if
// an order would not.
func minorFee(profile *tarspay.Profile, text string, of int64) int64 {
	amount, err := money.Minor(of, profile.Currency)
	if err != nil || of < 0 {
		return minor(profile, feeText(text))
	}
	fee := order.ReadFee(text, amount)
	if !fee.Believed {
		return Unreadable
	}
	return fee.Amount.Minor()
}

// feeText is a fee that may have been left out.
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
