package tarspay

import (
	"fmt"
	"sync/atomic"
	"time"
)

// nonces returns unique X-API-NONCE values: Unix milliseconds, 13 digits. The docs
// ask only for a timestamp. They do not say whether two requests may share one, so
// none do.
//
// Above a thousand calls a second the values are ahead of the clock. The window
// the gateway accepts is undocumented; its own published samples ran about four
// seconds ahead and were accepted.
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
