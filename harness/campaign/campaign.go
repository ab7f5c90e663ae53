// Package campaign is the first of the two harnesses that try the properties
// of docs/safety.md: whole worlds in one process, thousands of them a minute.
//
// A world is one ledger, one gateway, one receiver, some orders and one clock.
// All of it is the real thing but for time: the workflow code runs in
// Temporal's test environment, which skips time, the real activities write a
// real SQLite ledger, the real client talks to the sandbox gateway, and the
// gateway to the real receiver. What befalls a world is written in its Plan: what the
// gateway and the wire do wrong, who approves, cancels and resolves, which
// workers die, when the merchant's money is away. When all is quiet, what is on
// record is compared with the gateway's own book.
//
// # What repeats itself
//
// A plan makes the same orders meet the same faults, because the gateway draws
// each from the seed, the order and the how-manieth call it is. Every order
// acts at its own milliseconds within a second, so that two of them hardly ever
// do something at one moment; then a world runs alike to the last transfer, and
// Report.Digest says whether it did. What does not repeat itself: goroutines of
// activities that run at one moment write the ledger in the order in which the
// scheduler lets them, and while one is running, the environment lets short
// timers fire by the real clock: on a busy machine the next order's moment may
// come before it has ended. The environment is locked while it does anything, and
// a starting activity needs that lock, so nothing of ours can hold time back. A
// plan with Together set has many such moments, on purpose: they are where two
// writers meet.
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
	Property string `json:"property"`        // P1 to P7, P10, P13, or P0: something of ours failed that must always work
	Order    string `json:"order,omitempty"` // its number; none when it is the books as a whole
	Sentence string `json:"sentence"`
}

// String is one line.
func (v Violation) String() string { return fmt.Sprintf("%s %s: %s", v.Property, v.Order, v.Sentence) }

// Report is what came of a world.
type Report struct {
	Orders     int
	Faults     int // what went wrong, as far as it can be seen from our side: see the sentence at count
	Violations []Violation
	Ends       map[string]order.State // by number
	Digest     string                 // of all that is on record
}

// Run makes the world of a plan and lets it live until all is quiet. The error
// is the harness's own: a plan that makes no sense, a file that cannot be
// written. What is wrong with the house is in the report.
func Run(ctx context.Context, plan Plan) (Report, error) { return run(ctx, plan, seams{}) }

// seams are where a test of this package plants a mistake of ours.
type seams struct {
	wire     func(carry) carry // our side of the wire
	settings func(*activities.Settings)
	// ownClocks has every worker stamp what it writes with its own clock.
	ownClocks bool
	// patience is how long a world may stand still, by the real clock; 0: a minute.
	patience time.Duration
	// receiver stands before our receiver.
	receiver func(http.Handler) http.Handler
	// books changes the ledger's tables.
	books func(ctx context.Context, execute func(statement string) error) error
	// interceptors stand between a workflow or an activity and the world.
	interceptors []interceptor.WorkerInterceptor
}

func run(ctx context.Context, plan Plan, seams seams) (Report, error) {
	told, err := live(ctx, plan, seams)
	if err != nil {
		return Report{}, fmt.Errorf("campaign: seed %d: %w", plan.Seed, err)
	}
	return told.report(), nil
}

// live makes a world, lets it live and writes down what is on record then.
func live(ctx context.Context, plan Plan, seams seams) (told *chronicle, err error) {
	if err := plan.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, err := newWorld(ctx, plan, seams)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closing := w.close(); err == nil {
			err = closing
		}
	}()
	w.run()
	return w.chronicle(), nil
}
