package bench

import (
	"context"
	"slices"

	"github.com/tarspay-payouts/orchestrator/order"
)

type apiLine struct {
	Bench string `json:"bench"`
	place
	Starts      int     `json:"starts"` // on each side
	Concurrency int     `json:"concurrency"`
	StartsPerS  float64 `json:"starts_per_s"`        // over HTTP
	ClientPerS  float64 `json:"client_starts_per_s"` // by client.Start
	Ratio       float64 `json:"ratio"`               // median of the ratios of the rounds
	P99         float64 `json:"p99_ms"`              // over HTTP
	ClientP99   float64 `json:"client_p99_ms"`
	// CPU time per start by process, where the system tells it. The worker's and others'
	// depend on how many orders they drove meanwhile.
	CPU       map[string]float64 `json:"cpu_ms,omitempty"`
	ClientCPU map[string]float64 `json:"client_cpu_ms,omitempty"`
}

// api starts withdrawals over HTTP and by client.Start, in turn. The worker drives the
// orders meanwhile, and a round begins when those of the round before have ended.
func (r *rig) api(ctx context.Context) error {
	for _, warmUp := range []func(context.Context, order.Request) error{r.startOverHTTP, r.start} {
		if _, err := r.starts(ctx, r.options.Concurrency, warmUp); err != nil {
			return err
		}
	}
	http, client := round{cpu: make(usage)}, round{cpu: make(usage)}
	var ratios []float64
	for range r.options.Rounds {
		a, err := r.starts(ctx, r.options.Orders, r.startOverHTTP)
		if err != nil {
			return err
		}
		b, err := r.starts(ctx, r.options.Orders, r.start)
		if err != nil {
			return err
		}
		ratios = append(ratios, a.perSecond()/b.perSecond())
		http.add(a)
		client.add(b)
	}
	slices.Sort(ratios)
	return r.out.Encode(apiLine{
		Bench: "api", place: r.place, Starts: len(http.latencies), Concurrency: r.options.Concurrency,
		StartsPerS: digits(http.perSecond()), ClientPerS: digits(client.perSecond()), Ratio: digits(ratios[len(ratios)/2]),
		P99: http.percentile(99), ClientP99: client.percentile(99),
		CPU: http.cpu.per(len(http.latencies)), ClientCPU: client.cpu.per(len(client.latencies)),
	})
}

// starts measures how long the starts of a number of withdrawals take, and returns when
// these have ended.
func (r *rig) starts(ctx context.Context, n int, one func(context.Context, order.Request) error) (round, error) {
	started := make(chan order.Request, n)
	result, err := r.round(ctx, n, func(ctx context.Context, request order.Request) error {
		started <- request
		return one(ctx, request)
	})
	if err != nil {
		return result, err
	}
	close(started)
	for request := range started {
		if err := r.ended(ctx, request, order.Succeeded); err != nil {
			return result, err
		}
	}
	return result, nil
}

// startOverHTTP starts a withdrawal at the HTTP door.
func (r *rig) startOverHTTP(ctx context.Context, o order.Request) error {
	return r.askJSON(ctx, "/v1/withdrawals", map[string]any{
		"merchant": o.Merchant, "number": o.Number, "way": o.Way, "amount": o.Amount, "details": o.Details,
	}, nil)
}
