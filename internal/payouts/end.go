package payouts

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// orderEnded is what happens next to an order that has ended and about which nobody
// needs to do anything.
const orderEnded = "Nothing: the order has ended."

// withEnd returns an answer that says what a person can do, if the order has ended.
func (s *Service) withEnd(answer Order) Order {
	if answer.Order.State.Terminal() {
		answer.Order.Next = s.afterEnd(answer.Order)
	}
	return answer
}

// afterEnd returns what a person can do about an order that has ended, from the
// catalogue's entry of the order's reason. If the reason names a code of the
// gateway, it returns also how to look up the code, and the country's ways if the
// code refuses the way.
func (s *Service) afterEnd(view order.View) string {
	entry, known := codes.Lookup(view.Reason.Code)
	if view.State == order.Succeeded || !known || entry.Do == "" || entry.Do == "nothing" {
		return orderEnded
	}
	next := "The order has ended. " + sentence(entry.Do)
	code := tarspay.CodeIn(view.Reason.Text)
	if code == "" {
		return next
	}
	next += " The gateway's code: " + s.parts.AskFor(UseCodes, code)
	if row, documented := tarspay.LookupErrorCode(code); documented && row.Way && view.Country != "" {
		next += ". The country's ways: " + s.parts.AskFor(UseWays, view.Country)
	}
	return next
}

// sentence returns a text of the catalogue with a capital and a full stop.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(text[size:], ".") + "."
}
