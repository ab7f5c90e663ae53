package callback

import "runtime"

// Callbacks are verified in two lanes, so that a flood of long bodies cannot
// stand before genuine callbacks, which have about 300 bytes. A lane that is
// full takes no more: what is sent again later is cheaper than what everybody
// waits for.
const (
	shortBody  = 4 << 10 // the longest body of the first lane, in bytes
	shortQueue = 256     // callbacks that wait to be verified
	longQueue  = 8
)

// admission bounds how many callbacks are verified at once.
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

// lane is the lane of a body of so many bytes; -1 if that is not known yet.
func (a *admission) lane(length int64) lane {
	if length > shortBody {
		return a.long
	}
	return a.short
}

// lane admits so many at once, and so many more to wait.
type lane struct {
	places chan struct{} // taken by those that work and those that wait
	slots  chan struct{} // taken by those that work
}

func newLane(slots, queue int) lane {
	return lane{places: make(chan struct{}, slots+queue), slots: make(chan struct{}, slots)}
}

// full reports whether the lane would turn somebody away now.
func (l lane) full() bool { return len(l.places) == cap(l.places) }

// do runs work when it is its turn. It reports false, and runs nothing, when
// the lane is full.
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
