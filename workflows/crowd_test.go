package workflows_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/callback"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/tarspay/sandbox"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// crowd is many orders at once in one world: one ledger, one gateway, one
// receiver, one clock that skips. Their workflows are the children of one that
// does nothing else, because Temporal's test environment runs one workflow and
// what it starts.
type crowd struct {
	*world
	platform *tarspay.Signer // the gateway's
	client   *tarspay.Client // ours, past the activities
	registry *prometheus.Registry
	metrics  *callback.Metrics
	lives    []*life
	agenda   []errand
	quiet    time.Duration // when all is over
	swept    time.Time     // when the inbox was swept last

	change func(*activities.Settings)
	policy *order.Policy
	hold   bool // the receiver is away, and what the gateway posts is kept in held

	mutex   sync.Mutex
	running map[string]bool // workflows of orders
	began   map[string]bool // workflows of late callbacks
	heard   []posted        // callbacks that were answered OK
	held    []posted
	wire    map[string]*traffic // by order number
}

// life is one order's.
type life struct {
	request order.Request
	start   time.Duration
	again   bool       // its workflow is run once more when it has ended
	view    order.View // what its workflow returned, at last
	first   order.View // and the first time
	err     error
}

// errand is something that somebody does at a time.
type errand struct {
	at time.Duration
	do func()
}

// posted is a callback as it came over the wire.
type posted struct {
	body      string
	signature string
}

// traffic is what went over the wire about one order number.
type traffic struct {
	creates    int
	unasked    int       // creates after the first without a question since the one before
	asked      bool      // since the last create
	lastCreate time.Time // when it was sent
}

// Times of a crowd. By heal, whatever is stuck at the gateway is ended there;
// by tell, all that the gateway has to say is said once more.
const (
	crowdHorizon  = 24 * time.Hour
	crowdApproval = 6 * time.Hour
	crowdFunds    = 8 * time.Hour
	crowdHeal     = 40 * time.Hour
	crowdTell     = 60 * time.Hour
	crowdQuiet    = 90 * time.Hour
)

const crowdPolicy = `
approval_deadline: 6h
two_person_resolve: true
rules:
  - country: PK
    per_order: {approve_above: "3000", refuse_above: "9000"}
`

// newCrowd is a crowd of nobody yet, whose merchant has so much money.
func newCrowd(t *testing.T, available string, change func(*activities.Settings)) *crowd {
	t.Helper()
	c := &crowd{
		world:    &world{t: t, TestWorkflowEnvironment: environment()},
		registry: prometheus.NewRegistry(), quiet: crowdQuiet, change: change,
		running: make(map[string]bool), began: make(map[string]bool), wire: make(map[string]*traffic),
	}
	c.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute})
	c.SetStartTime(time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC))
	c.metrics = callback.NewMetrics(c.registry)
	c.openLedger()
	c.openPlatform(available)
	c.registerAll()
	return c
}

func (c *crowd) openPlatform(available string) {
	c.t.Helper()
	private, public, err := tarspay.GenerateKey()
	require.NoError(c.t, err)
	c.private = private
	platform, _, err := tarspay.GenerateKey()
	require.NoError(c.t, err)
	c.platform, err = tarspay.NewSigner(platform)
	require.NoError(c.t, err)
	c.world.gateway, err = sandbox.New(sandbox.Options{
		Merchants:   []sandbox.Merchant{{Number: merchant, Country: "PK", PublicKey: public, Balance: available}},
		PlatformKey: platform, StartAt: c.Now(), CallbackTransport: carry(c.receive),
	})
	require.NoError(c.t, err)
	c.t.Cleanup(func() { require.NoError(c.t, c.gateway.Close()) })
	there, err := order.ParseAmount(available, "PK")
	require.NoError(c.t, err)
	require.NoError(c.t, c.books.OpenBooks(c.t.Context(), merchant, there, pkr(0)))
}

func (c *crowd) registerAll() {
	c.t.Helper()
	var err error
	c.policy, err = order.ParsePolicy([]byte(crowdPolicy), "policy.yaml")
	require.NoError(c.t, err)
	settings := activities.Settings{
		Merchants: map[string]string{merchant: "PK"}, NotifyURL: "http://receiver.test" + callback.Path,
		GatewayTimeout: 15 * time.Second, CallbackGrace: 10 * time.Second, NotFoundGrace: time.Minute,
		PollLadder:  config.Ladder{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour},
		RetryLadder: config.Ladder{2 * time.Second, 10 * time.Second, time.Minute, 10 * time.Minute}, ReviewPoll: 4 * time.Hour,
		WithdrawalHorizon: crowdHorizon, DepositHorizon: crowdHorizon, BreakerProbe: time.Minute,
		Policy: c.policy, WaitForFunds: true, FundsDeadline: crowdFunds, Clock: c.Now,
	}
	if c.change != nil {
		c.change(&settings)
	}
	signer, err := tarspay.NewSigner(c.private)
	require.NoError(c.t, err)
	c.client, err = tarspay.NewClient("http://127.0.0.1", merchant, signer, tarspay.Options{Clock: c.Now, Transport: carry(c.call)})
	require.NoError(c.t, err)
	workflows.Register(c)
	c.RegisterActivity(activities.NewBooks(c.books, settings))
	c.RegisterActivity(activities.NewGateway(map[string]*tarspay.Client{merchant: c.client}, c.books, settings))
	c.RegisterWorkflow(c.conduct)
}

// call takes a call of ours to the gateway.
func (c *crowd) call(r *http.Request) (*http.Response, error) {
	c.watch(r)
	c.gateway.AdvanceTo(c.Now())
	return c.gateway.Transport().RoundTrip(r)
}

// watch notes what is asked and sent.
func (c *crowd) watch(r *http.Request) {
	if r.Body == nil {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var call struct{ MchOrderNo string }
	if json.Unmarshal(body, &call) != nil || call.MchOrderNo == "" {
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	w := c.wire[call.MchOrderNo]
	if w == nil {
		w = &traffic{}
		c.wire[call.MchOrderNo] = w
	}
	if asks(r) {
		w.asked = true
		return
	}
	if w.creates > 0 && !w.asked {
		w.unasked++
	}
	w.creates++
	w.asked, w.lastCreate = false, c.Now()
}

// run lets everybody live until all is quiet.
func (c *crowd) run() {
	c.t.Helper()
	slices.SortStableFunc(c.agenda, func(a, b errand) int { return int(a.at - b.at) })
	began := c.Now()
	c.RegisterDelayedCallback(func() { c.next(began) }, time.Millisecond)
	c.RegisterDelayedCallback(c.tick, time.Second)
	c.TestWorkflowEnvironment.ExecuteWorkflow(c.conduct)
	require.True(c.t, c.IsWorkflowCompleted())
	require.NoError(c.t, c.GetWorkflowError())
	for _, l := range c.lives {
		require.NoError(c.t, l.err, l.request.Number)
	}
}

// conduct starts every order at its time, and a workflow for each callback that
// came too late, and waits until it is quiet.
func (c *crowd) conduct(ctx workflow.Context) error {
	end := workflow.Now(ctx).Add(c.quiet)
	living := workflow.NewWaitGroup(ctx)
	for _, l := range c.lives {
		living.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer living.Done()
			if l.err = workflow.Sleep(ctx, l.start); l.err == nil {
				l.err = c.live(ctx, l)
			}
		})
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var input workflows.LateCallbackInput
			workflow.GetSignalChannel(ctx, "late").Receive(ctx, &input)
			living.Add(1)
			workflow.Go(ctx, func(ctx workflow.Context) {
				defer living.Done()
				if err := workflow.ExecuteChildWorkflow(ctx, workflows.LateCallbackType, input).Get(ctx, nil); err != nil {
					workflow.GetLogger(ctx).Error("late", "error", err)
				}
			})
		}
	})
	if err := workflow.Sleep(ctx, end.Sub(workflow.Now(ctx))); err != nil {
		return err
	}
	living.Wait(ctx)
	return nil
}

func (c *crowd) live(ctx workflow.Context, l *life) error {
	name := workflows.WithdrawalType
	if l.request.Kind == order.Deposit {
		name = workflows.DepositType
	}
	id := l.request.WorkflowID()
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id})
	child := workflow.ExecuteChildWorkflow(ctx, name, l.request)
	if err := child.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
		return err
	}
	c.set(id, true)
	err := child.Get(ctx, &l.view)
	c.set(id, false)
	if err != nil || !l.again {
		return err
	}
	l.again, l.first = false, l.view
	if err := workflow.Sleep(ctx, time.Minute); err != nil {
		return err
	}
	return c.live(ctx, l)
}

func (c *crowd) set(id string, running bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.running[id] = running
}

// next does what is due on the agenda.
func (c *crowd) next(began time.Time) {
	for len(c.agenda) > 0 {
		wait := began.Add(c.agenda[0].at).Sub(c.Now())
		if wait > 0 {
			c.RegisterDelayedCallback(func() { c.next(began) }, wait)
			return
		}
		due := c.agenda[0]
		c.agenda = c.agenda[1:]
		due.do()
	}
}

// tick lets the gateway's time follow, and sweeps the inbox now and then.
func (c *crowd) tick() {
	c.gateway.AdvanceTo(c.Now())
	if c.Now().Sub(c.swept) >= time.Minute {
		c.swept = c.Now()
		_, err := c.deliverer().Sweep(c.t.Context())
		require.NoError(c.t, err)
	}
	wait := 5 * time.Minute
	if next, more := c.gateway.Next(); more {
		wait = min(wait, next.Sub(c.Now()))
	}
	c.RegisterDelayedCallback(c.tick, max(wait, time.Second))
}

// receive is the receiver. It keeps what it has answered OK.
func (c *crowd) receive(r *http.Request) (*http.Response, error) {
	var body strings.Builder
	r.Body = io.NopCloser(io.TeeReader(r.Body, &body))
	signature := r.Header.Get(tarspay.HeaderCallbackSignature)
	if c.hold {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		c.held = append(c.held, posted{body.String(), signature})
		answer := httptest.NewRecorder()
		_, err := answer.WriteString(tarspay.CallbackAnswer)
		return answer.Result(), err
	}
	answer := c.post(r)
	if answer.Code == http.StatusOK {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.heard = append(c.heard, posted{body.String(), signature})
	}
	return answer.Result(), nil
}

func (c *crowd) post(r *http.Request) *httptest.ResponseRecorder {
	verifier, err := tarspay.NewVerifier(c.platform.PublicKey())
	if err != nil {
		panic(err)
	}
	answer := httptest.NewRecorder()
	callback.NewHandler(callback.Options{
		Verifier: verifier, Ledger: c.books, Merchants: []string{merchant}, Metrics: c.metrics,
		Log: slog.New(slog.DiscardHandler), Deliverer: c.deliverer(),
	}).ServeHTTP(answer, r)
	return answer
}

// deliver posts a callback, and reports how it was answered.
func (c *crowd) deliver(p posted) int {
	r := httptest.NewRequest(http.MethodPost, callback.Path, strings.NewReader(p.body))
	r.Header.Set("Content-Type", tarspay.ContentType)
	r.Header.Set(tarspay.HeaderCallbackSignature, p.signature)
	return c.post(r).Code
}

func (c *crowd) deliverer() *callback.Deliverer {
	return callback.NewDeliverer(c.books, c, c.metrics, slog.New(slog.DiscardHandler))
}

// SignalWorkflow is Temporal, as the receiver sees it.
func (c *crowd) SignalWorkflow(_ context.Context, id, _, name string, argument any) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.running[id] {
		return serviceerror.NewNotFound("no such workflow is running")
	}
	// Its environment is for one goroutine. A workflow that ends meanwhile has
	// not read the signal, as on a server.
	c.RegisterDelayedCallback(func() { _ = c.SignalWorkflowByID(id, name, argument) }, 0)
	return nil
}

// ExecuteWorkflow starts the workflow of a late callback, once.
func (c *crowd) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, _ any, arguments ...any) (client.WorkflowRun, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.began[options.ID] {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("started before", "", "")
	}
	c.began[options.ID] = true
	c.RegisterDelayedCallback(func() { c.TestWorkflowEnvironment.SignalWorkflow("late", arguments[0]) }, 0)
	return nil, nil
}

// act sends an operator's update to an order's workflow, if it runs.
func (c *crowd) act(l *life, name string, arguments ...any) {
	c.updates++
	ignored := &updateResult{accepted: func() {}, rejected: func(error) {}, completed: func(any, error) {}}
	_ = c.UpdateWorkflowByID(l.request.WorkflowID(), name, fmt.Sprint("u", c.updates), ignored, arguments...)
}

// later enters an errand.
func (c *crowd) later(at time.Duration, do func()) { c.agenda = append(c.agenda, errand{at, do}) }
