package sandbox

import (
	"container/heap"
	"sync"
	"time"
)

// clock is the sandbox's time. A stepped clock stands still until it is set; a
// real one follows the system's, ahead of it by what Advance has added.
type clock struct {
	mu      sync.Mutex
	stepped bool
	at      time.Time     // stepped: now
	ahead   time.Duration // real: added to the system's time
}

func newClock(startAt time.Time) *clock {
	return &clock{stepped: !startAt.IsZero(), at: startAt}
}

// now is the sandbox's time in UTC, to the millisecond: the gateway knows no
// finer one.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stepped {
		return c.at.UTC().Truncate(time.Millisecond)
	}
	return time.Now().Add(c.ahead).UTC().Truncate(time.Millisecond)
}

// set moves a stepped clock; never backwards.
func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.at) {
		c.at = t
	}
}

// add moves a real clock ahead of the system's.
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

func (c *clock) lead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}

// event is something that will happen at a time. Its run is called without
// the gateway's lock.
type event struct {
	at  time.Time
	seq uint64
	run func()
}

// agenda holds the events to come, the earliest first and those of one instant
// in the order in which they were entered.
type agenda struct {
	events []event
	seq    uint64
}

func (a *agenda) add(at time.Time, run func()) {
	a.seq++
	heap.Push(a, event{at: at, seq: a.seq, run: run})
}

// next is the time of the earliest event.
func (a *agenda) next() (time.Time, bool) {
	if len(a.events) == 0 {
		return time.Time{}, false
	}
	return a.events[0].at, true
}

// take removes the earliest event that is due by a time.
func (a *agenda) take(by time.Time) (event, bool) {
	if at, more := a.next(); !more || at.After(by) {
		return event{}, false
	}
	return heap.Pop(a).(event), true
}

// Len, Less, Swap, Push and Pop are container/heap's.
func (a *agenda) Len() int { return len(a.events) }

func (a *agenda) Less(i, j int) bool {
	if !a.events[i].at.Equal(a.events[j].at) {
		return a.events[i].at.Before(a.events[j].at)
	}
	return a.events[i].seq < a.events[j].seq
}

func (a *agenda) Swap(i, j int) { a.events[i], a.events[j] = a.events[j], a.events[i] }

func (a *agenda) Push(x any) { a.events = append(a.events, x.(event)) }

func (a *agenda) Pop() any {
	last := a.events[len(a.events)-1]
	a.events[len(a.events)-1] = event{}
	a.events = a.events[:len(a.events)-1]
	return last
}
