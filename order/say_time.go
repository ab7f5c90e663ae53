package order

import (
	"regexp"
	"time"
)

// sayTimeLayout is the layout of times in texts that are stored: in UTC.
const sayTimeLayout = "2006-01-02 15:04 UTC"

var saidTime = regexp.MustCompile(`\b\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC\b`)

// SayTime formats a time for a text of the ledger or of Temporal. Such texts are read
// in several time zones, so the time is in UTC. InZone converts it for one reader.
func SayTime(at time.Time) string { return at.UTC().Format(sayTimeLayout) }

// SayDeadline is SayTime for the end of a span, rounded up, so that the text never names a
// minute that has begun.
func SayDeadline(at time.Time) string {
	return SayTime(at.Add(time.Minute - time.Nanosecond).Truncate(time.Minute))
}

// InZone rewrites the times that SayTime wrote into a text, in the given zone. The
// rest of the text stays as it is.
func InZone(text string, zone *time.Location) string {
	return saidTime.ReplaceAllStringFunc(text, func(said string) string {
		at, err := time.Parse(sayTimeLayout, said)
		if err != nil {
			return said // it matches the pattern but is no date
		}
		return at.In(zone).Format("2006-01-02 15:04 MST")
	})
}
