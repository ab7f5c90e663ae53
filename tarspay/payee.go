package tarspay

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Payee is who an order pays, or, of a deposit, who pays it: in one form, however
// the order writes it. Two orders with equal payees are to the same account.
type Payee struct {
	// Bank is the way or bank that the account is at, "" where the account
	// needs none, as an e-mail address does.
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

// bankIsWay says in a PayeeRule that the way is the bank.
const bankIsWay = "way"

// PayeeRule is which members of an order name the payee.
type PayeeRule struct {
	// Kinds are the kinds of way that it is for; nil is all that no rule
	// before it is for, and ways that are not listed.
	Kinds []string
	// Members name the account, each of them. An order has one of them at
	// least; if it has several they name the same account.
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

// PhoneRule is how a country writes the numbers of its phones.
type PhoneRule struct {
	Prefix string         // of the country, "92"
	Trunk  string         // before a national number, "0"
	Mobile *regexp.Regexp // what follows both; nil if any digits may
}

// leastNational is how many digits a national number has at the least. With
// fewer after the prefix, the prefix is part of the number.
const leastNational = 8

// Payee is who the order pays or who pays it. It is false where the order names
// nobody, or could name two. The members need not be written as the country
// wants them: whatever is taken for the same account is the same payee.
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

// payeeRule is the rule for a way.
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
	if p.IBANLength > 0 { // an IBAN has the bank's own number with zeros before it
		return Payee{bank, strings.TrimLeft(text, "0")}
	}
	return Payee{bank, text}
}

// bankOf is the bank that a way names; ways that reach the same accounts are one.
func (p *Profile) bankOf(direction Direction, way string) string {
	if known, is := p.Way(direction, way); is {
		return cmp.Or(known.SameAs, known.Code)
	}
	return bare(way)
}

// bankOfCode is the bank of an IFSC, whose other digits are the branch.
func bankOfCode(code string) string {
	text := strings.ToUpper(plainText(code))
	const bankLetters = 4
	return text[:min(len(text), bankLetters)]
}

// splitIBAN takes an IBAN of the country apart: the bank's code and the account
// at the bank.
func (p *Profile) splitIBAN(text string) (code, account string, is bool) {
	text = strings.ToUpper(text)
	const head, codeEnd = 4, 8
	if p.IBANLength == 0 || len(text) != p.IBANLength || !strings.HasPrefix(text, p.Code) {
		return "", "", false
	}
	return text[head:codeEnd], strings.TrimLeft(text[codeEnd:], "0"), true
}

// wayOfIBAN is the way whose bank the code of an IBAN means; the code itself
// where no way is known to have it.
func (p *Profile) wayOfIBAN(direction Direction, code string) string {
	for _, way := range p.Side(direction).Ways {
		if way.IBAN == code {
			return p.bankOf(direction, way.Code)
		}
	}
	return "IBAN:" + code
}

// international is a phone number with the prefix of its country.
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

// pixKey is a PIX key: addresses and random keys in small letters, phones with
// the country's prefix. A tax number and a phone without prefix look alike, so
// the kind of the key decides.
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

// plainText is a member's text as it is compared: in small letters, digits of
// every script as 0 to 9, full-width letters as plain ones, and without blanks,
// hyphens, apostrophes and characters that are not seen. An exponent or a
// fraction is not undone: what number it was is not known.
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

// keep is the text without the bytes that are not wanted.
func keep(text string, wanted func(byte) bool) string {
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !wanted(byte(r)) { //nolint:gosec // G115: it is ASCII
			return -1
		}
		return r
	}, text)
}

// digitValue is 0 to 9. Unicode has the digits of a script in order, in runs of
// ten.
func digitValue(r rune) rune {
	first := r
	for unicode.IsDigit(first - 1) {
		first--
	}
	return (r - first) % 10 //nolint:mnd // decimal digits
}
