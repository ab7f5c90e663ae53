package order

import (
	"strings"
	"unicode/utf8"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Payee returns whom the order pays (of a deposit: who pays it), masked, so that a
// person can compare it: the bank or wallet, the end of the account, and initials, as
// in "easypaisa, account …4567, T… P…". It is "" if the request names nobody, or could
// name two.
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

// How much of an account is shown. It is at most a third of the account.
const (
	shownAccount = 4
	shownBank    = 20 // of an address, what follows the @
)

// maskAccount returns the end of an account, and of an address also its domain.
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

// maskName returns the first letter of each word.
func maskName(name string) string {
	var initials []string
	for word := range strings.FieldsSeq(name) {
		first, _ := utf8.DecodeRuneInString(word)
		initials = append(initials, string(first)+"…")
	}
	return strings.Join(initials, " ")
}
