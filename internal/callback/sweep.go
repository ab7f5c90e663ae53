package callback

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarspay-payouts/orchestrator/ledger"
)

// Bounds of one sweep.
const (
	sweepBatch   = ledger.MaxPage / 2          // callbacks read at once, besides those that are stuck
	maxStuck     = ledger.MaxPage - sweepBatch // stuck callbacks that are read past
	sweepWorkers = 8                           // deliveries at once
)

// Swept says what a sweep did.
type Swept struct {
	Pending   int  // callbacks that were found pending
	Delivered int  // of these, passed on or put aside for good
	More      bool // there may be more than were read
}

// Run sweeps at once and then every so often, until the context ends. A
// backlog is worked off without pauses. It is how callbacks that came while
// Temporal was away are passed on, after a restart of this process, too.
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

// Sweep tries to deliver what is pending in the inbox, oldest first. It stops
// when Temporal or the ledger turns out to be away, which one callback alone
// never shows: several must have failed and none been passed on. What fails while
// others are passed on needs a person. Several processes may sweep at once: a
// callback that two of them deliver is a repetition like any other.
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
			d.trouble(ctx, id, "it fails while others are passed on; the receiver's log says how")
		}
	}
	// Those that stay for reasons of their own must not hide the rest.
	d.stuck.Store(min(stuck.Load()+int64(waiting.count()), maxStuck))
	return Swept{Pending: len(entries), Delivered: int(delivered.Load())}
}

// failed are the callbacks that a sweep could not pass on, it does not know why.
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
