package order

import (
	"strings"
	"unicode/utf8"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Payee says whom the order pays (of a deposit: who pays it) for people to
// compare with what they know, and not in full: the bank or wallet, the end of
// the account, and the initials of the name, "easypaisa, account …4567, T… P…".
// It is "" when the request names nobody, or might name two.
func (r Request) Payee() string {
	profile, known := tarspay.Country(r.Country)
	if !known {
		return ""
	}
	payee, named := profile.Payee(r.Kind.Direction(), r.Way, r.Details)
	if !named {
		return ""
	}
	parts := []string{"account " + maskAccount(payee.Account)}
	if payee.Bank != "" {
		parts = append([]string{payee.Bank}, parts...)
	}
	if name := maskName(r.Details["customerName"]); name != "" {
		parts = append(parts, name)
	}
	return strings.Join(parts, ", ")
}

// How much of an account is shown: its end, and never the half of it.
const (
	shownAccount = 4
	shownBank    = 20 // of an address, what follows the @
)

// maskAccount is the end of an account; of an address also where it is.
func maskAccount(account string) string {
	if local, where, is := strings.Cut(account, "@"); is {
		return maskAccount(local) + "@" + ending(where, shownBank)
	}
	return "…" + ending(account, min(shownAccount, utf8.RuneCountInString(account)/3))
}

func ending(text string, runes int) string {
	all := []rune(text)
	return string(all[len(all)-min(runes, len(all)):])
}

// maskName is the first letter of each word.
func maskName(name string) string {
	var initials []string
	for word := range strings.FieldsSeq(name) {
		first, _ := utf8.DecodeRuneInString(word)
		initials = append(initials, string(first)+"…")
	}
	return strings.Join(initials, " ")
}
