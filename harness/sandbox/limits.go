package sandbox

import "time"

// bucket limits how often a merchant calls: it holds one second's worth of
// calls and fills evenly.
type bucket struct {
	calls int64 // that may be made now, in thousandths
	at    time.Time
}

// take takes one call out, and reports whether there was one. A rate of 0 is
// no limit.
func (b *bucket) take(now time.Time, perSecond int) bool {
	if perSecond == 0 {
		return true
	}
	const thousand = 1000
	full := int64(perSecond) * thousand
	if b.at.IsZero() {
		b.calls = full
	} else if passed := now.Sub(b.at); passed > 0 {
		// A second or more fills it; below that nothing overflows.
		b.calls = min(full, b.calls+min(passed, time.Second).Milliseconds()*int64(perSecond))
	}
	b.at = now
	if b.calls < thousand {
		return false
	}
	b.calls -= thousand
	return true
}
