package bench

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

type inFlightLine struct {
	Bench string `json:"bench"`
	place
	Open      int     `json:"open"`          // orders that the gateway has not decided
	WorkerRSS float64 `json:"worker_rss_mb"` // resident memory of the worker, with all of them open
	IdleRSS   float64 `json:"idle_rss_mb"`   // and before the first of them
	DrainPerS float64 `json:"drain_per_s"`   // ended, from the moment when the gateway begins to call back
}

// inFlight opens many withdrawals that the gateway does not decide, measures the worker's
// memory, and then makes the gateway pay them all.
func (r *rig) inFlight(ctx context.Context) error {
	line := inFlightLine{Bench: "in_flight", place: r.place, Open: r.options.Open}
	var err error
	if line.IdleRSS, err = r.workerMemory(ctx); err != nil {
		return err
	}
	requests := make([]order.Request, r.options.Open)
	for i := range requests {
		requests[i] = r.request(order.Withdrawal, "stuck")
	}
	if err := r.each(ctx, len(requests), func(ctx context.Context, i int) error {
		return r.submitted(ctx, requests[i])
	}); err != nil {
		return err
	}
	if line.WorkerRSS, err = r.workerMemory(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := r.each(ctx, len(requests), func(ctx context.Context, i int) error {
		if _, err := r.stack.Gateway.Move(ctx, requests[i].Merchant, requests[i].Number, tarspay.StateSucceeded, ""); err != nil {
			return err
		}
		return r.ended(ctx, requests[i], order.Succeeded)
	}); err != nil {
		return err
	}
	line.DrainPerS = digits(float64(line.Open) / time.Since(began).Seconds())
	return r.out.Encode(line)
}

// each calls a function n times, as many at once as Options.Concurrency.
func (r *rig) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.options.Concurrency)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

// submitted starts an order and waits until the gateway has it.
func (r *rig) submitted(ctx context.Context, request order.Request) error {
	if err := r.start(ctx, request); err != nil {
		return err
	}
	const pause = 50 * time.Millisecond
	for {
		there, err := r.stack.Gateway.Orders(ctx, request.Merchant, request.Number)
		if err != nil || len(there) > 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// workerMemory returns the worker's resident memory, in megabytes.
func (r *rig) workerMemory(ctx context.Context) (megabytes float64, err error) {
	return memory(ctx, r.stack.Addresses.Worker)
}

// memory returns the resident memory of a process, in megabytes.
func memory(ctx context.Context, admin string) (megabytes float64, err error) {
	size, err := stack.Memory(ctx, admin)
	return digits(float64(size) / (1 << 20)), err
}

// watched raises peak to the worker's memory while do runs. It returns the error of do, or
// that of looking, which does not wait for do.
func (r *rig) watched(ctx context.Context, peak *float64, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			now, err := r.workerMemory(ctx)
			if err != nil {
				return err
			}
			*peak = max(*peak, now)
		case err := <-done:
			return err
		}
	}
}
