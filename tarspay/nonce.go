package tarspay

import (
	"fmt"
	"sync/atomic"
	"time"
)

// nonces hands out X-API-NONCE values: Unix milliseconds, 13 digits, each one
// only once. The docs ask for a timestamp only; that two requests may share
// one is undocumented, so none ever do.
//
// Above a thousand calls a second the values run ahead of the clock. The
// window the gateway accepts is undocumented; its own published samples ran
// about four seconds ahead and were accepted.
type nonces struct {
	last atomic.Int64
}

// processNonces is shared by every client on the real clock, so that two
// clients with the same key cannot collide within the process.
var processNonces nonces

func (n *nonces) next(now time.Time) string {
	for {
		last := n.last.Load()
		value := max(now.UnixMilli(), last+1)
		if n.last.CompareAndSwap(last, value) {
			return fmt.Sprintf("%013d", value)
		}
	}
}
