package callback

import "runtime"

// Callbacks are verified in two lanes, so that many long bodies cannot delay genuine
// callbacks, which have about 300 bytes. A full lane refuses callbacks: the gateway
// sends them again later, and the others do not wait longer.
const (
	shortBody  = 4 << 10 // the longest body of the first lane, in bytes
	shortQueue = 256     // callbacks that wait to be verified
	longQueue  = 8
)

// admission limits how many callbacks are verified at once.
type admission struct {
	short, long lane
}

// newAdmission lets every processor verify short bodies, and one long ones.
func newAdmission() *admission {
	return &admission{
		short: newLane(max(runtime.GOMAXPROCS(0), 1), shortQueue),
		long:  newLane(1, longQueue),
	}
}

// lane returns the lane for a body of the given length; -1 means not known yet.
func (a *admission) lane(length int64) lane {
	if length > shortBody {
		return a.long
	}
	return a.short
}

// lane runs a bounded number of verifications, and lets a bounded number wait.
type lane struct {
	places chan struct{} // held while running or waiting
	slots  chan struct{} // held while running
}

func newLane(slots, queue int) lane {
	return lane{places: make(chan struct{}, slots+queue), slots: make(chan struct{}, slots)}
}

// full reports whether the lane would refuse a callback now.
func (l lane) full() bool { return len(l.places) == cap(l.places) }

// do waits for a slot and runs work. If the lane is full, it returns false and runs
// nothing.
func (l lane) do(work func()) bool {
	select {
	case l.places <- struct{}{}:
	default:
		return false
	}
	defer func() { <-l.places }()
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	work()
	return true
}
