package config

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/tarspay-payouts/orchestrator/money"
)

// WithdrawalFee is how the fee of a merchant's withdrawals is computed, which the gateway
// charges on top of the amount. The amounts are in one currency.
type WithdrawalFee struct {
	Currency string
	share    int64 // in millionths of the amount
	fixed    int64 // minor units, as are min and max
	min, max int64 // of the whole fee; max 0: none
	round    rounding
}

// rounding says what happens to the share of an amount between two amounts that the gateway
// takes.
type rounding string

const (
	roundUp      rounding = "up"
	roundDown    rounding = "down"
	roundNearest rounding = "nearest" // half goes up
)

// Of returns the fee on top of an amount. The share is rounded to multiples of step, in minor
// units. No fee is above the amount, because the ledger believes no such fee. The zero Amount
// if the amount is in another currency.
func (f WithdrawalFee) Of(amount money.Amount, step int64) money.Amount {
	if amount.Currency() != f.Currency {
		return money.Amount{}
	}
	unit := big.NewInt(money.Millionth * step)
	share := new(big.Int).Mul(big.NewInt(amount.Minor()), big.NewInt(f.share))
	switch f.round {
	case roundUp:
		share.Add(share, new(big.Int).Sub(unit, big.NewInt(1)))
	case roundNearest:
		share.Add(share, new(big.Int).Rsh(unit, 1))
	case roundDown:
	}
	fee := max(share.Div(share, unit).Int64()*step+f.fixed, f.min) // at most all of the amount, and fixed
	if f.max > 0 {
		fee = min(fee, f.max)
	}
	result, err := money.Minor(min(fee, amount.Minor()), f.Currency)
	if err != nil {
		return money.Amount{}
	}
	return result
}

// WithdrawalFees holds the fees on top of withdrawals, by merchant number.
type WithdrawalFees map[string]WithdrawalFee

const feeForm = "write each as merchant number, currency, fee and options, like M1700000001:PKR:1.5%+10:min=20:max=500:round=up"

// Decode reads "M1700000001:PKR:1.5%+10:min=20:max=500:round=up,M1700000002:VND:3000".
func (l *WithdrawalFees) Decode(text string) error {
	fees := make(WithdrawalFees)
	for _, part := range split(text) {
		number, rest, _ := strings.Cut(part, ":")
		currency, terms, _ := strings.Cut(rest, ":")
		if !validMerchant(number) || terms == "" {
			return fmt.Errorf("has the entry %q; %s", clip(part), feeForm)
		}
		if _, twice := fees[number]; twice {
			return fmt.Errorf("has two fees for merchant %s; keep one", number)
		}
		fee, err := parseFee(currency, terms)
		if err != nil {
			return fmt.Errorf("has the entry %q (%w); %s", clip(part), err, feeForm)
		}
		fees[number] = fee
	}
	if len(fees) > maxEntries {
		return fmt.Errorf("lists %d merchants; at most %d fit one process", len(fees), maxEntries)
	}
	*l = fees
	return nil
}

// parseFee reads "1.5%+10:min=20:max=500:round=up".
func parseFee(currency, text string) (WithdrawalFee, error) {
	fee := WithdrawalFee{Currency: currency}
	if _, err := money.Decimals(currency); err != nil {
		return fee, err
	}
	parts := strings.Split(text, ":")
	if err := fee.setBase(parts[0]); err != nil {
		return fee, err
	}
	for _, option := range parts[1:] {
		name, value, _ := strings.Cut(option, "=")
		if err := fee.set(name, value); err != nil {
			return fee, err
		}
	}
	switch {
	case fee.max > 0 && fee.min > fee.max:
		return fee, errors.New("min is above max")
	case fee.round != "" && fee.share == 0:
		return fee, errors.New("only a percentage is rounded")
	case fee.round == "":
		fee.round = roundUp
	}
	return fee, nil
}

// setBase reads "1.5%", "10" or "1.5%+10".
func (f *WithdrawalFee) setBase(text string) (err error) {
	fixed := text
	if share, rest, percent := strings.Cut(text, "%"); percent {
		if f.share, err = parseShare(share); err != nil || rest == "" {
			return err
		}
		var plus bool
		if fixed, plus = strings.CutPrefix(rest, "+"); !plus {
			return fmt.Errorf("after the percent sign comes + and an amount, not %q", clip(rest))
		}
	}
	f.fixed, err = f.amount("the fee", fixed)
	return err
}

// set reads an option, which may be there once.
func (f *WithdrawalFee) set(name, value string) (err error) {
	var twice bool
	switch name {
	case "min":
		twice = f.min != 0
		f.min, err = f.amount(name, value)
	case "max":
		twice = f.max != 0
		f.max, err = f.amount(name, value)
	case "round":
		twice = f.round != ""
		err = choose(&f.round, value, roundUp, roundDown, roundNearest)
	default:
		return fmt.Errorf("knows min, max and round, not %q", clip(name))
	}
	if twice {
		return fmt.Errorf("%s is there twice", name)
	}
	return err
}

// amount reads an amount above zero, and returns its minor units.
func (f *WithdrawalFee) amount(what, text string) (int64, error) {
	amount, err := money.Parse(text, f.Currency)
	if err != nil {
		return 0, err
	}
	if !amount.IsPositive() {
		return 0, fmt.Errorf("%s must be above zero; leave out what is nothing", what)
	}
	return amount.Minor(), nil
}

var shareShape = regexp.MustCompile(`^(0|[1-9][0-9]{0,2})(\.[0-9]{1,4})?$`)

// parseShare reads a percentage above zero and up to 100, with at most four decimals. It
// returns millionths.
func parseShare(text string) (int64, error) {
	const ofPercent = 10_000
	value, err := decimal.NewFromString(text)
	if err != nil || !shareShape.MatchString(text) {
		return 0, fmt.Errorf("%q is no percentage; it has at most four decimals", clip(text))
	}
	share := value.Mul(decimal.NewFromInt(ofPercent)).IntPart()
	if share == 0 || share > money.Millionth {
		return 0, fmt.Errorf("%s%% is not above zero and at most 100%%", text)
	}
	return share, nil
}
