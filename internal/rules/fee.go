package rules

import (
	"regexp"
	"strings"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Fee is the fee that the gateway reports for an order.
type Fee struct {
	Amount   money.Amount // bookable: whole minor units, rounded towards zero
	Rest     int64        // the part that rounding cut off, in millionths of a minor unit
	Text     string       // the fee as the gateway wrote it, if Amount is not exactly that; else empty
	Believed bool         // false: Amount is zero, and a person must find out
}

// feeShape matches a fee whose text may be shown: characters of a number only.
var feeShape = regexp.MustCompile(`^[0-9.,+eE -]{1,32}$`)

// ReadFee reads the fee of an order of the given amount. An empty text is a fee of
// zero. A fee with more decimals than the currency is rounded towards zero, because
// the gateway kept at least that much. A fee is not believed if it is not a number,
// is negative, is above the order's amount, or has three decimals and would also be
// a possible fee with the dot read as a separator of thousands.
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

// bearable reports whether a fee is between zero and the amount, in its currency.
func bearable(fee, of money.Amount) bool {
	more, err := fee.Compare(of)
	return err == nil && more <= 0 && fee.Minor() >= 0
}

// ambiguous reports whether a dot before three digits may separate thousands. If the
// fee without the dot would exceed the amount, the dot must be a decimal point.
func ambiguous(text string, of money.Amount) bool {
	whole, decimals, _ := strings.Cut(text, ".")
	digits, err := money.Decimals(of.Currency())
	if err != nil || len(decimals) != 3 || digits >= 3 {
		return false
	}
	thousands, _, err := money.ParseFiner(whole+decimals, of.Currency())
	return err == nil && thousands.IsPositive() && bearable(thousands, of)
}
