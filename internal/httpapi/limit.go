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
}

func newLimiter(perSecond int) *limiter {
	return &limiter{perSecond: perSecond, callers: make(map[string]*rate.Limiter)}
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
