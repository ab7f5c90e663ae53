// Package bench measures what an order costs and how fast orders go, on the
// embedded stack: real processes, a real Temporal server, real HTTP and real
// signatures. Figures of speed stand beside the floor, the cheapest workflow
// of the same shape on the same server, measured in turn in the same run.
package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/stack"
	"github.com/tarspay-payouts/orchestrator/tarspay/sandbox"
)

// Options say how much is measured. The zero value is the usual run.
type Options struct {
	Bin         string // directory of the binaries; see stack.Options
	DatabaseURL string // PostgreSQL for the ledger; empty: SQLite
	Orders      int    // orders per round of the throughput; 0 is 200
	Concurrency int    // orders under way at once; 0 is 32
	Rounds      int    // rounds of each side, in turn; 0 is 3
	Progress    io.Writer
}

// settle is how long the sandbox takes from one state to the next, and how
// long the floor's signal takes to come.
const settle = 20 * time.Millisecond

// Run measures everything and prints one JSON object per line.
func Run(ctx context.Context, out io.Writer, options Options) error {
	r, err := newRig(ctx, out, options)
	if err != nil {
		return err
	}
	for _, measure := range []func(context.Context) error{r.signature, r.cost, r.throughput, r.callbacks} {
		if err == nil {
			err = measure(ctx)
		}
	}
	if stopped := r.stack.Stop(); err == nil {
		err = stopped
	}
	return err
}

// rig is what every measurement stands on.
type rig struct {
	options Options
	out     *json.Encoder
	stack   *stack.Stack
	floor   *floor
	serial  int
}

func newRig(ctx context.Context, out io.Writer, options Options) (*rig, error) {
	options.Orders = or(options.Orders, 200)
	options.Concurrency = or(options.Concurrency, 32)
	options.Rounds = or(options.Rounds, 3)
	running, err := stack.Start(ctx, stack.Options{
		Bin:         options.Bin,
		DatabaseURL: options.DatabaseURL,
		Speed:       int(sandbox.DefaultDelay / settle),
		Progress:    options.Progress,
		Settings: map[string]string{
			"PAYOUTS_GATEWAY_RATE":   "100000", // the gateway's limit is not what is measured
			"PAYOUTS_CALLBACK_GRACE": "30s",    // the callback path is measured without polls
			"PAYOUTS_LOG_LEVEL":      "error",
		},
	})
	if err != nil {
		return nil, err
	}
	r := &rig{options: options, out: json.NewEncoder(out), stack: running}
	if r.floor, err = newFloor(running.Temporal); err != nil {
		_ = running.Stop()
		return nil, err
	}
	return r, nil
}

func or(value, otherwise int) int {
	if value == 0 {
		return otherwise
	}
	return value
}

// request makes a new order of Pakistan's with a scenario of the sandbox's.
func (r *rig) request(kind order.Kind, scenario string) order.Request {
	r.serial++
	amount, err := money.Parse("500", "PKR")
	if err != nil {
		panic(err) // a constant
	}
	return order.Request{
		Kind: kind, Merchant: r.stack.Merchant("PK"), Number: fmt.Sprintf("bench-%d", r.serial), Country: "PK", Way: "easypaisa",
		Amount: amount,
		Details: map[string]string{
			"customerName": "Bench Mark", "customerContact": "03001234567", "customerAccountNumber": "03001234567",
			sandbox.ScenarioMember: scenario,
		},
	}
}

// start begins an order as a finance system would.
func (r *rig) start(ctx context.Context, request order.Request) error {
	if request.Kind == order.Deposit {
		_, _, err := r.stack.Orders.StartDeposit(ctx, request)
		return err
	}
	_, err := r.stack.Orders.Start(ctx, request)
	return err
}
