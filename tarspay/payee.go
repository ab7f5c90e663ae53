package tarspay

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Payee is the account that a withdrawal pays, or that pays a deposit, in one
// normal form. Two orders with equal payees concern the same account.
type Payee struct {
	// Bank is the way or bank of the account, "" if the account identifies itself,
	// as an e-mail address does.
	Bank string
	// Account is personal data.
	Account string
}

// Form is how an account is written.
type Form string

// The forms.
const (
	FormPhone   Form = "phone"   // the number of a phone, which is a wallet's
	FormAccount Form = "account" // digits, or an IBAN where the country has one
	FormUPI     Form = "upi"     // a UPI address, or digits at a bank
	FormPIX     Form = "pix"     // a PIX key
)

// bankIsWay in PayeeRule.Bank means that the way is the bank.
const bankIsWay = "way"

// PayeeRule says which members of an order name the payee.
type PayeeRule struct {
	// Kinds are the kinds of way that the rule applies to. Nil applies to ways that
	// no earlier rule applies to, and to ways that are not listed.
	Kinds []string
	// Members each name the account. An order must have at least one of them; if it
	// has several, they must name the same account.
	Members []string
	Form    Form
	// Written is how a phone number is written: "trunk" 0300…, "bare" 300…,
	// "prefix" 92300….
	Written []string
	Rule    string // in words: "must be 11 digits starting with 03"
	// Bank is bankIsWay, or the member that names the bank, or "".
	Bank       string
	Confidence Confidence
	Source     string
	Note       string
}

// PhoneRule says how a country writes phone numbers.
type PhoneRule struct {
	Prefix string         // of the country, "92"
	Trunk  string         // before a national number, "0"
	Mobile *regexp.Regexp // matches the national number; nil accepts any digits
}

// leastNational is the least number of digits of a national number. If fewer digits
// follow the prefix, the prefix is part of the number.
const leastNational = 8

// Payee returns who the order pays, or who pays it. It returns false if the order
// names nobody, or could name two payees. It accepts spellings that Check refuses,
// and returns the same payee for every spelling of one account.
func (p *Profile) Payee(direction Direction, way string, fields map[string]string) (Payee, bool) {
	rule, has := p.payeeRule(direction, way)
	if !has {
		return Payee{}, false
	}
	var found Payee
	for _, member := range rule.Members {
		one := p.payee(direction, rule, way, fields, fields[member])
		if one.Account == "" {
			continue
		}
		if found.Account != "" && found != one {
			return Payee{}, false
		}
		found = one
	}
	return found, found.Account != ""
}

// payeeRule returns the rule for a way.
func (p *Profile) payeeRule(direction Direction, way string) (PayeeRule, bool) {
	side := p.Side(direction)
	known, _ := p.Way(direction, way)
	for _, rule := range side.Payee {
		if rule.Kinds == nil || slices.Contains(rule.Kinds, known.Kind) {
			return rule, true
		}
	}
	return PayeeRule{}, false
}

func (p *Profile) payee(direction Direction, rule PayeeRule, way string, fields map[string]string, value string) Payee {
	text := plainText(value)
	bank := ""
	switch rule.Bank {
	case "":
	case bankIsWay:
		bank = p.bankOf(direction, way)
	default:
		bank = bankOfCode(fields[rule.Bank])
	}
	switch {
	case text == "":
		return Payee{}
	case rule.Form == FormPhone:
		return Payee{bank, p.Phone.international(keep(text, isDigit))}
	case rule.Form == FormPIX:
		return Payee{bank, p.pixKey(text, fields["bankName"])}
	case strings.Contains(text, "@"): // a UPI address names its bank itself
		return Payee{"", text}
	}
	text = keep(text, func(b byte) bool { return isDigit(b) || isLetter(b) })
	if code, account, is := p.splitIBAN(text); is {
		return Payee{cmp.Or(p.wayOfIBAN(direction, code), bank), account}
	}
	if p.IBANLength > 0 { // an IBAN pads the bank's account number with zeros
		return Payee{bank, strings.TrimLeft(text, "0")}
	}
	return Payee{bank, text}
}

// bankOf returns the bank of a way. Ways that reach the same accounts share one.
func (p *Profile) bankOf(direction Direction, way string) string {
	if known, is := p.Way(direction, way); is {
		return cmp.Or(known.SameAs, known.Code)
	}
	return bare(way)
}

// bankOfCode returns the bank's part of an IFSC; the rest names the branch.
func bankOfCode(code string) string {
	text := strings.ToUpper(plainText(code))
	const bankLetters = 4
	return text[:min(len(text), bankLetters)]
}

// splitIBAN splits an IBAN of the country into the bank's code and the account.
func (p *Profile) splitIBAN(text string) (code, account string, is bool) {
	text = strings.ToUpper(text)
	const head, codeEnd = 4, 8
	if p.IBANLength == 0 || len(text) != p.IBANLength || !strings.HasPrefix(text, p.Code) {
		return "", "", false
	}
	return text[head:codeEnd], strings.TrimLeft(text[codeEnd:], "0"), true
}

// wayOfIBAN returns the bank with the code of an IBAN, or the code itself if no
// way has it.
func (p *Profile) wayOfIBAN(direction Direction, code string) string {
	for _, way := range p.Side(direction).Ways {
		if way.IBAN == code {
			return p.bankOf(direction, way.Code)
		}
	}
	return "IBAN:" + code
}

// international returns a phone number with the country's prefix.
func (r PhoneRule) international(text string) string {
	if after, had := strings.CutPrefix(text, "00"); had && r.Prefix != "" && strings.HasPrefix(after, r.Prefix) {
		text = after
	}
	if after, had := strings.CutPrefix(text, r.Prefix); had && r.hasNumber(strings.TrimLeft(after, r.Trunk)) {
		text = after
	}
	if r.Trunk != "" {
		text = strings.TrimLeft(text, r.Trunk)
	}
	return r.Prefix + text
}

func (r PhoneRule) hasNumber(national string) bool {
	if r.Mobile != nil {
		return r.Mobile.MatchString(national)
	}
	return len(national) >= leastNational
}

// pixKey returns a PIX key in normal form: addresses and random keys in lower
// case, phones with the country's prefix. A tax number and a phone number without
// prefix look alike; kind decides between them.
func (p *Profile) pixKey(text, kind string) string {
	plus := strings.HasPrefix(text, "+")
	const shortest, longest = 12, 13 // of a phone number with its prefix
	digits := strings.TrimPrefix(text, "+")
	prefixed := eachByte(digits, isDigit) && strings.HasPrefix(digits, p.Phone.Prefix) && len(digits) >= shortest && len(digits) <= longest
	if plus || prefixed || strings.Contains(strings.ToUpper(kind), "PHONE") {
		return "phone:" + p.Phone.international(digits)
	}
	return text
}

// plainText returns a member's text for comparison: in lower case, with digits of
// every script as 0 to 9, full-width letters as plain ones, and without blanks,
// hyphens, apostrophes and invisible characters. It does not undo exponents or
// fractions, because the original digits are lost.
func plainText(value string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsDigit(r):
			return '0' + digitValue(r)
		case r >= '！' && r <= '～': // full width
			r -= '！' - '!'
		}
		switch {
		case unicode.IsSpace(r), unicode.In(r, unicode.Cf, unicode.Cc, unicode.Mn, unicode.Zs), unicode.Is(unicode.Pd, r), r == '\'', r == '’':
			return -1
		}
		return unicode.ToLower(r)
	}, strings.TrimSuffix(value, ".0"))
}

// keep returns the bytes of the text for which wanted is true.
func keep(text string, wanted func(byte) bool) string {
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !wanted(byte(r)) { //nolint:gosec // G115: it is ASCII
			return -1
		}
		return r
	}, text)
}

// digitValue returns 0 to 9. Unicode lists the digits of each script in order, in
// runs of ten.
func digitValue(r rune) rune {
	first := r
	for unicode.IsDigit(first - 1) {
		first--
	}
	return (r - first) % 10 //nolint:mnd // decimal digits
}
