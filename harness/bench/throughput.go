package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tarspay-payouts/orchestrator/order"
)

type throughputLine struct {
	Bench string `json:"bench"`
	place
	Orders      int     `json:"orders"`
	Concurrency int     `json:"concurrency"`
	OrdersPerS  float64 `json:"orders_per_s"`
	FloorPerS   float64 `json:"floor_per_s"`
	Ratio       float64 `json:"ratio"` // median of the ratios of the rounds
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	FloorP50    float64 `json:"floor_p50_ms"`
	FloorP99    float64 `json:"floor_p99_ms"`
	// CPU time per order by process, where the system tells it.
	CPU      map[string]float64 `json:"cpu_ms,omitempty"`
	FloorCPU map[string]float64 `json:"floor_cpu_ms,omitempty"`
}

// throughput drives withdrawals that a callback finishes, and floor
// workflows, in turn. A latency is from the start to the result.
func (r *rig) throughput(ctx context.Context) error {
	for _, warmUp := range []func(context.Context, order.Request) error{r.ours, r.theFloor} {
		if _, err := r.round(ctx, r.options.Concurrency, warmUp); err != nil {
			return err
		}
	}
	mine, theirs, ratio, err := r.inTurn(ctx)
	if err != nil {
		return err
	}
	return r.out.Encode(throughputLine{
		Bench: "throughput", place: r.place, Orders: len(mine.latencies), Concurrency: r.options.Concurrency,
		OrdersPerS: digits(mine.perSecond()), FloorPerS: digits(theirs.perSecond()), Ratio: digits(ratio),
		P50: mine.percentile(50), P99: mine.percentile(99), FloorP50: theirs.percentile(50), FloorP99: theirs.percentile(99),
		CPU: mine.cpu.per(len(mine.latencies)), FloorCPU: theirs.cpu.per(len(theirs.latencies)),
	})
}

// inTurn drives rounds of ours and of the floor in turn. ratio is the median of the rounds.
func (r *rig) inTurn(ctx context.Context) (mine, theirs round, ratio float64, err error) {
	mine, theirs = round{cpu: make(usage)}, round{cpu: make(usage)}
	var ratios []float64
	for range r.options.Rounds {
		a, err := r.round(ctx, r.options.Orders, r.ours)
		if err != nil {
			return mine, theirs, 0, err
		}
		b, err := r.round(ctx, r.options.Orders, r.theFloor)
		if err != nil {
			return mine, theirs, 0, err
		}
		ratios = append(ratios, a.perSecond()/b.perSecond())
		mine.add(a)
		theirs.add(b)
	}
	slices.Sort(ratios)
	return mine, theirs, ratios[len(ratios)/2], nil
}

// ours is a withdrawal that a callback finishes.
func (r *rig) ours(ctx context.Context, request order.Request) error {
	return r.finish(ctx, request, order.Succeeded)
}

// theFloor is a floor workflow.
func (r *rig) theFloor(ctx context.Context, request order.Request) error {
	return r.floor.run(ctx, "floor-"+request.Number)
}

// round has the durations of a number of orders, in total and each, and the CPU time of each
// process.
type round struct {
	took      time.Duration
	latencies []time.Duration
	cpu       usage
}

func (r *rig) round(ctx context.Context, n int, one func(context.Context, order.Request) error) (round, error) {
	result := round{latencies: make([]time.Duration, n), cpu: make(usage)}
	before, err := r.usage()
	if err != nil {
		return result, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.options.Concurrency)
	began := time.Now()
	for i := range n {
		request := r.request(order.Withdrawal, "success")
		group.Go(func() error {
			started := time.Now()
			if err := one(ctx, request); err != nil {
				return fmt.Errorf("order %s: %w", request.Number, err)
			}
			result.latencies[i] = time.Since(started)
			return nil
		})
	}
	err = group.Wait()
	result.took = time.Since(began)
	if err != nil {
		return result, err
	}
	after, err := r.usage()
	result.cpu.add(before, after)
	return result, err
}

func (r *round) add(other round) {
	r.took += other.took
	r.latencies = append(r.latencies, other.latencies...)
	r.cpu.add(nil, other.cpu)
}

func (r *round) perSecond() float64 { return float64(len(r.latencies)) / r.took.Seconds() }

// percentile is in milliseconds.
func (r *round) percentile(p int) float64 {
	slices.Sort(r.latencies)
	at := min(len(r.latencies)*p/100, len(r.latencies)-1)
	return digits(float64(r.latencies[at].Microseconds()) / 1000)
}

// digits keeps two decimals: more would claim a precision that is not there.
func digits(x float64) float64 { return float64(int64(x*100+0.5)) / 100 }
