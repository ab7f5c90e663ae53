package tarspay

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
)

// ErrAmount means an amount cannot be sent to the gateway of this country; the
// text says why.
var ErrAmount = errors.New("amount cannot be sent")

// Profile holds the facts about the gateway in one country. It is read from
// countries/<code>.yaml; treat it as read-only.
type Profile struct {
	Sum string // SHA-256 of its file, in hex: identifies the version of the profile

	Code            string // ISO 3166: "TH"
	Name            string // "Thailand"
	Currency        string // ISO 4217: "THB"
	GatewayCurrency string // the gateway's code: "THA"
	// TimeZone is where the country's days begin and end. Of a country with several
	// it is that of its largest city.
	TimeZone *time.Location
	// Documented is false if the pages name the country and describe nothing of it.
	Documented bool
	Note       string
	Amount     AmountRule
	Phone      PhoneRule
	// IBANLength is the length of the country's IBANs, 0 if it has none.
	IBANLength int
	Deposit    Side
	Withdrawal Side
	// CallbackStates are the states the country's callback page lists.
	CallbackStates CallbackStates
	// Endpoints are the country's calls in addition to the creates, the queries
	// and the balance.
	Endpoints []Endpoint
}

// AmountRule says how amounts must be written for the gateway.
type AmountRule struct {
	Decimals   int // digits after the point: 0, or those of the currency
	Confidence Confidence
	Source     string
	Note       string
}

// Step returns the smallest amount that the gateway takes, in minor units: 100 for a
// currency with two decimals of which the gateway takes none.
func (p *Profile) Step() int64 {
	step := int64(1)
	for decimals, _ := money.Decimals(p.Currency); decimals > p.Amount.Decimals; decimals-- {
		step *= 10
	}
	return step
}

// CallbackStates are the states that a country's callback page lists. Callbacks
// with other states may still arrive.
type CallbackStates struct {
	Deposit    []State
	Withdrawal []State
	Confidence Confidence
	Source     string
}

// Endpoint is one of the calls that only some countries have.
type Endpoint struct {
	Operation  Operation
	Confidence Confidence
	Source     string
	Note       string
}

// Side is one direction of a country.
type Side struct {
	// Documented is false if the page of the create was not accessible: the path
	// and the common members are known, ways and fields are not.
	Documented bool
	// WaysComplete is whether Ways lists all ways. If not, other ways of safe
	// characters are accepted.
	WaysComplete bool
	// WaysAreBanks is whether the way is the code of the payee's bank or wallet.
	WaysAreBanks bool
	Ways         []Way
	Fields       []Field
	// FieldsComplete is whether Fields lists all members beside the common ones. If
	// not, other members are accepted, unless one looks misspelt or could name
	// another payee.
	FieldsComplete bool
	// Payee says which members name who is paid, or who pays a deposit. The first
	// rule for the way applies.
	Payee []PayeeRule
	// ReturnURLRequired is whether the page demands a returnUrl.
	ReturnURLRequired bool
	// DailyCap is the limit per payer or payee and day, zero if none is
	// documented. This package does not enforce it.
	DailyCap    money.Amount
	DailyCapPer string // "customer", "person"
	// Expiry is how long an order stays payable, 0 if unknown.
	Expiry           time.Duration
	ExpiryConfidence Confidence
	ExpirySource     string
	Confidence       Confidence
	Source           string
	Note             string
}

// Way is one method of paying: a wayCode.
type Way struct {
	Code string // sent exactly as written, including case, blanks and quotes
	// Names are the page's names; two if the page lists the code twice.
	Names []string
	Kind  string // cashier, bank, ewallet, qr, va, upi, store, card
	// Min and Max bound one order; the zero Amount means that none is documented.
	Min, Max money.Amount
	// Amounts are the only amounts accepted; nil accepts any.
	Amounts []money.Amount
	// Closed is whether the page says that the way is out of service.
	Closed bool
	// ConfusedWith are similar texts that are not this way's code.
	ConfusedWith []string
	// SameAs is the code of another way that reaches the same accounts, or "".
	SameAs string
	// IBAN is the bank's code in an IBAN, "" if none is known.
	IBAN string
	// Accepts are the places that take the payment, for kind store.
	Accepts    []string
	Confidence Confidence
	Source     string
	Note       string
}

// Field is a member of the create request beyond the common ones.
type Field struct {
	Name           string
	Required       bool     // always
	RequiredFor    []string // by these ways
	RequiredUnless []string // by all ways but these
	OmitFor        []string // must be left out for these ways
	Pattern        *regexp.Regexp
	Rule           string   // the pattern in words: "must start with 254, without plus"
	Values         []string // known values; others are accepted
	Confidence     Confidence
	Source         string
	Note           string
}

// RequiredBy reports whether the way needs the field.
func (f Field) RequiredBy(way string) bool {
	return f.Required || slices.Contains(f.RequiredFor, way) ||
		len(f.RequiredUnless) > 0 && !slices.Contains(f.RequiredUnless, way)
}

//go:embed countries/*.yaml
var countryFiles embed.FS

var countryTable = sync.OnceValue(func() map[string]*Profile {
	entries, err := countryFiles.ReadDir("countries")
	if err != nil {
		panic(err) // the files are embedded in the program
	}
	table := make(map[string]*Profile)
	for _, entry := range entries {
		name := path.Join("countries", entry.Name())
		data, err := countryFiles.ReadFile(name)
		if err != nil {
			panic(err)
		}
		profile, err := readProfile(name, data)
		if err != nil {
			panic(err) // the tests read every file
		}
		sum := sha256.Sum256(data)
		profile.Sum = hex.EncodeToString(sum[:])
		table[profile.Code] = profile
	}
	return table
})

// Country returns the profile of an ISO 3166 code in upper case.
func Country(code string) (*Profile, bool) {
	profile, known := countryTable()[code]
	return profile, known
}

// Countries returns all profiles in the order of their codes.
func Countries() []*Profile {
	var profiles []*Profile
	for _, profile := range countryTable() {
		profiles = append(profiles, profile)
	}
	slices.SortFunc(profiles, func(a, b *Profile) int { return strings.Compare(a.Code, b.Code) })
	return profiles
}

// Side returns the part of the profile for a direction; the empty Side if the
// direction does not exist.
func (p *Profile) Side(direction Direction) Side {
	switch direction {
	case DirectionDeposit:
		return p.Deposit
	case DirectionWithdrawal:
		return p.Withdrawal
	}
	return Side{}
}

// Ways returns the known ways of a direction, in the order of the page.
func (p *Profile) Ways(direction Direction) []Way { return slices.Clone(p.Side(direction).Ways) }

// Way returns a known way by its exact code.
func (p *Profile) Way(direction Direction, code string) (Way, bool) {
	for _, way := range p.Side(direction).Ways {
		if way.Code == code {
			return way, true
		}
	}
	return Way{}, false
}

// DetailsComplete reports whether the profile lists every member that an order may
// have beside the common ones. If so, Check refuses any other member except
// ScenarioMember.
func (p *Profile) DetailsComplete(direction Direction) bool { return p.Side(direction).FieldsComplete }

// HasEndpoint reports whether the country has one of the extra calls.
func (p *Profile) HasEndpoint(operation Operation) bool {
	return slices.ContainsFunc(p.Endpoints, func(e Endpoint) bool { return e.Operation == operation })
}

// GatewayAmount writes an amount as the gateway expects it in this country:
// without decimals, or with all of the currency's decimals if the amount needs
// them ("100", "12.50"). The error is ErrAmount: another currency, an amount of
// zero or less, or decimals in a country that accepts none.
func (p *Profile) GatewayAmount(amount money.Amount) (string, error) {
	if violation, bad := p.checkAmountForm(amount); bad {
		return "", fmt.Errorf("tarspay: %w: %s", ErrAmount, violation.Message)
	}
	whole, _, fraction := strings.Cut(amount.Short(), ".")
	if !fraction {
		return whole, nil
	}
	return amount.Number(), nil
}

// ParseAmount reads the gateway's text as an amount in the country's currency.
// The errors are those of money.ParseAnswer.
func (p *Profile) ParseAmount(text string) (money.Amount, error) {
	return money.ParseAnswer(text, p.Currency)
}

// ParseBalance reads a balance of the gateway's. It may have more decimals than
// the currency, because fees may; the rest is cut off. Exactly three decimals of a
// currency that has fewer are money.ErrAmbiguous: the dot may separate thousands.
func (p *Profile) ParseBalance(text string) (money.Amount, error) {
	amount, err := p.ParseAmount(text)
	if !errors.Is(err, money.ErrPrecision) {
		return amount, err
	}
	const thousand = 3
	digits, unknown := money.Decimals(p.Currency)
	if _, decimals, _ := strings.Cut(text, "."); unknown != nil || (len(decimals) == thousand && digits < thousand) {
		return money.Amount{}, fmt.Errorf("%w: a balance with %d decimals of %s", money.ErrAmbiguous, len(decimals), p.Currency)
	}
	amount, _, err = money.ParseFiner(text, p.Currency)
	return amount, err
}
