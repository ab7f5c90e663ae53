// Package bench measures what an order costs and how fast orders go, on the embedded stack,
// and on Temporal's production server with everything on PostgreSQL: real processes, a real
// Temporal server, real HTTP and real signatures. Speeds are compared with the floor, the
// cheapest workflow of the same shape on the same server. Both are measured in turn in the
// same run.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Options configure a run. The zero value is the default.
type Options struct {
	Bin         string // directory of the binaries; see stack.Options
	Server      string // Embedded or Production; empty: one after the other
	DatabaseURL string // PostgreSQL for the ledger of the embedded stack; empty: SQLite
	Orders      int    // orders per round of the throughput; 0 is 200
	Concurrency int    // orders under way at once; 0 is 32
	Rounds      int    // rounds of each side, in turn; 0 is 3
	Open        int    // orders in flight at once, of that measurement; 0 is 1000
	Records     int    // transactions that are compared; 0 is 100,000
	Source      string // compare by this alone: history or statement; empty: both
	Rows        int    // of the batch; 0 is 1000
	DayOrders   int    // of the day that is reported; 0 is 1,000,000
	Ledger      int    // orders in the large ledger; 0 is 10,000
	Only        string // the one measurement to make; empty: all of the server
	Roster      bool   // with a roster: the system signs each start
	Progress    io.Writer
}

// settle is how long the sandbox takes from one state to the next, and how
// long the floor's signal takes to come.
const settle = 20 * time.Millisecond

// ApproveAbove is the amount in rupees above which an order of the benchmark
// waits for a second person.
const ApproveAbove = 10_000

// policy is the policy file with ApproveAbove.
var policy = fmt.Sprintf("rules:\n  - country: PK\n    per_order: {approve_above: \"%d\"}\n", ApproveAbove)

// The servers that are measured on.
const (
	Embedded   = "embedded"   // Temporal's development server, on SQLite
	Production = "production" // Temporal's own server, on PostgreSQL beside the ledger
)

// The ledger's engines.
const (
	onSQLite   = "sqlite"
	onPostgres = "postgres"
)

// place names the server and the ledger's engine of a line.
type place struct {
	Server string `json:"server"`
	Ledger string `json:"ledger"`
	Roster bool   `json:"roster,omitempty"` // each start is signed
}

// Run measures everything and prints one JSON object per line.
func Run(ctx context.Context, out io.Writer, options Options) error {
	if err := checkOnly(options); err != nil {
		return err
	}
	switch options.Server {
	case "":
		for _, server := range []string{Embedded, Production} {
			options.Server = server
			if checkOnly(options) != nil {
				continue
			}
			if err := runOn(ctx, out, server, options); err != nil {
				return err
			}
		}
		return nil
	case Embedded, Production:
		return runOn(ctx, out, options.Server, options)
	}
	return fmt.Errorf("there is no server %q: it is %s or %s", options.Server, Embedded, Production)
}

// runOn measures on one server. Measurements that do not depend on the server run with the
// embedded one only.
func runOn(ctx context.Context, out io.Writer, server string, options Options) error {
	options.Server = server
	r, err := newRig(ctx, out, options)
	if err != nil {
		return err
	}
	for _, m := range measures {
		if err == nil && m.on(options) {
			err = m.run(r, ctx)
		}
	}
	return errors.Join(err, r.close())
}

// measurement is one kind of line. server is the only one that it runs on; empty: both.
type measurement struct {
	name, server string
	run          func(*rig, context.Context) error
}

var measures = []measurement{
	{"signature", Embedded, (*rig).signature},
	{"cost", "", (*rig).cost},
	{"throughput", "", (*rig).throughput},
	{"settle", Production, (*rig).settle},
	{"sql", Production, (*rig).sql},
	{"growth", Production, (*rig).growth},
	{"", "", (*rig).stopFloor},
	{"api", "", (*rig).api},
	{"webhook", "", (*rig).webhook},
	{"callback", "", (*rig).callbacks},
	{"batch", "", (*rig).batch},
	{"in_flight", "", (*rig).inFlight},
	{"reconcile", Embedded, (*rig).reconcile},
	{"report", "", (*rig).report},
}

// on reports whether the measurement is made.
func (m measurement) on(o Options) bool {
	return (m.server == "" || m.server == o.Server) && (m.name == "" || o.Only == "" || o.Only == m.name)
}

// checkOnly refuses a measurement that there is not, or not on the server.
func checkOnly(o Options) error {
	var names []string
	for _, m := range measures {
		if m.name == "" {
			continue
		}
		names = append(names, m.name)
		if m.name == o.Only && m.server != "" && o.Server != "" && m.server != o.Server {
			return fmt.Errorf("%s is measured on the server %q only", m.name, m.server)
		}
	}
	if o.Only != "" && !slices.Contains(names, o.Only) {
		return fmt.Errorf("there is no measurement %q: it is one of %s", o.Only, strings.Join(names, ", "))
	}
	if o.Source != "" && !slices.Contains(bySource, o.Source) {
		return fmt.Errorf("there is no source %q: it is one of %s", o.Source, strings.Join(bySource, ", "))
	}
	return nil
}

// rig holds what all measurements share.
type rig struct {
	options Options
	place   place
	out     *json.Encoder
	dir     string // of the policy, and of what a measurement needs for itself
	stack   *stack.Stack
	http    *http.Client
	floor   *floor
	serial  int
}

func newRig(ctx context.Context, out io.Writer, options Options) (*rig, error) {
	options.Orders = or(options.Orders, 200)
	options.Concurrency = or(options.Concurrency, 32)
	options.Rounds = or(options.Rounds, 3)
	options.Open = or(options.Open, 1000)
	options.Records = or(options.Records, 100_000)
	options.Rows = or(options.Rows, 1000)
	options.Ledger = or(options.Ledger, 10_000)
	options.DayOrders = or(options.DayOrders, 1_000_000)
	dir, err := os.MkdirTemp("", "payouts-bench-")
	if err != nil {
		return nil, err
	}
	r := &rig{options: options, place: place{Server: options.Server, Ledger: onSQLite, Roster: options.Roster}, out: json.NewEncoder(out), dir: dir}
	// As many connections as there are requests at once, as client.Start has.
	r.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: options.Concurrency}}
	if options.Server == Production || options.DatabaseURL != "" {
		r.place.Ledger = onPostgres
	}
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *rig) open(ctx context.Context) error {
	rules := filepath.Join(r.dir, "policy.yaml")
	if err := os.WriteFile(rules, []byte(policy), 0o600); err != nil {
		return err
	}
	wanted := stack.Options{
		Bin:      r.options.Bin,
		API:      true,
		Speed:    int(sandbox.DefaultDelay / settle),
		Progress: r.options.Progress,
		Settings: map[string]string{
			"PAYOUTS_GATEWAY_RATE":   "100000", // no limit, so that it is not what is measured
			"PAYOUTS_API_RATE":       "100000",
			"PAYOUTS_CALLBACK_GRACE": "30s", // the callback path is measured without polls
			"PAYOUTS_LOG_LEVEL":      "error",
			"PAYOUTS_POLICY_FILE":    rules,
		},
	}
	if r.options.Roster {
		wanted.People = stack.People("")
	}
	if r.options.Server == Production {
		wanted.Production, wanted.DatabaseSettings = true, countedPostgres
	} else {
		wanted.DatabaseURL = r.options.DatabaseURL
	}
	running, err := stack.Start(ctx, wanted)
	if err != nil {
		return err
	}
	r.stack = running
	r.floor, err = newFloor(running.Temporal)
	return err
}

func (r *rig) close() error {
	err := r.stopFloor(context.Background())
	if r.stack != nil {
		err = r.stack.Stop()
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}

// stopFloor ends the floor's workers, so that they do not disturb other measurements.
func (r *rig) stopFloor(context.Context) error {
	if r.floor != nil {
		r.floor.stop()
		r.floor = nil
	}
	return nil
}

func or(value, otherwise int) int {
	if value == 0 {
		return otherwise
	}
	return value
}

// request returns a new order in Pakistan with a scenario of the sandbox.
func (r *rig) request(kind order.Kind, scenario string) order.Request {
	r.serial++
	return order.Request{
		Kind: kind, Merchant: r.stack.Merchant("PK"), Number: fmt.Sprintf("bench-%d", r.serial), Country: "PK", Way: "easypaisa",
		Amount: rupees(500),
		Details: map[string]string{
			"customerName": "Bench Mark", "customerContact": "03001234567", "customerAccountNumber": "03001234567",
			sandbox.ScenarioMember: scenario,
		},
	}
}

// rupees is an amount in PKR.
func rupees(whole int64) money.Amount {
	amount, err := money.Parse(strconv.FormatInt(whole, 10), "PKR")
	if err != nil {
		panic(err) // a whole number of rupees is a valid amount
	}
	return amount
}

// start begins an order as a finance system would.
func (r *rig) start(ctx context.Context, request order.Request) error {
	request, err := r.stack.Sign(request)
	if err != nil {
		return err
	}
	if request.Kind == order.Deposit {
		_, _, err := r.stack.Orders.StartDeposit(ctx, request)
		return err
	}
	_, err = r.stack.Orders.Start(ctx, request)
	return err
}
