// Package campaign is the first of the two harnesses that test the properties of
// docs/safety.md. It simulates complete systems ("worlds") in one process, thousands
// of them a minute.
//
// A world has one ledger, one gateway, one receiver, some orders and one clock. Only
// time is simulated: the workflow code runs in Temporal's test environment, which
// skips time. The real activities write a real SQLite ledger, the real client calls
// the sandbox gateway, and the gateway calls the real receiver. The world's Plan lists
// the faults of the gateway and the network, the actions of operators, the workers
// that die, and so on. When nothing more is under way, the ledger's records are
// compared with the gateway's.
//
// # What is deterministic
//
// With the same plan, the same orders meet the same faults: the gateway selects each
// fault by the seed, the order and the ordinal number of the call. Each order acts at
// its own millisecond offset within a second, so orders rarely act at the same time.
// Such a world runs the same way each time, down to the last transfer. Compare
// Report.Digest to check that.
//
// Two things are not deterministic. Activities that run at the same time write the
// ledger in the order in which their goroutines are scheduled. And while an activity
// runs, the environment fires short timers by the real clock, so on a busy machine the
// next order may act before the activity has ended. The harness cannot delay the
// timers, because the environment holds its lock while it runs, and a starting
// activity needs that lock. A plan with Together set has many concurrent activities,
// to test concurrent writes.
package campaign

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.temporal.io/sdk/interceptor"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Violation is a property that does not hold.
type Violation struct {
	Property string `json:"property"`        // P1 to P7, P10, P13, or P0: an operation failed that must never fail
	Order    string `json:"order,omitempty"` // its number; empty if the violation concerns the whole ledger
	Sentence string `json:"sentence"`
}

// String returns one line.
func (v Violation) String() string { return fmt.Sprintf("%s %s: %s", v.Property, v.Order, v.Sentence) }

// Report is the result of a world.
type Report struct {
	Orders     int
	Faults     int // how many faults there were, as far as our side can see them: see count
	Violations []Violation
	Ends       map[string]order.State // by number
	Digest     string                 // of the ledger's records and the number of creates and callbacks
}

// Run simulates a plan until nothing more is under way. It returns an error only if the
// harness fails: the plan is invalid, or a file cannot be written. The report lists what
// the product did wrong.
func Run(ctx context.Context, plan Plan) (Report, error) { return run(ctx, plan, injected{}) }

// injected lets a test of this package inject mistakes into the product.
type injected struct {
	wire     func(transportFunc) transportFunc // our side of the wire
	settings func(*activities.Settings)
	// ownClocks makes every worker use its own clock for the times that it stores.
	ownClocks bool
	// patience is the longest time without progress, by the real clock; 0: a minute.
	patience time.Duration
	// receiver wraps the receiver.
	receiver func(http.Handler) http.Handler
	// books changes the ledger's tables.
	books func(ctx context.Context, execute func(statement string) error) error
	// interceptors are added to the worker's.
	interceptors []interceptor.WorkerInterceptor
}

func run(ctx context.Context, plan Plan, injected injected) (Report, error) {
	result, err := simulate(ctx, plan, injected)
	if err != nil {
		return Report{}, fmt.Errorf("campaign: seed %d: %w", plan.Seed, err)
	}
	return result.report(), nil
}

// simulate runs a plan and returns the records at the end.
func simulate(ctx context.Context, plan Plan, injected injected) (result *results, err error) {
	if err := plan.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, err := newWorld(ctx, plan, injected)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closing := w.close(); err == nil {
			err = closing
		}
	}()
	w.run()
	if err := ctx.Err(); err != nil { // what did not end in time is no violation
		return nil, err
	}
	return w.results(), nil
}
