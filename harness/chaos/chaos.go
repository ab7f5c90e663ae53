// Package chaos is the second harness of docs/safety.md. It kills, suspends and
// disconnects real processes, at random and at named points around their calls and
// writes. Then it checks the result against the gateway's records.
//
// Temporal, PostgreSQL, two workers, two receivers and the sandbox gateway run as
// processes, each with its data on disk. Every connection of a worker or receiver
// passes through a proxy of ours. The proxy can cut it, and reads what passes, so
// that a process can be killed at a named point. The product holds no code for this
// and never imports the package.
//
// The seed decides the orders, what the gateway does with them, and the sequence of
// faults. Which order a fault hits depends on the timing of the machine.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarspay-payouts/orchestrator/harness/proxy"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

// Options configure a run. The zero value is the default.
type Options struct {
	Seed       uint64        // of the random numbers
	Orders     int           // 0: four per second of Duration; a thousand with Events
	Production bool          // Temporal's own server on the ledger's PostgreSQL, for many orders; else its development server
	Duration   time.Duration // how long faults are injected, without the time to recover; 0: a minute; with Events: until all orders were started, and each kind of process was killed
	Bin        string        // directory of the binaries; see stack.Options
	Worker     string        // another worker binary, to test that the checks find its bugs
	Keep       bool          // keep logs and databases of a run without violations, too
	Events     bool          // with the HTTP door and a webhook endpoint, without drills; see events.go
	Progress   io.Writer
}

const (
	usualDuration   = time.Minute
	ordersPerSecond = 4
)

// Streams of random numbers of one seed. Each kind of fault has a stream of its own, so
// that they do not influence one another.
const (
	seedOrders = iota + 1
	seedBlows
	seedTraps
	seedFreezes
	seedDoors
	seedEndpoint
	seedBatch
)

// ErrViolated is the error of a run with violations.
var ErrViolated = errors.New("a property was violated")

// speed is the speed of the sandbox's clock. With it, a late create is booked more than a
// second after the worker has given up and has queried the order without finding it.
const speed = 6

// settings are those of the worker and the receiver. Orders without a decision of the
// gateway go to review soon, and are queried often.
var settings = map[string]string{
	"PAYOUTS_WITHDRAWAL_HORIZON": "40s",
	"PAYOUTS_DEPOSIT_HORIZON":    "40s",
	// Longer than the gateway needs to book a late create, even on a busy machine.
	"PAYOUTS_NOT_FOUND_GRACE": "6s",
	"PAYOUTS_RECONCILE_LAG":   "1s",
	"PAYOUTS_RECONCILE_RATE":  "1000",
	"PAYOUTS_LOG_LEVEL":       "debug",
}

// run is the state of one run.
type run struct {
	Options
	out         io.Writer
	notes       io.Writer
	begun       time.Time
	orders      []*started
	drillOrders []*started
	stage       *stage
	lines       []*line
	stack       *stack.Stack
	books       *ledger.Ledger
	door        door
	secret      string // of the webhook endpoint
	told        told
	life        context.Context // ends when the run is aborted

	returning sync.WaitGroup // of processes that were killed
	restarts  sync.WaitGroup // of processes that ended by themselves
	troubled  atomic.Bool    // the stack has been started

	mutex    sync.Mutex
	claimed  map[string]bool
	kills    map[string]int // by kind of process
	exits    map[string]int // by kind: ended by themselves
	stops    map[string]int // by kind: suspended
	cuts     map[string]int // by mode of a line
	met      map[string]int // processes that were killed, by point
	frozenAt map[string]int // workers that were suspended, by point

	judgement
}

// Run executes a run. It prints a line of JSON for each violation, and a summary as the
// last line. It returns ErrViolated if there was a violation.
func Run(ctx context.Context, out io.Writer, options Options) (err error) {
	options.complete()
	life, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{
		Options: options, out: out, notes: options.Progress, begun: time.Now(), stage: newStage(), life: life,
		orders:  plan(options.Seed, options.Orders, options.Duration),
		claimed: make(map[string]bool), kills: make(map[string]int), exits: make(map[string]int), stops: make(map[string]int),
		cuts: make(map[string]int), met: make(map[string]int), frozenAt: make(map[string]int),
	}
	if r.notes == nil {
		r.notes = io.Discard
	}
	if r.Events {
		askEverywhere(r.orders)
	}
	if err := r.setUp(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.leave(err)) }()
	if err := r.play(ctx); err != nil {
		return err
	}
	return r.report()
}

// complete sets what is not given.
func (o *Options) complete() {
	if o.Events && o.Orders == 0 {
		o.Orders = eventOrders
	}
	if o.Duration == 0 {
		o.Duration = usualDuration
	}
	if o.Orders == 0 {
		o.Orders = max(1, ordersPerSecond*int(o.Duration/time.Second))
	}
}

func (r *run) setUp(ctx context.Context) error {
	gateways := make([]sandbox.Merchant, len(merchants))
	for i, m := range merchants {
		gateways[i] = m.Merchant
	}
	options := stack.Options{
		Bin: r.Bin, OwnDatabase: true, Production: r.Production, Workers: 2, Receivers: 2, API: r.Events, Endpoint: r.Events,
		Speed: speed, Merchants: gateways, Settings: maps.Clone(settings), Progress: r.notes,
		Route: func(from, to, address string) (string, error) { return r.route(ctx, from, to, address) },
		Died:  r.died,
	}
	if r.Events {
		maps.Copy(options.Settings, eventSettings)
	}
	if r.Worker != "" {
		options.Binaries = map[string]string{stack.Worker: r.Worker}
	}
	started, err := stack.Start(ctx, options)
	if err != nil {
		r.closeLines()
		return err
	}
	r.stack, r.door = started, door{started.Addresses.API}
	if r.books, err = ledger.Open(ctx, started.DatabaseURL(), ledger.SealWith(started.AuditKeys()), ledger.EncryptWith(started.DataKeys())); err != nil {
		return errors.Join(err, r.leave(err))
	}
	if r.Events {
		if err := r.register(ctx); err != nil {
			return errors.Join(err, r.leave(err))
		}
	}
	return nil
}

// route returns the address of the line between two processes, and creates the line if
// needed.
func (r *run) route(ctx context.Context, from, to, address string) (string, error) {
	for _, l := range r.lines {
		if l.from == from && l.to == to {
			return l.Address(), nil
		}
	}
	l, err := newLine(ctx, from, to, address, r.stage)
	if err != nil {
		return "", err
	}
	r.lines = append(r.lines, l)
	return l.Address(), nil
}

func (r *run) closeLines() {
	for _, l := range r.lines {
		l.Close()
	}
}

// leave stops everything. It keeps the directory after a failure, or if Keep is set.
func (r *run) leave(failure error) error {
	if r.Keep || failure != nil && r.life.Err() == nil {
		r.stack.Keep()
		r.say("logs and databases are kept in %s", r.stack.Dir())
	}
	if r.books != nil {
		_ = r.books.Close()
	}
	err := r.stack.Stop()
	r.restarts.Wait()
	r.closeLines()
	return err
}

// play injects faults, restores everything, checks the properties, and makes the drills.
func (r *run) play(ctx context.Context) error {
	for _, m := range merchants {
		if m.alone {
			if err := r.stack.Gateway.Switch(ctx, m.Number, "no-duplicate-guard", true); err != nil {
				return err
			}
		}
	}
	if err := r.stack.Gateway.SetFaults(ctx, sandbox.Faults{Seed: r.Seed, Rates: faults}); err != nil {
		return err
	}
	r.begun = time.Now()
	r.troubled.Store(true)
	starting, stopStarting := context.WithCancel(ctx)
	defer stopStarting()
	started := make(chan struct{})
	troubled, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.Events {
		r.say("%d orders, faults until all were started, seed %d", r.Orders, r.Seed)
		go func() { defer close(started); r.startInTurn(starting, cancel) }()
	} else {
		r.say("%d orders, faults for %s, seed %d", r.Orders, r.Duration, r.Seed)
		go func() { defer close(started); r.startAll(starting) }()
		defer time.AfterFunc(r.Duration, cancel).Stop()
	}
	r.trouble(troubled)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := r.heal(ctx); err != nil {
		return err
	}
	r.settleDown(ctx)
	stopStarting()
	<-started
	// There is no callback for a refund in Vietnam and Thailand: the comparison finds it.
	r.compareTransactions(ctx)
	if err := r.judge(ctx); err != nil {
		return err
	}
	if r.Events {
		return nil
	}
	return r.restoreAll(ctx)
}

// kindOf returns the kind of a process, its name without the number.
func kindOf(name string) string {
	kind, _, _ := strings.Cut(name, "-")
	return kind
}

// heal restores all connections and processes, and waits until they answer.
func (r *run) heal(ctx context.Context) error {
	r.say("end of the faults: restoring everything")
	for _, l := range r.lines {
		l.Set(proxy.Passing)
	}
	// A plan without faults. Without a plan, the digits of an amount would select a scenario.
	if err := r.stack.Gateway.SetFaults(ctx, sandbox.Faults{Seed: r.Seed, Rates: map[string]int{"fail": 0}}); err != nil {
		return err
	}
	kinds := []string{stack.Postgres, stack.Temporal, stack.Sandbox, stack.Worker, stack.Receiver}
	if r.Events {
		kinds = append(kinds, stack.API, stack.Endpoint)
	}
	for _, kind := range kinds {
		for _, name := range r.stack.Names(kind) {
			_ = r.stack.Resume(name) // fails if the process is not suspended or not running
			if !r.stack.Running(name) {
				r.bring(name)
			}
			if err := r.stack.Await(ctx, name); err != nil {
				return fmt.Errorf("after the faults: %w", err)
			}
		}
	}
	if r.Events {
		return r.calm(ctx)
	}
	return nil
}

// Bounds of settling down.
const (
	settleWithin = 5 * time.Minute // the bound of P6, also on a busy machine, for each scaleOrders
	scaleOrders  = 2500
	patience     = 90 * time.Second       // without any change; the longest pause between attempts is a minute
	patientLooks = 4                      // at least: of many orders on a busy machine a look takes half a minute
	lookEvery    = 500 * time.Millisecond // and a fifth of the time at most
	tellEvery    = 5 * time.Second
	aDay         = 25 * time.Hour // longer than the gateway's longest delay
)

// scaled is a bound of a run with few orders, for this run.
func (r *run) scaled(bound time.Duration) time.Duration {
	return time.Duration(1+r.Orders/scaleOrders) * bound
}

// settleDown waits until nothing is pending. When no order is open,
// it advances the gateway's clock, so that the gateway sends its last callbacks.
func (r *run) settleDown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.scaled(settleWithin))
	defer cancel()
	var told time.Time
	last, since, looks := "", time.Now(), 0
	for {
		began := time.Now()
		unrest, busy, err := r.unrest(ctx)
		if err == nil && !busy {
			_, err = r.stack.Gateway.Advance(ctx, aDay)
		}
		switch {
		case err != nil:
			unrest = err.Error()
		case unrest == "":
			r.say("nothing is pending")
			return
		}
		if unrest != last {
			last, since, looks = unrest, time.Now(), 0
		}
		looks++
		if time.Since(told) > tellEvery {
			r.say("still pending: %s", unrest)
			told = time.Now()
		}
		if !pause(ctx, max(lookEvery, 4*time.Since(began))) || time.Since(since) > patience && looks >= patientLooks {
			r.say("giving up, still pending: %s", unrest)
			return
		}
	}
}

// keepSaid writes a text to a file in the run's directory.
func (r *run) keepSaid(name, text string) {
	if err := os.WriteFile(filepath.Join(r.stack.Dir(), name), []byte(text), 0o600); err != nil {
		r.say("%v", err)
	}
}
