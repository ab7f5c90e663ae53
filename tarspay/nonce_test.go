package tarspay

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNonceFollowsTheClockAndNeverRepeats(t *testing.T) {
	t.Parallel()
	var n nonces
	at := time.UnixMilli(1704182130212)
	require.Equal(t, "1704182130212", n.next(at))
	require.Equal(t, "1704182130213", n.next(at), "the clock stands still")
	require.Equal(t, "1704182130214", n.next(at.Add(-time.Hour)), "the clock goes back")
	require.Equal(t, "1704182131212", n.next(at.Add(time.Second)), "the clock is ahead again")
	var early nonces
	require.Equal(t, "0000000000001", early.next(time.UnixMilli(0)), "always 13 digits")
}

func TestNonceIsUniqueAcrossGoroutines(t *testing.T) {
	t.Parallel()
	const goroutines, each = 8, 1000
	var n nonces
	now := time.Now()
	var mutex sync.Mutex
	seen := make(map[string]bool, goroutines*each)
	var workers sync.WaitGroup
	for range goroutines {
		workers.Go(func() {
			last := ""
			for range each {
				nonce := n.next(now)
				if nonce <= last {
					t.Errorf("%s after %s", nonce, last)
				}
				last = nonce
				mutex.Lock()
				seen[nonce] = true
				mutex.Unlock()
			}
		})
	}
	workers.Wait()
	require.Len(t, seen, goroutines*each)
}
