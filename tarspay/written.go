package tarspay

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var (
	onlyDigits    = regexp.MustCompile(`^[0-9]{1,34}$`)
	anyPhone      = regexp.MustCompile(`^[0-9]{6,15}$`)
	upiAddress    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,254}@[A-Za-z][A-Za-z0-9.]{0,63}$`)
	pixMail       = regexp.MustCompile(`^[A-Za-z0-9.!#$%&*+/=?^_{|}~-][A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{0,76}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$`)
	pixOther      = regexp.MustCompile(`^(\+?[0-9]{6,15}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$`)
	exponent      = regexp.MustCompile(`^[+-]?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+$`)
	fraction      = regexp.MustCompile(`^[0-9]+[.,][0-9]*$`)
	grouped       = regexp.MustCompile(`^[0-9]{1,3}([.,][0-9]{3})+$`)
	pixKindOfMail = "PIX_EMAIL"
)

// isWritten reports whether an account has the format of the rule.
func (p *Profile) isWritten(rule PayeeRule, value string, fields map[string]string) bool {
	switch rule.Form {
	case FormPhone:
		return p.Phone.isWritten(rule.Written, value)
	case FormUPI:
		return upiAddress.MatchString(value) || onlyDigits.MatchString(value)
	case FormPIX:
		return pixMail.MatchString(value) || fields["bankName"] != pixKindOfMail && pixOther.MatchString(value)
	case FormAccount:
	}
	return p.isAccount(value)
}

// isAccount reports whether an account is digits or an IBAN of the country.
func (p *Profile) isAccount(value string) bool {
	_, _, iban := p.splitIBAN(value)
	return onlyDigits.MatchString(value) || iban && value == strings.ToUpper(value) && checksIBAN(value)
}

func (r PhoneRule) isWritten(forms []string, value string) bool {
	if !anyPhone.MatchString(value) {
		return false
	}
	return len(forms) == 0 || slices.ContainsFunc(forms, func(form string) bool {
		before := map[string]string{"trunk": r.Trunk, "prefix": r.Prefix}[form]
		national, had := strings.CutPrefix(value, before)
		return had && (r.Mobile == nil || r.Mobile.MatchString(national))
	})
}

// checksIBAN verifies the two check digits (ISO 13616: the rest of the division
// by 97 is 1).
func checksIBAN(iban string) bool {
	const head, letterA, modulus = 4, 10, 97
	rest := 0
	for _, b := range []byte(iban[head:] + iban[:head]) {
		switch {
		case isDigit(b):
			rest = (rest*10 + int(b-'0')) % modulus
		case b >= 'A' && b <= 'Z':
			rest = (rest*100 + int(b-'A') + letterA) % modulus
		default:
			return false
		}
	}
	return rest == 1
}

// mangled returns the probable cause why an account or a phone number does not
// have the country's format, and "" if no cause is known. It does not repeat the
// value.
func (p *Profile) mangled(value string) string {
	for _, r := range value {
		if said := strange(r); said != "" {
			return said
		}
	}
	number := strings.TrimLeft(value, "'")
	switch {
	case number != value:
		return "it begins with an apostrophe, with which a spreadsheet marks text; leave the apostrophe out"
	case exponent.MatchString(value):
		return "it is in scientific notation: a spreadsheet took it for a number and has lost digits of it; format the column as text and take it from its source again"
	case grouped.MatchString(value):
		return "it has separators between its digits, as a spreadsheet writes a number; format the column as text and take it from its source again"
	case fraction.MatchString(value):
		return "it has a decimal fraction: a spreadsheet took it for a number and may have lost its leading zeros; format the column as text and take it from its source again"
	case strings.ContainsAny(value, " \t"):
		return "leave out the blanks"
	case strings.Contains(value, "-"):
		return "leave out the hyphens"
	case p.Phone.Mobile != nil && p.Phone.Mobile.MatchString(value) && p.Phone.Trunk != "":
		return "the leading " + p.Phone.Trunk + " is missing: a spreadsheet drops it from what it takes for a number; format the column as text"
	case p.Phone.Mobile != nil && p.Phone.Mobile.MatchString(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(value, "+"), "00"), p.Phone.Prefix)):
		return "leave out the country's prefix"
	case p.looksLikeIBAN(value):
		return "an IBAN is written in capitals and without blanks, and its check digits must be right"
	}
	return ""
}

func (p *Profile) looksLikeIBAN(value string) bool {
	return p.IBANLength > 0 && strings.HasPrefix(strings.ToUpper(value), p.Code)
}

// strange returns what is wrong with a character that no account has.
func strange(r rune) string {
	switch {
	case r <= unicode.MaxASCII:
		return ""
	case unicode.IsDigit(r):
		return fmt.Sprintf("it has a digit of another script or width (%U); write 0 to 9", r)
	case unicode.IsSpace(r) || unicode.In(r, unicode.Zs):
		return fmt.Sprintf("it has a blank of another kind (%U), as text copied from a page or a document does; type it anew", r)
	case !unicode.IsPrint(r) || unicode.Is(unicode.Mn, r):
		return fmt.Sprintf("it has a character that is not seen (%U), as text copied from a page, a chat or a spreadsheet may have; type it anew", r)
	}
	return fmt.Sprintf("it has a character (%U) that is not on the list of 0 to 9, A to Z", r)
}
