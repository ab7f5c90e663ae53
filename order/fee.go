package order

import (
	"regexp"
	"strings"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Fee is what the gateway says that it kept of an order.
type Fee struct {
	Amount   money.Amount // what can be booked: whole minor units, never more than the gateway says
	Rest     int64        // what that leaves out, in millionths of a minor unit
	Text     string       // the gateway's words, where Amount is not exactly what they say; else empty
	Believed bool         // else Amount is zero and a person finds out
}

// feeShape is a fee that may be repeated to people: no words, no more than a
// number has.
var feeShape = regexp.MustCompile(`^[0-9.,+eE -]{1,32}$`)

// ReadFee reads the fee of an order of an amount. Nothing, in the gateway's
// words, is no fee. What is finer than the currency is booked towards zero: the
// gateway has kept at least so much. Not believed is what is no number, is
// negative or above the order's amount, or has three decimals and might, read
// with the dot between thousands, be a fee as well.
func ReadFee(text string, of money.Amount) Fee {
	none, err := of.Sub(of)
	if err != nil || text == "" {
		return Fee{Amount: none, Believed: err == nil}
	}
	words := text
	if !feeShape.MatchString(words) {
		words = "no number"
	}
	amount, rest, err := money.ParseFiner(text, of.Currency())
	negative := amount.Minor() < 0 || rest < 0
	if err != nil || negative || !bearable(amount, of) || (amount == of && rest > 0) || ambiguous(text, of) {
		return Fee{Amount: none, Text: words}
	}
	fee := Fee{Amount: amount, Rest: rest, Believed: true}
	if rest > 0 {
		fee.Text = words
	}
	return fee
}

// bearable reports whether a fee can be one of an amount: not below zero, not
// above it, and in its currency.
func bearable(fee, of money.Amount) bool {
	more, err := fee.Compare(of)
	return err == nil && more <= 0 && fee.Minor() >= 0
}

// ambiguous reports whether a dot before three digits may separate thousands. A
// fee of more than a thousandth of the amount is told apart by its size: with
// the dot left out it is more than the whole.
func ambiguous(text string, of money.Amount) bool {
	whole, decimals, _ := strings.Cut(text, ".")
	digits, err := money.Decimals(of.Currency())
	if err != nil || len(decimals) != 3 || digits >= 3 {
		return false
	}
	thousands, _, err := money.ParseFiner(whole+decimals, of.Currency())
	return err == nil && thousands.IsPositive() && bearable(thousands, of)
}
