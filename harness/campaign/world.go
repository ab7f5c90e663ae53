package campaign

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// The merchant of every world is Pakistan's.
const (
	merchant = "M1700000001"
	currency = "PKR"
)

// world is many orders at once: one ledger, one gateway, one receiver, one
// clock that skips. Their workflows are the children of one that does nothing
// else, because Temporal's test environment runs one workflow and what it
// starts.
type world struct {
	ctx   context.Context // of the run: the environment's callbacks take none
	plan  Plan
	seams seams
	env   *testsuite.TestWorkflowEnvironment
	dir   string
	begun time.Time

	books      *ledger.Ledger
	gateway    *sandbox.Gateway
	others     []*ledger.Ledger // the same file, opened by workers that stamp with their own clocks
	client     *tarspay.Client  // ours, past the activities
	newClient  func(clock func() time.Time) (*tarspay.Client, error)
	submitters []*activities.Gateway // of every worker
	receiver   http.Handler
	deliverer  *callback.Deliverer
	registry   *prometheus.Registry
	policy     *order.Policy

	// What follows belongs to the environment's own goroutine.
	lives   []*life
	agenda  []errand
	armed   time.Time // when we look at the gateway next
	roused  bool      // the inbox is swept within a minute
	drained money.Amount
	acting  map[string]string                 // actions without a workflow that are not answered yet, and their orders
	stopped bool                              // it would go on for ever
	report  *contract.ReconcileBalancesResult // of the last comparison
	forged  []string                          // how the orders stood before everything false was said

	mutex     sync.Mutex // guards what follows: activities come on goroutines of their own
	honest    bool       // the wire is, from heal on
	under     map[string]bool
	running   map[string]bool                     // workflows of orders
	late      map[string]bool                     // workflows of late callbacks
	runs      []*workflowpb.WorkflowExecutionInfo // of orders
	dead      map[string]bool                     // runs that were terminated
	turns     map[string]int                      // attempts of a workflow so far, when there are several workers
	heard     map[string][]posted                 // callbacks that were answered OK, by order number
	hold      string                              // what the gateway posts about this order is kept in held instead of taken
	held      []posted
	posts     map[string]int
	wire      map[string]*traffic // by order number
	fruitless int                 // sweeps that delivered nothing, one after the other
	restless  int                 // sweeps to come
	sweeping  bool
	waiting   []signal // a sweep's, until it is over
	calls     int
	faults    int
	accused   []Violation
}

// life is one order's.
type life struct {
	Order
	request order.Request
	phase   time.Duration // its own place within a second
	view    order.View    // what its workflow returned, at last
	first   order.View    // and the first time
	ended   bool
	lost    bool // its workflow was, and nobody has adopted it since
	err     error
}

// errand is something that somebody does at a time.
type errand struct {
	at time.Duration
	do func()
}

// policyText is the one policy there is.
const policyText = `
approval_deadline: 6h
two_person_resolve: true
rules:
  - country: PK
    per_order: {approve_above: "3000", refuse_above: "9000"}
`

// newWorld is a world before anything has happened in it.
func newWorld(ctx context.Context, plan Plan, seams seams) (*world, error) {
	w := &world{
		ctx: ctx, plan: plan, seams: seams, env: environment(), registry: prometheus.NewRegistry(),
		under: make(map[string]bool), running: make(map[string]bool), late: make(map[string]bool),
		acting: make(map[string]string), dead: make(map[string]bool), turns: make(map[string]int),
		heard: make(map[string][]posted), posts: make(map[string]int), wire: make(map[string]*traffic),
	}
	w.begun = w.env.Now()
	for i, o := range plan.Orders {
		l := &life{Order: o, request: o.request()}
		if !plan.Together {
			l.phase = (time.Second * time.Duration(i+1) / time.Duration(len(plan.Orders)+1)).Truncate(time.Millisecond)
		}
		w.lives = append(w.lives, l)
	}
	err := errors.Join(w.openLedger(), w.openGateway())
	if err == nil {
		err = w.register()
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

var silence = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))

// environment is Temporal's, silent.
func environment() *testsuite.TestWorkflowEnvironment {
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(silence)
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetStartTime(time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC))
	return env
}

func (w *world) openLedger() (err error) {
	if w.dir, err = scratch(); err != nil {
		return err
	}
	if w.books, err = copyLedger(w.ctx, w.dir); err != nil {
		return err
	}
	w.books.SetClock(w.clock(0))
	if w.seams.books != nil {
		if err := w.alter(func(execute func(string) error) error { return w.seams.books(w.ctx, execute) }); err != nil {
			return err
		}
	}
	if w.plan.Unopened {
		return nil
	}
	return w.books.OpenBooks(w.ctx, merchant, rupees(w.plan.Balance), rupees(0))
}

// key is a private key that is the same in every world.
func key(of string) string {
	sum := sha256.Sum256([]byte("campaign: " + of))
	return hex.EncodeToString(sum[:])
}

func (w *world) openGateway() error {
	signer, err := tarspay.NewSigner(key("merchant"))
	if err != nil {
		return err
	}
	w.gateway, err = sandbox.New(sandbox.Options{
		Merchants: []sandbox.Merchant{{
			Number: merchant, Country: "PK", PublicKey: signer.PublicKey(), Balance: rupees(w.plan.Balance).Short(),
		}},
		PlatformKey: key("platform"), StartAt: w.env.Now(), CallbackTransport: carry(w.receive),
		// What happens at the gateway lies beside the moments at which we ask.
		Delay: sandbox.DefaultDelay + (w.gap() / 8).Truncate(2*time.Millisecond),
	})
	if err != nil {
		return err
	}
	if w.plan.Unguarded {
		if err := w.gateway.Switch(merchant, "no-duplicate-guard", true); err != nil {
			return err
		}
	}
	for _, o := range w.plan.Orders {
		if o.Scenario == "" {
			continue
		}
		if err := w.gateway.SetScenario(merchant, o.Number, o.Scenario); err != nil {
			return err
		}
	}
	wire := carry(w.call)
	if w.seams.wire != nil {
		wire = w.seams.wire(wire)
	}
	w.newClient = func(clock func() time.Time) (*tarspay.Client, error) {
		return tarspay.NewClient("http://127.0.0.1", merchant, signer, tarspay.Options{Clock: clock, Transport: wire})
	}
	if w.client, err = w.newClient(w.clock(1)); err != nil {
		return err
	}
	return w.gateway.SetFaults(w.plan.faults())
}

// faults are what the gateway draws. One that draws nothing takes an order's
// amount for the choice of a scenario, so there is always one to be drawn.
func (p Plan) faults() sandbox.Faults {
	rates := map[string]int{"text-state": 0}
	for name, rate := range p.Rates {
		rates[name] = rate
	}
	return sandbox.Faults{Seed: p.Seed, Rates: rates}
}

func (w *world) register() error {
	settings := activities.Settings{
		Merchants: map[string]string{merchant: "PK"}, NotifyURL: "http://receiver.test" + callback.Path,
		GatewayTimeout: 15 * time.Second, CallbackGrace: 10 * time.Second, NotFoundGrace: time.Minute,
		PollLadder:  config.Ladder{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour},
		RetryLadder: config.Ladder{2 * time.Second, 10 * time.Second, time.Minute, 10 * time.Minute}, ReviewPoll: 4 * time.Hour,
		WithdrawalHorizon: horizon, DepositHorizon: horizon, BreakerProbe: time.Minute,
		WaitForFunds: w.plan.Wait, FundsDeadline: funds, ConfirmAll: w.plan.ConfirmAll,
	}
	if slices.ContainsFunc(w.plan.Spells, func(s Spell) bool { return s.To-s.From > int(horizon/time.Second) }) {
		settings.BreakerProbe = 20 * time.Minute // a day of probes a minute apart costs more than all else
	}
	if w.plan.Patient {
		settings.CallbackGrace = horizon
	}
	var err error
	if w.plan.Policy {
		if w.policy, err = order.ParsePolicy([]byte(policyText), "policy.yaml"); err != nil {
			return err
		}
		settings.Policy = w.policy
	}
	if w.seams.settings != nil {
		w.seams.settings(&settings)
	}
	metrics := callback.NewMetrics(w.registry)
	silent := slog.New(slog.DiscardHandler)
	w.deliverer = callback.NewDeliverer(w.books, (*server)(w), metrics, silent)
	verifier, err := tarspay.NewVerifier(w.gateway.PlatformKey())
	if err != nil {
		return err
	}
	w.receiver = callback.NewHandler(callback.Options{
		Verifier: verifier, Ledger: w.books, Merchants: []string{merchant}, Metrics: metrics, Log: silent, Deliverer: w.deliverer,
	})
	if w.seams.receiver != nil {
		w.receiver = w.seams.receiver(w.receiver)
	}
	workflows.Register(w.env)
	if w.seams.patience > 0 {
		w.env.SetTestTimeout(w.seams.patience)
	}
	w.env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: time.Minute, Interceptors: append([]interceptor.WorkerInterceptor{&mortal{w: w}}, w.seams.interceptors...),
	})
	w.env.SetFailureConverter(partings{temporal.GetDefaultFailureConverter()})
	w.env.RegisterWorkflow(w.conduct)
	return w.employ(settings)
}

// run lets everybody live until all is quiet.
func (w *world) run() {
	w.plot()
	slices.SortStableFunc(w.agenda, func(a, b errand) int { return int(a.at - b.at) })
	w.env.RegisterDelayedCallback(w.next, time.Millisecond)
	defer func() {
		if stuck := recover(); stuck != nil { // the environment's word for: nothing happens any more
			w.accuse("P6", "", "the world stands still: %v", stuck)
		}
	}()
	w.env.ExecuteWorkflow(w.conduct)
	if !w.env.IsWorkflowCompleted() {
		w.accuse("P6", "", "the world did not come to its end")
	}
	for action, number := range w.acting {
		w.accuse("P13", number, "the action %s without a workflow was never answered", action)
	}
	if err := w.env.GetWorkflowError(); err != nil && w.env.IsWorkflowCompleted() {
		w.accuse(nothingFails, "", "the world ended: %v", err)
	}
}

// next does what is due on the agenda.
func (w *world) next() {
	for len(w.agenda) > 0 {
		wait := w.begun.Add(w.agenda[0].at).Sub(w.env.Now())
		if wait > 0 {
			w.env.RegisterDelayedCallback(w.next, wait)
			return
		}
		due := w.agenda[0]
		w.agenda = w.agenda[1:]
		w.gateway.AdvanceTo(w.env.Now())
		due.do()
		w.arm()
	}
}

// later enters an errand.
func (w *world) later(at time.Duration, do func()) { w.agenda = append(w.agenda, errand{at, do}) }

// arm lets the gateway's time follow ours to the moment at which something
// happens there. It may be called on any goroutine.
func (w *world) arm() { w.env.RegisterDelayedCallback(w.watchGateway, 0) }

func (w *world) watchGateway() {
	next, more := w.gateway.Next()
	if !more || !w.armed.IsZero() && !next.Before(w.armed) {
		return
	}
	w.armed = next
	w.env.RegisterDelayedCallback(func() {
		if w.armed.Equal(next) {
			w.armed = time.Time{}
		}
		w.gateway.AdvanceTo(w.env.Now())
		w.watchGateway()
	}, max(next.Sub(w.env.Now()), 0))
}

// nothingFails is the property behind all others.
const nothingFails = "P0"

// accuse notes a violation that is found while the world lives.
func (w *world) accuse(property, number, format string, values ...any) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.accused = append(w.accused, Violation{property, number, fmt.Sprintf(format, values...)})
}

// must notes what must always work and has failed.
func (w *world) must(err error, number, what string) {
	if err != nil {
		w.accuse(nothingFails, number, "%s: %v", what, err)
	}
}

// can notes that the plan cannot be carried out: the gateway has not the order
// that it would be at a sound house.
func (w *world) can(err error, number string) {
	if err != nil {
		w.accuse(nothingFails, number, "the plan cannot go on: %v", err)
	}
}

// count adds one to what went wrong: a call without its answer or with a refusal,
// a callback that was lost, false or repeated, a spell, a worker that died, and
// at the end every scenario that was no plain success.
func (w *world) count() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.faults++
}

func (w *world) close() error {
	var failed error
	if w.gateway != nil {
		failed = w.gateway.Close()
	}
	for _, other := range w.others {
		failed = errors.Join(failed, other.Close())
	}
	if w.books != nil {
		failed = errors.Join(failed, w.books.Close())
	}
	return errors.Join(failed, os.RemoveAll(w.dir))
}
