package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// settleLine says how long the end of an order takes, once there is evidence: for ours from
// the time in the row of the callback that the receiver stored, for the floor from its signal.
// Both end when Temporal has closed the workflow, which is after the order was settled in the
// ledger. One machine has all the clocks.
type settleLine struct {
	Bench string `json:"bench"`
	place
	Orders      int     `json:"orders"`
	Concurrency int     `json:"concurrency"`
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	FloorP50    float64 `json:"floor_p50_ms"`
	FloorP99    float64 `json:"floor_p99_ms"`
	RatioP50    float64 `json:"ratio_p50"`
	RatioP99    float64 `json:"ratio_p99"`
}

// settleCallers is how many orders are under way at once.
const settleCallers = 16

// settle measures withdrawals that a callback finishes, and floor workflows, in turn.
func (r *rig) settle(ctx context.Context) (err error) {
	db, err := sql.Open("postgres", r.stack.DatabaseURL())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	before := r.options.Concurrency
	r.options.Concurrency = settleCallers
	defer func() { r.options.Concurrency = before }()

	ours := func(ctx context.Context, request order.Request) (time.Duration, error) {
		if err := r.ours(ctx, request); err != nil {
			return 0, err
		}
		var received int64
		err := db.QueryRowContext(ctx, "SELECT MIN(first_at) FROM inbox WHERE merchant = $1 AND number = $2", request.Merchant, request.Number).Scan(&received)
		if err != nil {
			return 0, fmt.Errorf("the callback of %s: %w", request.Key(), err)
		}
		closed, err := r.closed(ctx, contract.WorkflowID(request.Key()))
		return closed.Sub(time.UnixMilli(received)), err
	}
	theFloor := func(ctx context.Context, request order.Request) (time.Duration, error) {
		id := "floor-" + request.Number
		if err := r.floor.run(ctx, id); err != nil {
			return 0, err
		}
		signalled, err := r.signalled(ctx, id)
		if err != nil {
			return 0, err
		}
		closed, err := r.closed(ctx, id)
		return closed.Sub(signalled), err
	}
	var mine, theirs round
	for range r.options.Rounds {
		a, err := r.durations(ctx, ours)
		if err != nil {
			return err
		}
		b, err := r.durations(ctx, theFloor)
		if err != nil {
			return err
		}
		mine.latencies, theirs.latencies = append(mine.latencies, a...), append(theirs.latencies, b...)
	}
	line := settleLine{
		Bench: "settle", place: r.place, Orders: len(mine.latencies), Concurrency: settleCallers,
		P50: mine.percentile(50), P99: mine.percentile(99), FloorP50: theirs.percentile(50), FloorP99: theirs.percentile(99),
	}
	line.RatioP50, line.RatioP99 = digits(line.P50/line.FloorP50), digits(line.P99/line.FloorP99)
	return r.out.Encode(line)
}

// durations are what one returns for each order of a round.
func (r *rig) durations(ctx context.Context, one func(context.Context, order.Request) (time.Duration, error)) ([]time.Duration, error) {
	var took []time.Duration
	var lock sync.Mutex
	_, err := r.round(ctx, r.options.Orders, func(ctx context.Context, request order.Request) error {
		each, err := one(ctx, request)
		lock.Lock()
		defer lock.Unlock()
		took = append(took, each)
		return err
	})
	return took, err
}

// closed is when the server closed a workflow.
func (r *rig) closed(ctx context.Context, id string) (time.Time, error) {
	told, err := r.stack.Temporal.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return time.Time{}, err
	}
	return told.GetWorkflowExecutionInfo().GetCloseTime().AsTime(), nil
}

// signalled is when the server took a workflow's signal.
func (r *rig) signalled(ctx context.Context, id string) (time.Time, error) {
	history := r.stack.Temporal.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			return time.Time{}, err
		}
		if event.GetEventType() == enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			return event.GetEventTime().AsTime(), nil
		}
	}
	return time.Time{}, fmt.Errorf("workflow %s got no signal", id)
}
