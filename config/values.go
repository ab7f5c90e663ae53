package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // machines may have no time zones

	"github.com/tarspay-payouts/orchestrator/money"
)

// Limits on lists. They catch a whole file pasted into a setting.
const (
	maxEntries = 256
	maxSteps   = 32
)

const (
	privateKeyDigits = 64
	publicKeyDigits  = 66
	maxMerchant      = 64 // bytes of a merchant number
)

// Ladder is a list of pauses between tries. The last pause repeats.
type Ladder []time.Duration

// Decode reads "5s,10s,1m".
func (l *Ladder) Decode(text string) error {
	var steps Ladder
	for _, part := range split(text) {
		step, err := time.ParseDuration(part)
		if err != nil {
			return fmt.Errorf("has the step %q, which is not a duration; write it like 500ms, 5s or 10m", clip(part))
		}
		if step < 10*time.Millisecond || step > 24*time.Hour {
			return fmt.Errorf("has the step %s; steps are between 10ms and 24h", step)
		}
		steps = append(steps, step)
	}
	if len(steps) == 0 || len(steps) > maxSteps {
		return fmt.Errorf("has %d steps; list between 1 and %d durations, like 5s,10s,1m", len(steps), maxSteps)
	}
	*l = steps
	return nil
}

// Step returns the pause after the n-th try, counted from 1.
func (l Ladder) Step(n int) time.Duration {
	return l[min(max(n, 1), len(l))-1]
}

// Merchant is a merchant number and the country that the gateway gave it for.
// This package does not check that the country is known.
type Merchant struct {
	Number  string // the gateway's mchNo
	Country string // ISO 3166 alpha-2, upper case
	// Zone is where the merchant's days begin and end; nil: where the country's do.
	Zone *time.Location
}

// ZoneOr returns the merchant's own time zone, or that of its country.
func (m Merchant) ZoneOr(country *time.Location) *time.Location {
	if m.Zone != nil {
		return m.Zone
	}
	return country
}

// MerchantList holds the merchants that the process works for.
type MerchantList []Merchant

// Decode reads "M1700000001:PK,M1700000002:ID:Asia/Jayapura".
func (l *MerchantList) Decode(text string) error {
	var merchants MerchantList
	for _, part := range split(text) {
		number, rest, _ := strings.Cut(part, ":")
		country, zone, own := strings.Cut(rest, ":")
		country = strings.ToUpper(country)
		if !validMerchant(number) || len(country) != 2 {
			return fmt.Errorf("has the entry %q; write each as merchant number, colon, two-letter country, like M1700000001:PK", clip(part))
		}
		if merchants.Has(number) {
			return fmt.Errorf("lists merchant %s twice; a merchant number belongs to one country", number)
		}
		merchant := Merchant{Number: number, Country: country}
		if own {
			var err error
			if merchant.Zone, err = time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
				return fmt.Errorf("gives merchant %s the time zone %q, which does not exist; write an IANA name, like M1700000001:PK:Asia/Karachi", number, clip(zone))
			}
		}
		merchants = append(merchants, merchant)
	}
	if len(merchants) > maxEntries {
		return fmt.Errorf("lists %d merchants; at most %d fit one process", len(merchants), maxEntries)
	}
	*l = merchants
	return nil
}

// Has reports whether the merchant is configured.
func (l MerchantList) Has(number string) bool {
	return slices.ContainsFunc(l, func(m Merchant) bool { return m.Number == number })
}

// Numbers lists the merchant numbers.
func (l MerchantList) Numbers() []string {
	numbers := make([]string, len(l))
	for i, m := range l {
		numbers[i] = m.Number
	}
	return numbers
}

// Countries returns the country of each merchant, by merchant number.
func (l MerchantList) Countries() map[string]string {
	countries := make(map[string]string, len(l))
	for _, m := range l {
		countries[m.Number] = m.Country
	}
	return countries
}

// Of lists the merchant numbers of a country.
func (l MerchantList) Of(country string) []string {
	var numbers []string
	for _, m := range l {
		if m.Country == country {
			numbers = append(numbers, m.Number)
		}
	}
	return numbers
}

// PublicKeys holds the gateway's public keys: one, or several during a rotation.
type PublicKeys []string

// Decode reads compressed secp256k1 points in hex, separated by commas. Its
// errors never quote them: a private key pasted here must not be logged.
func (k *PublicKeys) Decode(text string) error {
	var keys PublicKeys
	for i, part := range split(text) {
		part = strings.ToLower(part)
		if !isHex(part, publicKeyDigits) || (part[:2] != "02" && part[:2] != "03") {
			return fmt.Errorf("has as entry %d no public key; each is 66 hex digits starting with 02 or 03", i+1)
		}
		keys = append(keys, part)
	}
	if len(keys) > maxSteps {
		return fmt.Errorf("lists %d keys; at most %d are allowed", len(keys), maxSteps)
	}
	*k = keys
	return nil
}

// PrivateKeys holds the merchants' private keys, by merchant number.
type PrivateKeys map[string]Secret

// Decode reads "M1700000001:<64 hex digits>,…". It never quotes a key.
func (k *PrivateKeys) Decode(text string) error {
	keys := make(PrivateKeys)
	for i, part := range split(text) {
		number, key, _ := strings.Cut(part, ":")
		if !validMerchant(number) || !isHex(key, privateKeyDigits) {
			return fmt.Errorf("has as entry %d no private key; write each as merchant number, colon, 64 hex digits", i+1)
		}
		if _, twice := keys[number]; twice {
			return fmt.Errorf("has two keys for merchant %s; keep one", number)
		}
		keys[number] = Secret(key)
	}
	if len(keys) > maxEntries {
		return fmt.Errorf("has %d keys; at most %d fit one process", len(keys), maxEntries)
	}
	*k = keys
	return nil
}

// AmountLimits holds the largest amount of one order, by ISO currency.
type AmountLimits map[string]money.Amount

// Decode reads "PKR:50000,VND:20000000".
func (l *AmountLimits) Decode(text string) error {
	limits := make(AmountLimits)
	for _, part := range split(text) {
		currency, number, _ := strings.Cut(part, ":")
		amount, err := money.Parse(number, currency)
		if err != nil {
			return fmt.Errorf("has the entry %q (%w); write each as currency, colon, amount, like PKR:50000", clip(part), err)
		}
		if !amount.IsPositive() {
			return fmt.Errorf("limits %s to %s; a limit is above zero", currency, amount)
		}
		if _, twice := limits[currency]; twice {
			return fmt.Errorf("limits %s twice; keep one", currency)
		}
		limits[currency] = amount
	}
	*l = limits
	return nil
}

// Codes are codes of the gateway.
type Codes []string

// Decode reads "5003016,5003019". It refuses 0, which means success, and -1,
// which the gateway uses for any failure.
func (c *Codes) Decode(text string) error {
	var codes Codes
	for _, part := range split(text) {
		if !codeShape.MatchString(part) {
			return fmt.Errorf("has the entry %q; write each as the gateway's number above zero, like 5003016", clip(part))
		}
		if slices.Contains(codes, part) {
			return fmt.Errorf("lists %s twice; keep one", part)
		}
		codes = append(codes, part)
	}
	if len(codes) > maxSteps {
		return fmt.Errorf("lists %d codes; at most %d are allowed", len(codes), maxSteps)
	}
	*c = codes
	return nil
}

var codeShape = regexp.MustCompile(`^[1-9][0-9]{0,9}$`)

// Confirm says which callbacks are confirmed by a query.
type Confirm string

// The choices.
const (
	ConfirmFailures Confirm = "failures" // those that would release money
	ConfirmAlways   Confirm = "always"   // every one
)

// Decode reads "failures" or "always".
func (c *Confirm) Decode(text string) error { return choose(c, text, ConfirmFailures, ConfirmAlways) }

// ShortBalance says what happens to a withdrawal when the balance does not cover
// it.
type ShortBalance string

// The choices.
const (
	ShortBalanceFail ShortBalance = "fail" // it fails at once
	ShortBalanceWait ShortBalance = "wait" // it waits for funds, up to the deadline
)

// Decode reads "fail" or "wait".
func (s *ShortBalance) Decode(text string) error {
	return choose(s, text, ShortBalanceFail, ShortBalanceWait)
}

// LogFormat is the format of log lines.
type LogFormat string

// The choices.
const (
	LogJSON LogFormat = "json"
	LogText LogFormat = "text"
)

// Decode reads "json" or "text".
func (f *LogFormat) Decode(text string) error { return choose(f, text, LogJSON, LogText) }

func choose[T ~string](target *T, text string, choices ...T) error {
	if !slices.Contains(choices, T(text)) {
		return fmt.Errorf("is %q; choose one of %v", clip(text), choices)
	}
	*target = T(text)
	return nil
}

// split splits a comma list. It trims entries and drops empty ones.
func split(text string) []string {
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// validMerchant reports whether a merchant number is safe in file names, workflow
// ids and logs.
func validMerchant(number string) bool {
	return number != "" && len(number) <= maxMerchant && strings.IndexFunc(number, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) < 0
}

func isHex(text string, digits int) bool {
	return len(text) == digits && strings.IndexFunc(text, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F')
	}) < 0
}

// maxQuoted bounds how much of a wrong value an error repeats, in bytes.
const maxQuoted = 40

func clip(text string) string {
	if len(text) > maxQuoted {
		return strings.ToValidUTF8(text[:maxQuoted], "") + "…"
	}
	return text
}
