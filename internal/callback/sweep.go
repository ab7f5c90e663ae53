package callback

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

// Limits of one sweep.
const (
	sweepBatch   = ledger.MaxPage / 2          // callbacks read at once, in addition to the stuck ones
	maxStuck     = ledger.MaxPage - sweepBatch // the maximum of stuck callbacks that are read in addition
	sweepWorkers = 8                           // deliveries at once
)

// Swept is the result of a sweep.
type Swept struct {
	Pending   int  // number of pending callbacks that were read
	Delivered int  // number of these that need no further delivery
	More      bool // more may be pending than were read
}

// Run sweeps at once and then at the given interval, until the context ends. It
// sweeps without a pause while there is a backlog. This delivers callbacks that
// came while Temporal was away, also after a restart of this process.
func (d *Deliverer) Run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		swept, err := d.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.Warn("The inbox could not be read; the next sweep tries again", "error", err)
		}
		if swept.Delivered > 0 {
			d.log.Info("Swept the inbox", "pending", swept.Pending, "delivered", swept.Delivered)
		}
		if swept.More && swept.Delivered > 0 && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep tries to deliver the pending callbacks, oldest first. It stops if several
// callbacks failed and none was delivered: then Temporal or the ledger is away. If
// others were delivered, the failed ones are listed for a person. Several
// processes may sweep at once: a callback may then be delivered twice, which is
// harmless.
func (d *Deliverer) Sweep(ctx context.Context) (Swept, error) {
	limit := d.batch + int(d.stuck.Load())
	entries, err := d.ledger.PendingCallbacks(ctx, limit)
	if err != nil {
		return Swept{}, fmt.Errorf("read pending callbacks: %w", err)
	}
	swept := d.deliverAll(ctx, entries)
	swept.More = len(entries) == limit
	return swept, nil
}

func (d *Deliverer) deliverAll(ctx context.Context, entries []ledger.InboxEntry) Swept {
	queue := make(chan ledger.InboxEntry)
	var delivered, stuck atomic.Int64
	var waiting failed
	var workers sync.WaitGroup
	for range min(sweepWorkers, len(entries)) {
		workers.Go(func() {
			for entry := range queue {
				switch d.redeliver(ctx, entry) {
				case Signalled, Diverted, Unmatched:
					delivered.Add(1)
				case Orphaned, Refused:
					stuck.Add(1)
				case Waiting:
					waiting.add(entry.ID)
				case Busy:
				}
			}
		})
	}
	away := func() bool { return delivered.Load() == 0 && waiting.count() >= sweepWorkers }
	for _, entry := range entries {
		if away() || ctx.Err() != nil {
			break
		}
		queue <- entry
	}
	close(queue)
	workers.Wait()
	if ctx.Err() != nil || away() {
		return Swept{Pending: len(entries), Delivered: int(delivered.Load())}
	}
	if delivered.Load() > 0 {
		for _, id := range waiting.ids {
			d.noteTrouble(ctx, id, "it cannot be delivered although others can; the receiver's log has the error")
		}
	}
	// The next sweep reads so many more, so that callbacks that always fail do not
	// keep others from being read.
	d.stuck.Store(min(stuck.Load()+int64(waiting.count()), maxStuck))
	return Swept{Pending: len(entries), Delivered: int(delivered.Load())}
}

// failed holds the callbacks that a sweep could not deliver for an unknown reason.
type failed struct {
	mutex sync.Mutex
	ids   []string
}

func (f *failed) add(id string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.ids = append(f.ids, id)
}

func (f *failed) count() int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return len(f.ids)
}
