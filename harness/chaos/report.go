package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/worklist"
	"github.com/tarspay-payouts/orchestrator/order"
)

// summary is the last line of a run.
type summary struct {
	Chaos          string              `json:"chaos"`
	Seed           uint64              `json:"seed"`
	Seconds        int                 `json:"seconds"`
	Orders         int                 `json:"orders"`
	States         map[order.State]int `json:"states"`
	Kills          map[string]int      `json:"kills"`
	Stops          map[string]int      `json:"stops"` // SIGSTOP, and SIGCONT later
	Cuts           map[string]int      `json:"cuts"`
	Exits          map[string]int      `json:"exits,omitempty"`          // processes that ended by themselves and were started again
	Points         map[string]int      `json:"points"`                   // processes that were killed or suspended there
	Missed         []string            `json:"missed,omitempty"`         // points at which no process was killed
	LongestHistory int64               `json:"longest_history"`          // of a workflow, in events
	Drills         []drilled           `json:"drills,omitempty"`         // copies that were restored
	Unacknowledged []string            `json:"unacknowledged,omitempty"` // orders that were never acknowledged, and are not stored
	Lost           int                 `json:"lost"`
	DoublePayments int                 `json:"double_payments"`
	LedgerSum      int64               `json:"ledger_sum"`
	Stuck          int                 `json:"stuck"`
	Heard          *eventsLine         `json:"events,omitempty"` // with a webhook endpoint
	Violations     int                 `json:"violations"`
}

// report prints the violations and the summary.
func (r *run) report() error {
	lines := json.NewEncoder(r.out)
	for _, found := range r.violations {
		err := lines.Encode(struct {
			Chaos string `json:"chaos"`
			violation
			Seed uint64 `json:"seed"`
		}{"violation", found, r.Seed})
		if err != nil {
			return err
		}
	}
	r.mutex.Lock()
	s := summary{
		Chaos: "summary", Seed: r.Seed, Seconds: int(time.Since(r.begun) / time.Second), Orders: len(r.orders), States: r.states,
		Kills: map[string]int{stack.Worker: 0, stack.Temporal: 0, stack.Postgres: 0, stack.Receiver: 0},
		Stops: maps.Clone(r.stops), Cuts: maps.Clone(r.cuts), Exits: maps.Clone(r.exits), Points: make(map[string]int),
		LongestHistory: r.longest, Unacknowledged: r.unheard, Drills: r.drilled,
		Lost: r.lost, DoublePayments: r.doubles, LedgerSum: r.sum, Stuck: r.stuck, Violations: len(r.violations),
	}
	if r.Events {
		s.Kills[stack.API], s.Kills[stack.Endpoint], s.Heard = 0, 0, &r.heard
	}
	maps.Copy(s.Kills, r.kills)
	for _, p := range r.points() {
		s.Points[p.name] = r.met[p.name] + r.frozenAt[p.name]
		if r.met[p.name] == 0 {
			s.Missed = append(s.Missed, p.name)
		}
	}
	r.mutex.Unlock()
	if err := lines.Encode(s); err != nil {
		return err
	}
	if len(r.violations) == 0 {
		return nil
	}
	r.keepStories(context.WithoutCancel(r.life))
	return fmt.Errorf("%w: %d violations with seed %d", ErrViolated, len(r.violations), r.Seed)
}

// keepStories stores all records of the orders with violations.
func (r *run) keepStories(ctx context.Context) {
	numbers := make(map[string]bool)
	for _, found := range r.violations {
		numbers[found.Order] = true
	}
	for _, o := range slices.Concat(r.orders, r.drillOrders) {
		key := o.request.Key()
		if !numbers[key.String()] {
			continue
		}
		story, _ := r.books.Story(ctx, key) // what there is
		attempts, _ := r.books.Submissions(ctx, key)
		callbacks, _ := r.books.Callbacks(ctx, key)
		theirs, _ := r.stack.Gateway.Orders(ctx, key.Merchant, key.Number)
		sent, _ := r.stack.Gateway.Deliveries(ctx, key.Merchant, key.Number)
		text, err := json.MarshalIndent(map[string]any{
			"habit": o.habit, "story": worklist.Tell(story), "submissions": attempts, "callbacks": callbacks, "gateway": theirs, "deliveries": sent,
		}, "", "  ")
		if err == nil {
			r.keepSaid("violation-"+key.Merchant+"-"+key.Number+".json", string(text))
		}
	}
}
