package callback

import (
	"context"
	"fmt"
	"slices"
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

// Marks of what was signalled.
const (
	markEvery   = time.Second     // between two rounds of marks
	unmarkedFor = 3 * time.Second // sweeps of all processes leave callbacks alone for that long, so that they are marked first
	maxUnmarked = 10_000          // callbacks that wait for a mark
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
//
// Meanwhile it marks callbacks as signalled, together, that Deliver has signalled. Most are
// handled by then, and need no mark. If this process ends before, they are signalled again,
// which is harmless.
func (d *Deliverer) Run(ctx context.Context, every time.Duration) {
	d.marks.Store(true)
	var marking sync.WaitGroup
	marking.Go(func() { d.markSignalled(ctx) })
	defer marking.Wait()
	tick := time.NewTicker(every)
	defer tick.Stop()
	young := time.Duration(0) // also what another process has just stored: it may have ended
	for {
		swept, err := d.sweep(ctx, young)
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
			young = unmarkedFor
		}
	}
}

// markSignalled marks every markEvery, and once more when the context has ended. After that,
// Deliver marks.
func (d *Deliverer) markSignalled(ctx context.Context) {
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	for d.marks.Load() {
		select {
		case <-ctx.Done():
			d.marks.Store(false)
		case <-tick.C:
		}
		d.markAll(context.WithoutCancel(ctx))
	}
}

// markAll marks the callbacks that Deliver has signalled. After an error they are marked the
// next time.
func (d *Deliverer) markAll(ctx context.Context) {
	d.mutex.Lock()
	ids := slices.Clone(d.unmarked)
	d.mutex.Unlock()
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	if err := d.ledger.MarkSignalled(ctx, ids); err != nil {
		d.log.Warn("Callbacks could not be marked as signalled; they are marked later", "callbacks", len(ids), "error", err)
		return
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.unmarked = slices.Delete(d.unmarked, 0, len(ids))
	for _, id := range ids {
		delete(d.inFlight, id)
	}
}

// markLater leaves the mark of a signalled callback to markAll, and keeps the claim of it
// until then. It reports false if nobody calls markAll, or too many wait for it.
func (d *Deliverer) markLater(id string) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if !d.marks.Load() || len(d.unmarked) >= maxUnmarked {
		return false
	}
	d.unmarked = append(d.unmarked, id)
	return true
}

// Sweep tries to deliver the pending callbacks, oldest first. It stops if several
// callbacks failed and none was delivered: then Temporal or the ledger is away. If
// others were delivered, the failed ones are listed for a person. Several
// processes may sweep at once: a callback may then be delivered twice, which is
// harmless.
func (d *Deliverer) Sweep(ctx context.Context) (Swept, error) { return d.sweep(ctx, 0) }

// sweep is Sweep without the stored callbacks that are younger than that.
func (d *Deliverer) sweep(ctx context.Context, young time.Duration) (Swept, error) {
	limit := d.batch + int(d.stuck.Load())
	entries, err := d.ledger.PendingCallbacks(ctx, limit, young)
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
