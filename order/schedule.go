package order

import (
	"fmt"
	"time"
)

// ProblemNotBefore is the code of a NotBefore that is too far ahead.
const ProblemNotBefore = "NOT_BEFORE_TOO_FAR"

// maxAhead is how far ahead of its opening an order may be scheduled: a year.
const maxAhead = 366 * 24 * time.Hour

// CheckNotBefore returns an *Invalid if NotBefore is too far ahead of a time. A time in
// the past is as none.
func (r Request) CheckNotBefore(now time.Time) error {
	if r.NotBefore.IsZero() || r.NotBefore.Sub(now) <= maxAhead && r.NotBefore.Year() <= now.Year()+2 {
		return nil
	}
	return &Invalid{Problems: []Problem{{
		ProblemNotBefore, "not_before", fmt.Sprintf("not_before is more than %d days ahead", int(maxAhead/(24*time.Hour))),
	}}}
}

// contentTime returns a time as fingerprints have it: in UTC, so that one moment written
// in two zones is the same. The years that JSON cannot have are none that an order may have.
func contentTime(at time.Time) time.Time {
	at = at.UTC().Round(0)
	if at.Year() < 0 || at.Year() > 9999 {
		return time.Time{}
	}
	return at
}
