package httpapi

import (
	"sync"

	"golang.org/x/time/rate"
)

// limiter bounds the requests per second of each caller. It has one entry for each name
// of the roster.
type limiter struct {
	perSecond int
	mutex     sync.Mutex
	callers   map[string]*rate.Limiter
	waits     map[string]int // requests that wait for an order's end
}

func newLimiter(perSecond int) *limiter {
	return &limiter{perSecond: perSecond, callers: make(map[string]*rate.Limiter), waits: make(map[string]int)}
}

// mostCallers bounds the memory for callers without a roster, who may choose any name.
const mostCallers = 10_000

func (l *limiter) allow(name string) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	found, known := l.callers[name]
	if !known {
		if len(l.callers) >= mostCallers {
			clear(l.callers)
		}
		found = rate.NewLimiter(rate.Limit(l.perSecond), l.perSecond)
		l.callers[name] = found
	}
	return found.Allow()
}

// mostWaits is the most requests of one caller that wait at once.
const mostWaits = 200

// wait reports whether the caller may wait. If so, call waited afterwards.
func (l *limiter) wait(name string) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.waits[name] >= mostWaits {
		return false
	}
	l.waits[name]++
	return true
}

func (l *limiter) waited(name string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.waits[name]--; l.waits[name] == 0 {
		delete(l.waits, name)
	}
}

// wait counts a request of the caller that waits; call waited when it does not any more.
func (d *door) wait(caller Caller) (waited func(), err error) {
	if !d.limits.wait(caller.Actor.Name) {
		return nil, refuse(CodeTooMany, "too many requests of yours wait already")
	}
	return func() { d.limits.waited(caller.Actor.Name) }, nil
}
