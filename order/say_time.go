package order

import (
	"regexp"
	"time"
)

// sayTimeLayout is how a time stands in a text that is read by many: in UTC,
// and it says so.
const sayTimeLayout = "2006-01-02 15:04 UTC"

var saidTime = regexp.MustCompile(`\b\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC\b`)

// SayTime writes a time into a text. What the ledger and Temporal keep or tell is
// read in many places, so it is in UTC; InZone turns it to that of one reader.
func SayTime(at time.Time) string { return at.UTC().Format(sayTimeLayout) }

// InZone writes the times of a text, as SayTime wrote them, in a time zone. All
// else in the text stays as it is.
func InZone(text string, zone *time.Location) string {
	return saidTime.ReplaceAllStringFunc(text, func(said string) string {
		at, err := time.Parse(sayTimeLayout, said)
		if err != nil {
			return said // no date: somebody else wrote it
		}
		return at.In(zone).Format("2006-01-02 15:04 MST")
	})
}
