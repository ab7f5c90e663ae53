// Package shell writes values as words of a shell's command line, for commands
// that a person copies from a message.
package shell

import (
	"regexp"
	"unicode"
)

var plain = regexp.MustCompile(`^[A-Za-z0-9_.:][A-Za-z0-9_.:-]*$`)

// Word returns the value as one word: as it is if a shell takes it so, otherwise
// in single quotes. A character that is not printable becomes "·". Others choose
// the value, so Word never lets any of it end the word.
func Word(value string) string {
	if plain.MatchString(value) {
		return value
	}
	quoted := "'"
	for _, r := range value {
		switch {
		case r == '\'':
			quoted += `'\''`
		case unicode.IsPrint(r):
			quoted += string(r)
		default:
			quoted += "·"
		}
	}
	return quoted + "'"
}
