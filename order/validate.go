package order

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Codes of problems found here; the country's profile adds its own
// (tarspay.Violation).
const (
	ProblemKind         = "UNKNOWN_KIND"
	ProblemMerchant     = "MERCHANT_MALFORMED"
	ProblemNumber       = "ORDER_NUMBER_MALFORMED"
	ProblemCountry      = "UNKNOWN_COUNTRY"
	ProblemCurrency     = "WRONG_CURRENCY"
	ProblemAmount       = "AMOUNT_NOT_POSITIVE"
	ProblemAmountText   = "AMOUNT_NOT_A_NUMBER"
	ProblemAmountDigits = "AMOUNT_PRECISION"
	ProblemAmountRange  = "AMOUNT_TOO_LARGE"
	ProblemReturnURL    = "RETURN_URL_MALFORMED"
	ProblemTooMany      = "TOO_MANY_FIELDS"
)

// maxDetails bounds the number of details of an order.
const maxDetails = 40

var (
	merchantForm = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)
	// The gateway documents neither length nor alphabet of an order number. Numbers
	// of 32 characters are in use; the software that it derives from stores 64.
	numberForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// IsNumber reports whether a text has the form of an order's number. References of
// adjustments have the same form.
func IsNumber(text string) bool { return numberForm.MatchString(text) }

// Limits are the operator's upper bounds of one order, by ISO currency. They apply in
// addition to the country's. A currency that is not listed has none.
type Limits map[string]money.Amount

// Validate finds everything wrong with a request at once. The error is an
// *Invalid; its messages never repeat a personal value.
func (r Request) Validate(limits Limits) error {
	var problems []Problem
	add := func(code, field, format string, values ...any) {
		problems = append(problems, Problem{Code: code, Field: field, Message: fmt.Sprintf(format, values...)})
	}
	if r.Kind != Deposit && r.Kind != Withdrawal {
		add(ProblemKind, "kind", "kind must be deposit or withdrawal")
	}
	if !merchantForm.MatchString(r.Merchant) {
		add(ProblemMerchant, "merchant", "merchant must be the gateway's merchant number: letters and digits, 1 to 32")
	}
	if !IsNumber(r.Number) {
		add(ProblemNumber, "number", "order number must be 1 to 64 of letters, digits, hyphen and underscore")
	}
	if !r.Amount.IsPositive() {
		add(ProblemAmount, "amount", "amount must be above zero")
	}
	if !r.Amount.Within(money.Most) {
		add(ProblemAmountRange, "amount", "amount is larger than any that is taken: at most %s", most(r.Amount.Currency()))
	}
	if limit, set := limits[r.Amount.Currency()]; set {
		if above, err := r.Amount.Compare(limit); err == nil && above > 0 {
			add(ProblemAmountRange, "amount", "amount is above the configured limit of %s", limit)
		}
	}
	for _, t := range []bounded{{"requested_by", r.RequestedBy, MaxName}, {"return_url", r.ReturnURL, maxURL}} {
		if refusal := TooLong(t.member, t.text, t.most); refusal != nil {
			add(refusal.Code, t.member, "%s", refusal.Text)
		}
	}
	problems = append(problems, r.returnURLProblems()...)
	if len(r.Details) > maxDetails {
		add(ProblemTooMany, "details", "at most %d fields may be sent", maxDetails)
	}
	problems = append(problems, r.metadataProblems()...)
	problems = append(problems, r.countryProblems()...)
	if len(problems) > 0 {
		return &Invalid{Problems: problems}
	}
	return nil
}

// WellFormed reports whether merchant and number have the form that orders require.
func (k Key) WellFormed() bool {
	return merchantForm.MatchString(k.Merchant) && IsNumber(k.Number)
}

func (r Request) returnURLProblems() []Problem {
	profile, known := tarspay.Country(r.Country)
	switch {
	case r.ReturnURL == "" && known && r.Kind == Deposit && profile.Deposit.ReturnURLRequired:
		return []Problem{{ProblemReturnURL, "return_url", profile.Name + " wants a return URL with every deposit"}}
	case r.ReturnURL == "":
		return nil
	}
	target, err := url.Parse(r.ReturnURL)
	if err == nil && target.Host != "" && (target.Scheme == "http" || target.Scheme == "https") && r.Kind == Deposit {
		return nil
	}
	return []Problem{{ProblemReturnURL, "return_url", "return URL must be a whole http or https address, on a deposit"}}
}

// countryProblems asks the country's profile.
func (r Request) countryProblems() []Problem {
	profile, known := tarspay.Country(r.Country)
	if !known {
		return []Problem{{ProblemCountry, "country", fmt.Sprintf("no country %q; known are %s", clipCountry(r.Country), knownCountries())}}
	}
	if r.Amount.Currency() != profile.Currency {
		return []Problem{{ProblemCurrency, "currency", fmt.Sprintf("%s takes %s, not %q", profile.Name, profile.Currency, r.Amount.Currency())}}
	}
	if r.Kind != Deposit && r.Kind != Withdrawal {
		return nil
	}
	var problems []Problem
	for _, violation := range profile.Check(r.Kind.Direction(), r.Way, r.Amount, r.Details) {
		if violation.Code == tarspay.ViolationNotPositive {
			continue // Validate has reported it already
		}
		problems = append(problems, Problem{Code: violation.Code, Field: violation.Field, Message: violation.Message})
	}
	return problems
}

// ParseAmount reads an amount that a person typed, in the country's currency. The
// error is an *Invalid, which says what is wrong and how to write the amount.
func ParseAmount(text, country string) (money.Amount, error) {
	profile, known := tarspay.Country(country)
	if !known {
		return money.Amount{}, &Invalid{Problems: Request{Country: country}.countryProblems()}
	}
	amount, err := money.Parse(text, profile.Currency)
	if err == nil && !strings.HasPrefix(text, "-") {
		return amount, nil
	}
	digits, _ := money.Decimals(profile.Currency)
	example, whole := "1500 or 1500.50", ""
	if profile.Amount.Decimals == 0 {
		example, whole = "1500", fmt.Sprintf("; in %s the gateway takes orders of whole %s only, such as 1500", profile.Name, profile.Currency)
	}
	switch {
	case err == nil:
		return money.Amount{}, invalidAmount(ProblemAmount, "amount is written without a sign, such as %s", example)
	case errors.Is(err, money.ErrPrecision) && digits == 0:
		return money.Amount{}, invalidAmount(ProblemAmountDigits, "amount has decimals, and %s has none; a dot never separates thousands (half a million is 500000)", profile.Currency)
	case errors.Is(err, money.ErrPrecision):
		return money.Amount{}, invalidAmount(ProblemAmountDigits, "amount has too many decimals: %s has %d%s; a dot never separates thousands (half a million is 500000)", profile.Currency, digits, whole)
	case errors.Is(err, money.ErrRange):
		return money.Amount{}, invalidAmount(ProblemAmountRange, "amount is larger than any that is taken: at most %s", most(profile.Currency))
	}
	return money.Amount{}, invalidAmount(ProblemAmountText, "amount must be a plain number such as %s%s", example, mistyped(text))
}

// most is the largest amount of one order in a currency.
func most(currency string) money.Amount {
	amount, err := money.Minor(money.Most, currency)
	if err != nil {
		return money.Amount{}
	}
	return amount
}

var (
	exponentForm  = regexp.MustCompile(`^[+-]?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+$`)
	separatedForm = regexp.MustCompile(`^[0-9]+([.,'][0-9]+)+$`)
)

// mistyped returns what is wrong with the text of an amount, to be appended to a
// sentence.
func mistyped(text string) string {
	switch {
	case strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }):
		return ": it has characters other than 0 to 9, such as digits of another script, or some that are not seen"
	case exponentForm.MatchString(text):
		return ": it is in scientific notation, as a spreadsheet writes large numbers"
	case separatedForm.MatchString(text) && !strings.HasPrefix(text, "0"):
		return ": it has separators, which mean one thing here and another there; write none, and one dot before decimals"
	case strings.HasPrefix(text, "0"):
		return ": it begins with a zero"
	case strings.ContainsFunc(text, unicode.IsSpace):
		return ": it has blanks"
	case strings.HasPrefix(text, "+"):
		return ": it has a sign"
	case strings.HasPrefix(text, ".") || strings.HasSuffix(text, "."):
		return ": a dot stands between digits only"
	}
	if at := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789.", r) }); at >= 0 && unicode.IsPrint(rune(text[at])) {
		return fmt.Sprintf(": %q is no digit", text[at:at+1])
	}
	return ""
}

func invalidAmount(code, format string, values ...any) *Invalid {
	return &Invalid{Problems: []Problem{{Code: code, Field: "amount", Message: fmt.Sprintf(format, values...)}}}
}

func knownCountries() string {
	var codes []string
	for _, profile := range tarspay.Countries() {
		codes = append(codes, profile.Code)
	}
	slices.Sort(codes)
	return strings.Join(codes, " ")
}

func clipCountry(code string) string {
	if len(code) > 8 {
		return code[:8] + "…"
	}
	return code
}
