// Package saytime writes times into texts that are stored, and rewrites them for one
// reader.
package saytime

import (
	"regexp"
	"time"
)

// layout is the layout of times in texts that are stored: in UTC.
const layout = "2006-01-02 15:04 UTC"

var said = regexp.MustCompile(`\b\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC\b`)

// Say formats a time for a text of the ledger or of Temporal. Such texts are read
// in several time zones, so the time is in UTC. InZone converts it for one reader.
func Say(at time.Time) string { return at.UTC().Format(layout) }

// Deadline is Say for the end of a span, rounded up, so that the text never names a
// minute that has begun.
func Deadline(at time.Time) string {
	return Say(at.Add(time.Minute - time.Nanosecond).Truncate(time.Minute))
}

// InZone rewrites the times that Say wrote into a text, in the given zone. The
// rest of the text stays as it is.
func InZone(text string, zone *time.Location) string {
	return said.ReplaceAllStringFunc(text, func(text string) string {
		at, err := time.Parse(layout, text)
		if err != nil {
			return text // it matches the pattern but is no date
		}
		return at.In(zone).Format("2006-01-02 15:04 MST")
	})
}
