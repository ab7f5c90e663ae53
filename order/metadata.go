package order

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Limits of an order's metadata.
const (
	maxMetadata      = 20  // entries
	maxMetadataValue = 500 // characters of a value
)

// metadataKey is the form of a key of metadata.
var metadataKey = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)

// CheckMetadata returns everything wrong with one entry of metadata. field is the
// member or flag that it came from. The messages do not repeat the value, nor a key
// that is malformed.
func CheckMetadata(field, key, value string) []Problem {
	var problems []Problem
	if !metadataKey.MatchString(key) {
		problems = append(problems, Problem{tarspay.ViolationMalformed, field, "a key of metadata is 1 to 40 of letters, digits, hyphen, underscore and dot"})
	} else {
		field += "." + key
	}
	switch {
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		problems = append(problems, Problem{tarspay.ViolationMalformed, field, "a value of metadata is text in UTF-8 without control characters"})
	case utf8.RuneCountInString(value) > maxMetadataValue:
		problems = append(problems, Problem{CodeTextTooLong, field, fmt.Sprintf("a value of metadata has at most %d characters", maxMetadataValue)})
	}
	return problems
}

// metadataProblems checks all metadata of a request.
func (r Request) metadataProblems() []Problem {
	if len(r.Metadata) > maxMetadata {
		return []Problem{{ProblemTooMany, "metadata", fmt.Sprintf("metadata has at most %d entries", maxMetadata)}}
	}
	var problems []Problem
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		problems = append(problems, CheckMetadata("metadata", key, r.Metadata[key])...)
	}
	return problems
}

// GivenMetadata returns the metadata of the order: an entry without a value is none.
// It is nil if there is none.
func (r Request) GivenMetadata() map[string]string { return sent(r.Metadata) }
