package tarspay

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Codes of violations. They are stable.
const (
	ViolationCountry       = "UNKNOWN_COUNTRY"
	ViolationDirection     = "DIRECTION_UNDOCUMENTED" // the country is undocumented, or there is no such direction
	ViolationWay           = "UNKNOWN_WAY"
	ViolationBank          = "UNKNOWN_BANK"
	ViolationWayClosed     = "WAY_CLOSED"
	ViolationCurrency      = "WRONG_CURRENCY"
	ViolationNotPositive   = "AMOUNT_NOT_POSITIVE"
	ViolationPrecision     = "AMOUNT_PRECISION"
	ViolationTooSmall      = "AMOUNT_TOO_SMALL"
	ViolationTooLarge      = "AMOUNT_TOO_LARGE"
	ViolationNotOffered    = "AMOUNT_NOT_OFFERED" // not one of the face values
	ViolationMissing       = "MISSING_FIELD"
	ViolationMalformed     = "MALFORMED_FIELD"
	ViolationUnwanted      = "UNWANTED_FIELD" // must be left out for this way
	ViolationUnknownField  = "UNKNOWN_FIELD"  // no member has this name
	ViolationTwoPayees     = "TWO_PAYEES"     // two members name two accounts
	ViolationReserved      = "RESERVED_FIELD" // set from the order itself
	ViolationFieldTooLong  = "FIELD_TOO_LONG"
	ViolationTooManyFields = "TOO_MANY_FIELDS"
)

// maxWayBytes limits a way outside an incomplete list. The longest documented way,
// a bank's name, has about sixty bytes.
const maxWayBytes = 128

// Violation is one thing wrong with an order. The message is a sentence for
// people and never repeats a value from the fields.
type Violation struct {
	Code    string // one of the Violation constants
	Field   string // "country", "way", "currency", "amount", or the gateway's name of the member; several names of one cause are joined with ", "
	Message string
}

// Check is Profile.Check for a country code. An unknown country is a violation,
// too.
func Check(country string, direction Direction, way string, amount money.Amount, fields map[string]string) []Violation {
	profile, known := Country(country)
	if !known {
		var codes []string
		for _, profile := range Countries() {
			codes = append(codes, profile.Code)
		}
		return []Violation{{ViolationCountry, "country", "no such country; known are " + strings.Join(codes, ", ")}}
	}
	return profile.Check(direction, way, amount, fields)
}

// Check returns everything that is known to be wrong with an order, sorted by
// field and code; nil if nothing is. In addition to the documented rules, the
// order must name exactly one payee, in the country's format. Where a list of the
// profile is incomplete, Check accepts ways that are not a misspelt known way, and
// members that cannot name a payee.
func (p *Profile) Check(direction Direction, way string, amount money.Amount, fields map[string]string) []Violation {
	found := p.CheckDocumented(direction, way, amount, fields)
	if p.Documented && (direction == DirectionDeposit || direction == DirectionWithdrawal) {
		if violation, bad := p.checkNearMiss(p.Side(direction), way); bad {
			found = append(found, violation)
		}
		found = append(found, p.checkUnknown(direction, fields)...)
		found = append(found, p.checkPayee(direction, way, fields, found)...)
	}
	sortViolations(found)
	return found
}

// CheckDocumented returns violations of the documented rules only.
func (p *Profile) CheckDocumented(direction Direction, way string, amount money.Amount, fields map[string]string) []Violation {
	if !p.Documented || direction != DirectionDeposit && direction != DirectionWithdrawal {
		return []Violation{p.violation(ViolationDirection, "country", "no page describes a %s", direction)}
	}
	side := p.Side(direction)
	var found []Violation
	if violation, bad := p.checkAmountForm(amount); bad {
		found = append(found, violation)
	}
	if known, ok := p.Way(direction, way); ok {
		found = append(found, p.checkKnownWay(known, amount)...)
	} else if violation, bad := p.checkUnknownWay(side, way); bad {
		found = append(found, violation)
	}
	for _, field := range side.Fields {
		if violation, bad := p.checkField(field, way, fields[field.Name]); bad {
			found = append(found, violation)
		}
	}
	found = append(found, p.checkLimits(fields)...)
	sortViolations(found)
	return found
}

func sortViolations(found []Violation) {
	slices.SortFunc(found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Code, b.Code))
	})
}

func (p *Profile) violation(code, field, format string, values ...any) Violation {
	return Violation{Code: code, Field: field, Message: p.Name + ": " + fmt.Sprintf(format, values...)}
}

// checkAmountForm checks the rules for every amount of the country.
func (p *Profile) checkAmountForm(amount money.Amount) (Violation, bool) {
	switch {
	case !p.Documented:
		return p.violation(ViolationDirection, "country", "no page describes its amounts"), true
	case amount.Currency() != p.Currency:
		return p.violation(ViolationCurrency, "currency", "the currency is %s, not %q", p.Currency, amount.Currency()), true
	case !amount.IsPositive():
		return p.violation(ViolationNotPositive, "amount", "the amount must be above zero"), true
	case p.Amount.Decimals == 0 && strings.Contains(amount.Short(), "."):
		return Violation{Code: ViolationPrecision, Field: "amount", Message: fmt.Sprintf(
			"amount has decimals; in %s the gateway takes orders of whole %s only, such as 1500; a dot never separates thousands (half a million is 500000)", p.Name, p.Currency)}, true
	}
	return Violation{}, false
}

func (p *Profile) checkKnownWay(way Way, amount money.Amount) []Violation {
	var found []Violation
	if way.Closed {
		found = append(found, p.violation(ViolationWayClosed, "way", "%s is out of service", way.Code))
	}
	// Amounts of another currency or below zero are reported elsewhere.
	if amount.Currency() != p.Currency || !amount.IsPositive() {
		return found
	}
	if below(amount, way.Min) {
		found = append(found, p.violation(ViolationTooSmall, "amount", "%s takes at least %s %s", way.Code, way.Min.Short(), p.Currency))
	}
	if way.Max.IsPositive() && below(way.Max, amount) {
		found = append(found, p.violation(ViolationTooLarge, "amount", "%s takes at most %s %s", way.Code, way.Max.Short(), p.Currency))
	}
	if len(way.Amounts) > 0 && !slices.Contains(way.Amounts, amount) {
		found = append(found, p.violation(ViolationNotOffered, "amount", "%s has only the face values %s", way.Code, joinShort(way.Amounts)))
	}
	return found
}

func (p *Profile) checkUnknownWay(side Side, way string) (Violation, bool) {
	code, noun := side.wayWords()
	switch {
	case way == "":
		return p.violation(code, "way", "no %s is given", noun), true
	case !isSafeWay(way):
		return p.violation(code, "way", "the %s must be printable text of at most %d bytes without blanks around it", noun, maxWayBytes), true
	case !side.WaysComplete:
		return Violation{}, false
	}
	if meant := side.similar(way); meant != "" {
		return p.nearMiss(side, meant), true
	}
	return p.violation(code, "way", "no such %s; %s", noun, side.wayList()), true
}

// mostListed is the maximum of ways that a message lists. The longest list has
// forty.
const mostListed = 8

// wayList returns the known ways, as the end of a sentence.
func (s Side) wayList() string {
	var codes []string
	for _, way := range s.Ways {
		codes = append(codes, way.Code)
	}
	switch {
	case len(codes) == 1:
		return "the only one is " + codes[0]
	case len(codes) <= mostListed:
		return "there are " + strings.Join(codes, ", ")
	}
	return fmt.Sprintf("there are %d", len(codes))
}

func isSafeWay(way string) bool {
	return len(way) <= maxWayBytes && utf8.ValidString(way) && strings.TrimSpace(way) == way &&
		!strings.ContainsFunc(way, func(r rune) bool { return !unicode.IsPrint(r) })
}

func (p *Profile) checkField(field Field, way, value string) (Violation, bool) {
	switch {
	case value == "" && field.RequiredBy(way):
		return p.violation(ViolationMissing, field.Name, "%s is required%s", field.Name, field.condition()), true
	case value == "":
		return Violation{}, false
	case slices.Contains(field.OmitFor, way):
		return p.violation(ViolationUnwanted, field.Name, "%s must be left out for %s", field.Name, way), true
	case field.Pattern != nil && !field.Pattern.MatchString(value):
		rule := field.Rule
		if held := holds(field.Name); held == holdsPhone || held == holdsAccount {
			rule = withHint(rule, p.mangled(value))
		}
		return p.violation(ViolationMalformed, field.Name, "%s %s", field.Name, rule), true
	}
	return Violation{}, false
}

// condition returns when the field is required, as the end of a sentence.
func (f Field) condition() string {
	switch {
	case f.Required:
		return ""
	case len(f.RequiredFor) > 0:
		return " for " + strings.Join(f.RequiredFor, ", ")
	}
	return " unless the way is " + strings.Join(f.RequiredUnless, ", ")
}

// checkLimits checks the rules for every field, known or not.
func (p *Profile) checkLimits(fields map[string]string) []Violation {
	var found []Violation
	if len(fields) > maxFields {
		found = append(found, p.violation(ViolationTooManyFields, "fields", "at most %d fields can be sent", maxFields))
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := fields[name]
		switch {
		case isCoreMember(name):
			found = append(found, p.violation(ViolationReserved, name, "%s is set from the order itself", name))
		case !eachByte(name, isKeyByte) || len(name) > maxNameBytes:
			found = append(found, p.violation(ViolationMalformed, "fields", "a field's name must be letters, digits and ._- only, at most %d", maxNameBytes))
		case len(value) > maxTextBytes:
			found = append(found, p.violation(ViolationFieldTooLong, name, "%s must be at most %d bytes", name, maxTextBytes))
		case checkText(value, maxTextBytes) != nil:
			found = append(found, p.violation(ViolationMalformed, name, "%s must be text without control characters", name))
		}
	}
	return found
}

// below reports whether a is below b. It is false for two currencies, and so for a
// bound that is not set.
func below(a, b money.Amount) bool {
	order, err := a.Compare(b)
	return err == nil && order < 0
}

func joinShort(amounts []money.Amount) string {
	var texts []string
	for _, amount := range amounts {
		texts = append(texts, amount.Short())
	}
	return strings.Join(texts, ", ")
}
