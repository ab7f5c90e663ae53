package statement

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// timeForm is a form of times.
type timeForm struct {
	layout string // of package time
	unix   int64  // a number of seconds (1) or milliseconds (1000) since 1970
}

// tokens are the parts of a form and what package time calls them. A token that begins
// another one stands after it.
var tokens = strings.NewReplacer(
	"YYYY", "2006", "MMM", "Jan", "MM", "01", "DD", "02", "hh", "15", "mm", "04", "ss", "05", "M", "1", "D", "2",
)

var formShape = regexp.MustCompile(`^(YYYY|MMM|MM|DD|hh|mm|ss|M|D|AM|[ ,:./T-])+$`)

// newTimeForm reads a form such as DD/MM/YYYY hh:mm.
func newTimeForm(text string) (timeForm, error) {
	switch text {
	case "rfc3339":
		return timeForm{layout: time.RFC3339}, nil
	case "unix":
		return timeForm{unix: 1}, nil
	case "unix_ms":
		return timeForm{unix: 1000}, nil
	}
	has := func(token string) bool { return strings.Contains(text, token) }
	if !formShape.MatchString(text) || !has("YYYY") || !has("M") || !has("D") {
		return timeForm{}, fmt.Errorf("times: %.40q is no form; use YYYY, MM (or M, MMM), DD (or D), hh, mm, ss, AM, or one of rfc3339, unix, unix_ms", text)
	}
	layout := tokens.Replace(strings.ReplaceAll(text, "AM", "\x00"))
	if has("AM") {
		layout = strings.ReplaceAll(strings.ReplaceAll(layout, "15", "3"), "\x00", "PM")
	}
	return timeForm{layout: layout}, nil
}

// Errors of a time.
var (
	errNoTime    = errors.New("the time has no form of the profile")
	errTwoTimes  = errors.New("the time has two forms of the profile, and they mean different times")
	errWrongTime = errors.New("the number is no date")
)

// readTime reads a time in the zone of the profile, unless it names its own.
func (p *Profile) readTime(text string) (time.Time, error) {
	var found time.Time
	for _, form := range p.times {
		at, ok := form.read(text, p.zone)
		switch {
		case !ok:
		case !found.IsZero() && !at.Equal(found):
			return time.Time{}, errTwoTimes
		default:
			found = at
		}
	}
	if found.IsZero() {
		return found, errNoTime
	}
	return found, nil
}

// Digits of Unix times. More digits of seconds are milliseconds.
const (
	unixDigits  = 10
	milliDigits = 13
)

func (f timeForm) read(text string, zone *time.Location) (time.Time, bool) {
	if f.unix == 0 {
		at, err := time.ParseInLocation(f.layout, text, zone)
		return at, err == nil
	}
	seconds := len(text) <= unixDigits
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) > milliDigits || number < 0 || seconds != (f.unix == 1) {
		return time.Time{}, false
	}
	return time.UnixMilli(number * (1000 / f.unix)), true
}

// Days of Excel. Day 60 is 29 February 1900, which never was.
const (
	excelDays    = 100_000 // a larger number is no day: it is past the year 2173
	excelLeap    = 60
	millisPerDay = 24 * 60 * 60 * 1000
)

// excelTime reads a number of a workbook as a time: days, of which the part after the
// point is the time of day, to the millisecond.
func (p *Profile) excelTime(text string, since1904 bool) (time.Time, error) {
	days, ok := excelNumber(text)
	if !ok || days.Sign() <= 0 {
		return time.Time{}, errWrongTime
	}
	if days.Cmp(big.NewRat(excelDays, 1)) >= 0 {
		return p.readTime(text) // seconds of Unix
	}
	millis := new(big.Rat).Mul(days, big.NewRat(millisPerDay, 1))
	whole := new(big.Int).Quo(new(big.Int).Add(new(big.Int).Mul(millis.Num(), big.NewInt(2)), millis.Denom()), new(big.Int).Mul(millis.Denom(), big.NewInt(2)))
	count := whole.Int64()
	day, rest := count/millisPerDay, count%millisPerDay
	first := time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC)
	switch {
	case since1904:
		first = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case day > excelLeap:
		day--
	}
	date := first.AddDate(0, 0, int(day))
	clock := time.Duration(rest) * time.Millisecond
	return time.Date(date.Year(), date.Month(), date.Day(), int(clock.Hours()), int(clock.Minutes())%60, int(clock.Seconds())%60,
		int(clock%time.Second), p.zone), nil
}

// maxNumber is the longest text of a number, in bytes.
const maxNumber = 40

// errAmount is the error of a text that is no amount.
var errAmount = errors.New("it is no amount")

// plainAmount returns the digits of an amount with a dot before its decimals, and whether
// it is negative. It takes separators of thousands, a sign before or after, and
// parentheses for a negative amount.
func (p *Profile) plainAmount(text string) (plain string, negative bool, err error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\u2212", "-"))
	if len(text) > maxNumber {
		return "", false, errAmount
	}
	switch {
	case strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")"):
		text, negative = text[1:len(text)-1], true
	case strings.HasPrefix(text, "-"):
		text, negative = text[1:], true
	case strings.HasSuffix(text, "-"):
		text, negative = text[:len(text)-1], true
	case strings.HasPrefix(text, "+"):
		text = text[1:]
	}
	whole, decimals, has := strings.Cut(strings.TrimSpace(text), string(p.decimal))
	if has && !digitsOnly(decimals) {
		return "", false, errAmount
	}
	if whole, err = p.ungrouped(whole); err != nil {
		return "", false, err
	}
	if has {
		return whole + "." + decimals, negative, nil
	}
	return whole, negative, nil
}

func digitsOnly(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// ungrouped removes separators of thousands. The last group has three digits, and the
// others two or three: 12,34,567 is written in India.
func (p *Profile) ungrouped(text string) (string, error) {
	groups := ","
	if p.decimal == ',' {
		groups = "."
	}
	at := strings.IndexAny(text, groups+" '\u00a0\u202f\u2019")
	if at < 0 {
		if !digitsOnly(text) {
			return "", errAmount
		}
		return text, nil
	}
	_, size := utf8.DecodeRuneInString(text[at:])
	parts := strings.Split(text, text[at:at+size])
	const thousand, lakh = 3, 2
	for i, part := range parts {
		fits := len(part) == thousand || i < len(parts)-1 && len(part) == lakh
		if i == 0 {
			fits = len(part) >= 1 && len(part) <= thousand
		}
		if !fits || !digitsOnly(part) {
			return "", errAmount
		}
	}
	return strings.Join(parts, ""), nil
}

var numberShape = regexp.MustCompile(`^-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$`)

// excelNumber reads a number of a workbook exactly.
func excelNumber(text string) (*big.Rat, bool) {
	if !numberShape.MatchString(text) {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// excelDigits is how many digits of a number Excel keeps. What is beyond them is not of the
// amount.
const excelDigits = 15

// excelAmount returns the digits of a number of a workbook.
func excelAmount(text string) (plain string, negative bool, err error) {
	value, ok := excelNumber(text)
	if !ok {
		return "", false, errAmount
	}
	negative = value.Sign() < 0
	value.Abs(value)
	whole := new(big.Int).Quo(value.Num(), value.Denom()).String()
	if len(whole) > excelDigits {
		return "", false, errAmount
	}
	plain = value.FloatString(excelDigits - len(whole))
	if strings.Contains(plain, ".") {
		plain = strings.TrimRight(strings.TrimRight(plain, "0"), ".")
	}
	return plain, negative, nil
}

// mangled matches a long number that a spreadsheet has shortened.
var mangled = regexp.MustCompile(`^[0-9][.,][0-9]+[eE]\+?[0-9]+$`)
