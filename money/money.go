// Package money holds exact amounts of one currency.
//
// An Amount counts minor units (cents, paisa; whole units for currencies that
// have no minor unit, like VND and KRW) in an int64. Text is parsed by a decimal
// library and refused when an int64 cannot hold it exactly. No package of ours
// uses a float for money.
//
// It imports no other package of ours and knows neither orders, nor countries,
// nor the gateway.
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
	ErrAmbiguous = errors.New("three digits after the dot: the dot may separate thousands")
	ErrMismatch  = errors.New("amounts of different currencies")
	ErrForm      = errors.New(`not an amount such as {"value":"1500.00","currency":"PKR"}`)
)

// Most is the largest amount of one order, one limit or one adjustment, in minor
// units. The sum of nine thousand of them fits an int64.
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

// Parse reads an amount from a request: "1500", "-12.50". The text has digits,
// at most one point, at most as many decimals as the currency, and no exponent,
// blank, separator or leading zero. "500.000" VND is refused with ErrPrecision,
// because it may mean half a million. An amount above Most or below -Most is
// ErrRange.
func Parse(text, currency string) (Amount, error) {
	amount, err := parseExact(text, currency)
	if err == nil && !amount.Within(Most) {
		return Amount{}, fmt.Errorf("%w: %q %s", ErrRange, clip(text), currency)
	}
	return amount, err
}

// parseExact is Parse without the limit Most: it reads sums as well.
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

// ParseAnswer reads an amount from an answer of the gateway. It may have more
// decimals than the currency if these are zeros: "100.00" VND is 100. Exactly
// three decimals, all zeros, of a currency that has fewer are ErrAmbiguous.
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

// Decimals returns how many digits ISO 4217 gives the currency after the point:
// 2 for PKR, 0 for VND.
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

// Within reports whether the amount is between -most and most minor units.
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

// Compare returns -1 if a is below b, 0 if they are equal, 1 if a is above b.
// The error is ErrMismatch.
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

// Short is the amount without trailing zeros after the point: "1500", "12.5".
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

// UnmarshalJSON reads what MarshalJSON writes. It refuses unknown members,
// repeated members and other spellings, and reads the value as strictly as Parse.
// It accepts amounts above Most, because sums are stored as well; the validation
// of an order checks that limit. The zero Amount reads back as the zero Amount.
func (a *Amount) UnmarshalJSON(data []byte) error {
	var w wire
	data = bytes.TrimSpace(data)
	if string(data) == "null" { // encoding/json: null leaves the value unchanged
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

// Millionth is how many millionths make one minor unit; see ParseFiner.
const Millionth = 1_000_000

// ParseFiner reads an amount of the gateway's that may have more decimals than
// the currency, such as a fee of 1.2 per cent. It returns the whole minor units,
// and the rest in millionths of a minor unit, both rounded towards zero. It does
// not decide whether a dot separates thousands; the caller does.
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

// AddAnswers adds two amounts of the gateway's. Each may have more decimals than
// the currency, as long as the sum has not. The errors are ErrCurrency,
// ErrNotNumber, ErrPrecision and ErrRange.
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
