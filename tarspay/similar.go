package tarspay

import (
	"slices"
	"strings"
	"unicode"
)

// checkNearMiss refuses a way outside a list that is not complete if it is close
// to one on the list, or has letters that no code has.
func (p *Profile) checkNearMiss(side Side, way string) (Violation, bool) {
	if side.WaysComplete || side.lists(way) || way == "" || !isSafeWay(way) {
		return Violation{}, false
	}
	code, noun := side.wayWords()
	if meant := side.similar(way); meant != "" {
		return p.nearMiss(side, meant), true
	}
	if strings.ContainsFunc(way, func(r rune) bool { return r > unicode.MaxASCII && !unicode.Is(unicode.Pd, r) }) {
		return p.violation(code, "way", "no such %s: no code has letters or digits other than A to Z and 0 to 9", noun), true
	}
	return Violation{}, false
}

func (p *Profile) nearMiss(side Side, meant string) Violation {
	code, noun := side.wayWords()
	return p.violation(code, "way", "no such %s; did you mean %s? Codes are taken exactly as written", noun, meant)
}

// wayWords returns the code of a violation and the noun for a way of the side.
func (s Side) wayWords() (code, noun string) {
	if s.WaysAreBanks {
		return ViolationBank, "bank or wallet"
	}
	return ViolationWay, "way"
}

func (s Side) lists(code string) bool {
	return slices.ContainsFunc(s.Ways, func(way Way) bool { return way.Code == code })
}

// genericWords are words that begin many codes, before the bank's name.
var genericWords = []string{"bank", "ewallet", "wallet", "mart"}

// similar returns the code that was probably meant: the same letters in another
// case or with other blanks and dashes, the way's name, the name with one wrong
// letter in a word, or a way whose ConfusedWith lists the text.
func (s Side) similar(text string) string {
	for _, way := range s.Ways {
		names := slices.Concat([]string{way.Code}, way.Names, way.Accepts)
		alike := func(name string) bool {
			return bare(name) == bare(text) || misspelt(name, text) || withoutGeneric(name) == bare(text)
		}
		if slices.Contains(way.ConfusedWith, text) || slices.ContainsFunc(names, alike) {
			return way.Code
		}
	}
	return ""
}

// bare returns the letters and digits of a text in lower case.
func bare(text string) string { return strings.Join(words(text), "") }

func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// withoutGeneric returns the code without its generic word: BANK_BCA becomes BCA.
func withoutGeneric(code string) string {
	all := words(code)
	if len(all) > 1 && slices.Contains(genericWords, all[0]) {
		return strings.Join(all[1:], "")
	}
	return bare(code)
}

// leastMisspelt is the minimum length of a word whose misspelling is recognised.
// Shorter codes that differ by one letter may be two banks.
const leastMisspelt = 6

// misspelt reports whether two texts differ by one letter of one long word: it is
// missing, added, changed or swapped with the next.
func misspelt(known, text string) bool {
	a, b := words(known), words(text)
	if len(a) != len(b) {
		return false
	}
	differing := -1
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		if differing >= 0 {
			return false
		}
		differing = i
	}
	return differing >= 0 && len(a[differing]) >= leastMisspelt && oneEdit([]rune(a[differing]), []rune(b[differing]))
}

func oneEdit(a, b []rune) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	from := 0
	for from < len(b) && a[from] == b[from] {
		from++
	}
	switch len(a) - len(b) {
	case 1:
		return slices.Equal(a[from+1:], b[from:])
	case 0:
		changed := slices.Equal(a[from+1:], b[from+1:])
		swapped := from+1 < len(a) && a[from] == b[from+1] && a[from+1] == b[from] && slices.Equal(a[from+2:], b[from+2:])
		return changed || swapped
	}
	return false
}
