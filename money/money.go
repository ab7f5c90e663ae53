// Package money holds exact amounts of one currency.
//
// An Amount counts minor units (cents, paisa; whole units for currencies that
// have no minor unit, like VND and KRW) in an int64. Text is parsed through a
// decimal library and refused when it cannot be held exactly; nothing here or
// above touches a float.
package money

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	gomoney "github.com/Rhymond/go-money"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/shopspring/decimal"
)

// Errors a caller may meet, wrapped with the offending text.
var (
	ErrCurrency  = errors.New("unknown currency")
	ErrNotNumber = errors.New("not a plain decimal number")
	ErrPrecision = errors.New("more decimals than the currency has; a dot never separates thousands")
	ErrRange     = errors.New("amount out of range")
	ErrAmbiguous = errors.New("a dot with three digits after it may separate thousands")
	ErrMismatch  = errors.New("amounts of different currencies")
	ErrForm      = errors.New(`not an amount such as {"value":"1500.00","currency":"PKR"}`)
)

// Most is the largest amount that is taken for one order, one limit or one
// adjustment, in minor units. Nine thousand of them can be added up in an int64.
const Most = 1_000_000_000_000_000

// maxTextLength bounds what Parse looks at: the largest int64 with a point and
// a sign is 21 characters.
const maxTextLength = 24

// Amount is a number of minor units of one ISO 4217 currency.
// The zero Amount has no currency and equals nothing else.
type Amount struct {
	minor    int64
	currency string
}

// Minor makes an amount of n minor units. The currency must be an ISO 4217
// code; anything else is ErrCurrency.
func Minor(n int64, currency string) (Amount, error) {
	if _, err := Decimals(currency); err != nil {
		return Amount{}, err
	}
	return Amount{minor: n, currency: currency}, nil
}

// Parse reads an amount that a person or a program has written for us: "1500",
// "-12.50". It has digits and at most one point, no more decimals than the
// currency has and none where it has none, and no exponent, blank, separator or
// leading zero. "500.000" VND is refused with ErrPrecision: it may mean half a
// million. An amount beyond Most, either way, is ErrRange.
func Parse(text, currency string) (Amount, error) {
	amount, err := parseExact(text, currency)
	if err == nil && !amount.Within(Most) {
		return Amount{}, fmt.Errorf("%w: %q %s", ErrRange, clip(text), currency)
	}
	return amount, err
}

// parseExact is Parse up to the largest int64: sums are read back by it, too.
func parseExact(text, currency string) (Amount, error) {
	digits, err := Decimals(currency)
	if err != nil {
		return Amount{}, err
	}
	whole, decimals, point := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if plain(text) && len(whole) > 1 && whole[0] == '0' {
		return Amount{}, fmt.Errorf("%w: %q begins with a zero", ErrNotNumber, clip(text))
	}
	if plain(text) && point && len(decimals) > digits {
		return Amount{}, fmt.Errorf("%w: %q, %s has %d", ErrPrecision, clip(text), currency, digits)
	}
	return parse(text, currency, digits)
}

// ParseAnswer reads an amount that the gateway has written. It may have zeros
// beyond the currency's decimals ("100.00" VND is 100), as a column of its
// database does. Three decimals of a currency that has fewer are ErrAmbiguous.
func ParseAnswer(text, currency string) (Amount, error) {
	digits, err := Decimals(currency)
	if err != nil {
		return Amount{}, err
	}
	const thousand = 3
	if _, decimals, _ := strings.Cut(text, "."); plain(text) && len(decimals) == thousand && digits < thousand && strings.Trim(decimals, "0") == "" {
		return Amount{}, fmt.Errorf("%w: %q %s", ErrAmbiguous, clip(text), currency)
	}
	amount, err := parse(text, currency, digits)
	if err == nil && !amount.Within(Most) {
		return Amount{}, fmt.Errorf("%w: %q %s", ErrRange, clip(text), currency)
	}
	return amount, err
}

func parse(text, currency string, digits int) (Amount, error) {
	if !plain(text) {
		return Amount{}, fmt.Errorf("%w: %q", ErrNotNumber, clip(text))
	}
	value, err := decimal.NewFromString(text)
	if err != nil {
		return Amount{}, fmt.Errorf("%w: %q", ErrNotNumber, clip(text))
	}
	minor := value.Shift(int32(digits)) //nolint:gosec // G115: ISO 4217 has at most four
	if !minor.IsInteger() {
		return Amount{}, fmt.Errorf("%w: %q, %s has %d", ErrPrecision, clip(text), currency, digits)
	}
	if !minor.BigInt().IsInt64() {
		return Amount{}, fmt.Errorf("%w: %q %s", ErrRange, clip(text), currency)
	}
	return Amount{minor: minor.IntPart(), currency: currency}, nil
}

// Decimals is the number of digits after the point that the currency has by
// ISO 4217: 2 for PKR, 0 for VND.
func Decimals(currency string) (int, error) {
	if len(currency) != 3 || strings.ToUpper(currency) != currency {
		return 0, fmt.Errorf("%w: %q", ErrCurrency, clip(currency))
	}
	known := gomoney.GetCurrency(currency)
	if known == nil {
		return 0, fmt.Errorf("%w: %q", ErrCurrency, clip(currency))
	}
	return known.Fraction, nil
}

// Minor is the amount in minor units.
func (a Amount) Minor() int64 { return a.minor }

// Currency is the ISO 4217 code.
func (a Amount) Currency() string { return a.currency }

// IsPositive reports whether the amount is above zero.
func (a Amount) IsPositive() bool { return a.minor > 0 }

// IsZero reports whether the amount is exactly zero.
func (a Amount) IsZero() bool { return a.minor == 0 }

// Within reports whether the amount is at most so many minor units above or below
// zero.
func (a Amount) Within(most int64) bool { return -most <= a.minor && a.minor <= most }

// Add returns a+b, or ErrMismatch or ErrRange.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.currency != b.currency {
		return Amount{}, fmt.Errorf("%w: %q and %q", ErrMismatch, a.currency, b.currency)
	}
	sum := a.minor + b.minor
	if (sum > a.minor) != (b.minor > 0) && b.minor != 0 {
		return Amount{}, fmt.Errorf("%w: %s + %s", ErrRange, a, b)
	}
	return Amount{minor: sum, currency: a.currency}, nil
}

// Sub returns a-b, or ErrMismatch or ErrRange.
func (a Amount) Sub(b Amount) (Amount, error) {
	if b.minor == math.MinInt64 {
		return Amount{}, fmt.Errorf("%w: %s", ErrRange, b)
	}
	return a.Add(Amount{minor: -b.minor, currency: b.currency})
}

// Compare is -1, 0 or +1 as a is below, equal to or above b.
func (a Amount) Compare(b Amount) (int, error) {
	if a.currency != b.currency {
		return 0, fmt.Errorf("%w: %q and %q", ErrMismatch, a.currency, b.currency)
	}
	switch {
	case a.minor < b.minor:
		return -1, nil
	case a.minor > b.minor:
		return 1, nil
	}
	return 0, nil
}

// Number is the amount without its currency and with all of the currency's
// decimals: "1500.00", "-0.05", "200000" for VND.
func (a Amount) Number() string {
	digits := a.digits()
	return decimal.New(a.minor, -digits).StringFixed(digits)
}

// Short is the amount without needless decimals: "1500", "12.5".
func (a Amount) Short() string {
	return decimal.New(a.minor, -a.digits()).String()
}

// String is the amount for people: "1500.00 PKR".
func (a Amount) String() string { return a.Number() + " " + a.currency }

func (a Amount) digits() int32 {
	digits, err := Decimals(a.currency)
	if err != nil {
		return 0
	}
	return int32(digits) //nolint:gosec // G115: ISO 4217 has at most four
}

type wire struct {
	Value    string `json:"value"`
	Currency string `json:"currency"`
}

// MarshalJSON writes {"value":"1500.00","currency":"PKR"}.
func (a Amount) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{Value: a.Number(), Currency: a.currency})
}

// UnmarshalJSON reads what MarshalJSON wrote, as strictly as Parse: no other
// members, none twice, each spelt exactly. It is not bounded by Most, because
// sums are written, too: what takes an order checks that. The zero Amount, which
// has no currency, reads back as itself.
func (a *Amount) UnmarshalJSON(data []byte) error {
	var w wire
	data = bytes.TrimSpace(data)
	if string(data) == "null" { // left out, by the convention of JSON in Go
		return nil
	}
	if len(data) == 0 || data[0] != '{' {
		return ErrForm
	}
	if err := jsonv2.Unmarshal(data, &w, jsonv2.RejectUnknownMembers(true)); err != nil {
		return err
	}
	if w.Currency == "" && (w.Value == "0" || w.Value == "") {
		*a = Amount{}
		return nil
	}
	parsed, err := parseExact(w.Value, w.Currency)
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

func plain(text string) bool {
	if len(text) == 0 || len(text) > maxTextLength {
		return false
	}
	digits, points := 0, 0
	for i, r := range text {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r == '.':
			points++
		case r == '-' && i == 0:
		default:
			return false
		}
	}
	last := text[len(text)-1]
	return digits > 0 && points <= 1 && last != '.' && strings.TrimPrefix(text, "-")[0] != '.'
}

func clip(text string) string {
	if len(text) > maxTextLength {
		return text[:maxTextLength] + "…"
	}
	return text
}

// Millionth is how many of what ParseFiner leaves over make one minor unit.
const Millionth = 1_000_000

// ParseFiner reads an amount of the gateway's that may be finer than the
// currency, as a fee of 1.2 per cent is: the whole minor units of it, and what is
// beyond them in millionths of one, both towards zero. Whether a dot separates
// thousands is for the caller to judge.
func ParseFiner(text, currency string) (amount Amount, rest int64, err error) {
	digits, err := Decimals(currency)
	if err != nil {
		return Amount{}, 0, err
	}
	if !plain(text) {
		return Amount{}, 0, fmt.Errorf("%w: %q", ErrNotNumber, clip(text))
	}
	value, err := decimal.NewFromString(text)
	if err != nil {
		return Amount{}, 0, fmt.Errorf("%w: %q", ErrNotNumber, clip(text))
	}
	minor := value.Shift(int32(digits)) //nolint:gosec // G115: ISO 4217 has at most four
	whole := minor.Truncate(0)
	amount = Amount{minor: whole.IntPart(), currency: currency}
	if !whole.BigInt().IsInt64() || !amount.Within(Most) {
		return Amount{}, 0, fmt.Errorf("%w: %q %s", ErrRange, clip(text), currency)
	}
	return amount, minor.Sub(whole).Mul(decimal.NewFromInt(Millionth)).IntPart(), nil
}

// AddAnswers adds two amounts of the gateway's, each of which may be finer than
// the currency although their sum is not.
func AddAnswers(a, b, currency string) (Amount, error) {
	var sum decimal.Decimal
	for _, text := range []string{a, b} {
		if !plain(text) {
			return Amount{}, fmt.Errorf("%w: %q", ErrNotNumber, clip(text))
		}
		value, err := decimal.NewFromString(text)
		if err != nil {
			return Amount{}, fmt.Errorf("%w: %q", ErrNotNumber, clip(text))
		}
		sum = sum.Add(value)
	}
	return parseExact(sum.String(), currency)
}
