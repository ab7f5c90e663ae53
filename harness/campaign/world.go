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
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// The merchant of every world is in Pakistan.
const (
	merchant = "M1700000001"
	currency = "PKR"
)

// world is one simulation: a ledger, a gateway, a receiver, orders, and a clock that
// skips. The orders' workflows run as children of mainWorkflow, because Temporal's test
// environment runs one workflow and its children.
type world struct {
	ctx      context.Context // of the run, because the environment's callbacks get none
	plan     Plan
	injected injected
	env      *testsuite.TestWorkflowEnvironment
	dir      string
	begun    time.Time

	books      *ledger.Ledger
	gateway    *sandbox.Gateway
	others     []*ledger.Ledger // the same file, opened by workers with their own clocks
	client     *tarspay.Client  // for calls that the harness makes itself
	newClient  func(clock func() time.Time) (*tarspay.Client, error)
	submitters []*activities.Gateway // of every worker
	receiver   http.Handler
	deliverer  *callback.Deliverer
	registry   *prometheus.Registry
	policy     *rules.Policy

	// Only the environment's goroutine uses these fields.
	orders         []*trackedOrder
	agenda         []task
	gatewayDue     time.Time // when the gateway's clock is advanced next
	sweepScheduled bool      // a sweep is scheduled
	drained        money.Amount
	acting         map[string]string                 // order numbers of unanswered OperatorActions, by action id
	stopped        bool                              // by signalStop, because the calls did not end
	report         *contract.ReconcileBalancesResult // of the last comparison
	forged         []string                          // states of the orders before the forged callbacks

	mutex       sync.Mutex // guards the fields below, because activities run on other goroutines
	honest      bool       // from heal on: callbacks are no longer lost
	under       map[string]bool
	running     map[string]bool                     // workflows of orders
	late        map[string]bool                     // workflows of late callbacks
	runs        []*workflowpb.WorkflowExecutionInfo // of orders
	dead        map[string]bool                     // runs that were terminated
	attempts    map[string]int                      // attempts so far by workflow id, if there are several workers
	accepted    map[string][]posted                 // callbacks that were answered OK, by order number
	hold        string                              // the order whose callbacks are put into held instead of the receiver
	held        []posted
	posts       map[string]int
	wire        map[string]*traffic // by order number
	emptySweeps int                 // consecutive sweeps that delivered nothing
	sweepsLeft  int                 // sweeps to run before the inbox is left alone
	sweeping    bool
	waiting     []signal // signals of the running sweep, sent when it is over
	calls       int
	faults      int
	violations  []Violation
}

// trackedOrder is one order of a world.
type trackedOrder struct {
	Order
	request order.Request
	phase   time.Duration // its offset within a second
	view    order.View    // the last result of its workflow
	first   order.View    // the result of the first run, if there was a second
	ended   bool
	lost    bool // its workflow was terminated, and it was not adopted since
	err     error
}

// task is an action at a time since the world began.
type task struct {
	at time.Duration
	do func()
}

// policyText is the approval policy of worlds that have one.
const policyText = `
approval_deadline: 6h
two_person_resolve: true
rules:
  - country: PK
    per_order: {approve_above: "3000", refuse_above: "9000"}
`

// newWorld prepares a world. run starts it.
func newWorld(ctx context.Context, plan Plan, injected injected) (*world, error) {
	w := &world{
		ctx: ctx, plan: plan, injected: injected, env: environment(), registry: prometheus.NewRegistry(),
		under: make(map[string]bool), running: make(map[string]bool), late: make(map[string]bool),
		acting: make(map[string]string), dead: make(map[string]bool), attempts: make(map[string]int),
		accepted: make(map[string][]posted), posts: make(map[string]int), wire: make(map[string]*traffic),
	}
	w.begun = w.env.Now()
	for i, o := range plan.Orders {
		l := &trackedOrder{Order: o, request: o.request()}
		if !plan.Together {
			l.phase = (time.Second * time.Duration(i+1) / time.Duration(len(plan.Orders)+1)).Truncate(time.Millisecond)
		}
		w.orders = append(w.orders, l)
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

// environment returns a Temporal test environment that logs nothing.
func environment() *testsuite.TestWorkflowEnvironment {
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(silence)
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetStartTime(time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC))
	return env
}

func (w *world) openLedger() (err error) {
	if w.dir, err = tempDir(); err != nil {
		return err
	}
	if w.books, err = copyLedger(w.ctx, w.dir); err != nil {
		return err
	}
	w.books.SetClock(w.clock(0))
	if w.injected.books != nil {
		if err := w.execLedger(func(execute func(string) error) error { return w.injected.books(w.ctx, execute) }); err != nil {
			return err
		}
	}
	if w.plan.Unopened {
		return nil
	}
	return w.books.OpenBooks(w.ctx, merchant, rupees(w.plan.Balance), rupees(0))
}

// key returns a private key, the same for a name in every world.
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
		PlatformKey: key("platform"), StartAt: w.env.Now(), CallbackTransport: transportFunc(w.receive),
		// Events at the gateway do not coincide with our queries.
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
	wire := transportFunc(w.call)
	if w.injected.wire != nil {
		wire = w.injected.wire(wire)
	}
	w.newClient = func(clock func() time.Time) (*tarspay.Client, error) {
		return tarspay.NewClient("http://127.0.0.1", merchant, signer, tarspay.Options{Clock: clock, Transport: wire})
	}
	if w.client, err = w.newClient(w.clock(1)); err != nil {
		return err
	}
	return w.gateway.SetFaults(w.plan.faults())
}

// faults returns the gateway's faults. There is always at least one, with rate 0:
// without any, the sandbox would choose an order's scenario by its amount.
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
	var err error
	if settings.Verifier, err = tarspay.NewVerifier(w.gateway.PlatformKey()); err != nil {
		return err
	}
	if slices.ContainsFunc(w.plan.Spells, func(s Spell) bool { return s.To-s.From > int(horizon/time.Second) }) {
		settings.BreakerProbe = 20 * time.Minute // a day of probes, one a minute, would take most of the run time
	}
	if w.plan.Patient {
		settings.CallbackGrace = horizon
	}
	if settings.Fees, err = w.plan.fees(); err != nil {
		return err
	}
	if w.plan.Policy {
		if w.policy, err = rules.ParsePolicy([]byte(policyText), "policy.yaml"); err != nil {
			return err
		}
		settings.Policy = w.policy
	}
	if w.injected.settings != nil {
		w.injected.settings(&settings)
	}
	metrics := callback.NewMetrics(w.registry)
	silent := slog.New(slog.DiscardHandler)
	w.deliverer = callback.NewDeliverer(w.books, (*server)(w), metrics, silent)
	w.receiver = callback.NewHandler(callback.Options{
		Verifier: settings.Verifier, Ledger: w.books, Merchants: []string{merchant}, Metrics: metrics, Log: silent, Deliverer: w.deliverer,
	})
	if w.injected.receiver != nil {
		w.receiver = w.injected.receiver(w.receiver)
	}
	workflows.Register(w.env)
	if w.injected.patience > 0 {
		w.env.SetTestTimeout(w.injected.patience)
	}
	w.env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: time.Minute, Interceptors: append([]interceptor.WorkerInterceptor{&worldInterceptor{w: w}}, w.injected.interceptors...),
	})
	w.env.SetFailureConverter(exitConverter{temporal.GetDefaultFailureConverter()})
	w.env.RegisterWorkflow(w.mainWorkflow)
	return w.registerWorkers(settings)
}

// run executes the plan.
func (w *world) run() {
	w.schedulePlan()
	slices.SortStableFunc(w.agenda, func(a, b task) int { return int(a.at - b.at) })
	w.env.RegisterDelayedCallback(w.next, time.Millisecond)
	defer func() {
		if stuck := recover(); stuck != nil { // the environment panics if nothing happens any more
			w.addViolation("P6", "", "nothing happens any more: %v", stuck)
		}
	}()
	w.env.ExecuteWorkflow(w.mainWorkflow)
	if !w.env.IsWorkflowCompleted() {
		w.addViolation("P6", "", "the world did not end")
	}
	for action, number := range w.acting {
		w.addViolation("P13", number, "the action %s without a workflow was never answered", action)
	}
	if err := w.env.GetWorkflowError(); err != nil && w.env.IsWorkflowCompleted() {
		w.addViolation(nothingFails, "", "the world ended: %v", err)
	}
}

// next runs the tasks that are due.
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
		w.scheduleGateway()
	}
}

// schedule adds a task to the agenda.
func (w *world) schedule(at time.Duration, do func()) { w.agenda = append(w.agenda, task{at, do}) }

// scheduleGateway advances the gateway's clock at the time of its next event. It may be
// called on any goroutine.
func (w *world) scheduleGateway() { w.env.RegisterDelayedCallback(w.watchGateway, 0) }

func (w *world) watchGateway() {
	next, more := w.gateway.Next()
	if !more || !w.gatewayDue.IsZero() && !next.Before(w.gatewayDue) {
		return
	}
	w.gatewayDue = next
	w.env.RegisterDelayedCallback(func() {
		if w.gatewayDue.Equal(next) {
			w.gatewayDue = time.Time{}
		}
		w.gateway.AdvanceTo(w.env.Now())
		w.watchGateway()
	}, max(next.Sub(w.env.Now()), 0))
}

// nothingFails is a property of its own: operations that need no fault tolerance succeed.
const nothingFails = "P0"

// addViolation records a violation that is found while the world runs.
func (w *world) addViolation(property, number, format string, values ...any) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.violations = append(w.violations, Violation{property, number, fmt.Sprintf(format, values...)})
}

// must records a violation if an operation fails that must never fail.
func (w *world) must(err error, number, what string) {
	if err != nil {
		w.addViolation(nothingFails, number, "%s: %v", what, err)
	}
}

// mustApply records a violation if a step of the plan is impossible, because the gateway
// lacks an order that it should have.
func (w *world) mustApply(err error, number string) {
	if err != nil {
		w.addViolation(nothingFails, number, "a step of the plan is impossible: %v", err)
	}
}

// count adds one fault. These count: a call that is unanswered or refused; a callback that
// is lost, forged or repeated; a spell; a worker that dies. At the end each scenario other
// than success is added.
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
