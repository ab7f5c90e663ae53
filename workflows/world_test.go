package workflows_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// merchant is Pakistan's; its balance covers many orders.
const (
	merchant = "M1700000001"
	balance  = "1000000"
)

// world is one order's surroundings, all real but for time: the workflow code
// in Temporal's test environment, which skips time, the real activities on a
// real SQLite ledger, the real client against the sandbox gateway, and the
// real receiver.
type world struct {
	*testsuite.TestWorkflowEnvironment
	t       *testing.T
	books   *ledger.Ledger
	file    string // of the ledger
	clock   *ledgerClock
	gateway *sandbox.Gateway
	late    []contract.LateCallbackInput // started by the receiver
	updates int
	otherID string // start under this id instead of the order's
	cut     bool   // no connection to the gateway is made
	clients map[string]*tarspay.Client
	private string // the merchant's key
	change  []func(*activities.Settings)
	garble  func(path string, answer []byte) []byte // what the gateway says, on its way to us; nil: as it is
}

// ledgerClock is the ledger's clock. A test may set it while activities of a run that
// has ended still use the ledger.
type ledgerClock struct{ atomic.Value }

func (c *ledgerClock) now() time.Time { return c.Load().(func() time.Time)() }

func newWorld(t *testing.T, change ...func(*activities.Settings)) *world {
	t.Helper()
	w := &world{t: t, TestWorkflowEnvironment: environment()}
	w.openLedger()
	private, public, err := tarspay.GenerateKey()
	require.NoError(t, err)
	w.openGateway(public)
	w.private, w.change = private, change
	w.register()
	w.tick()
	return w
}

// again is the same world with room for another workflow, later.
func (w *world) again() *world {
	next := *w
	next.TestWorkflowEnvironment = environment()
	next.SetStartTime(w.gateway.Now())
	next.clock.Store(next.Now)
	next.register()
	next.tick()
	return &next
}

// tables are those of a new ledger.
var tables = dbtest.NewTemplate(func(ctx context.Context, url string) error {
	books, err := ledger.Open(ctx, url)
	if err != nil {
		return err
	}
	return errors.Join(books.Migrate(ctx), books.Close())
})

func TestMain(m *testing.M) {
	status := m.Run()
	if err := tables.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func environment() *testsuite.TestWorkflowEnvironment {
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	return env
}

func (w *world) openLedger() {
	url := tables.SQLite(w.t)
	w.file = strings.TrimPrefix(url, "sqlite:")
	books, err := ledger.Open(w.t.Context(), url)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, books.Close()) })
	w.clock = &ledgerClock{}
	w.clock.Store(w.Now)
	books.SetClock(w.clock.now)
	w.books = books
}

func (w *world) openGateway(public string) {
	gateway, err := sandbox.New(sandbox.Options{
		Merchants:         []sandbox.Merchant{{Number: merchant, Country: "PK", PublicKey: public, Balance: balance}},
		StartAt:           w.Now(),
		CallbackTransport: carry(w.receive),
	})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, gateway.Close()) })
	w.gateway = gateway
}

func (w *world) register() {
	settings := activities.Settings{
		Merchants: map[string]string{merchant: "PK"}, NotifyURL: "http://receiver.test" + callback.Path,
		GatewayTimeout: 15 * time.Second, CallbackGrace: 10 * time.Second, NotFoundGrace: time.Minute,
		PollLadder:  config.Ladder{5 * time.Second, 10 * time.Second, time.Minute},
		RetryLadder: config.Ladder{2 * time.Second, 10 * time.Second, time.Minute}, ReviewPoll: time.Hour,
		WithdrawalHorizon: 72 * time.Hour, DepositHorizon: 48 * time.Hour,
		Verifier: verifierOf(w.t, w.gateway.PlatformKey(), platform(w.t).PublicKey()),
	}
	for _, c := range w.change {
		c(&settings)
	}
	signer, err := tarspay.NewSigner(w.private)
	require.NoError(w.t, err)
	gateway, err := tarspay.NewClient("http://127.0.0.1", merchant, signer, tarspay.Options{
		Clock: w.Now,
		Transport: carry(func(r *http.Request) (*http.Response, error) {
			if w.cut {
				httptrace.ContextClientTrace(r.Context()).GetConn("gateway.test:443")
				return nil, errors.New("connection refused")
			}
			w.gateway.AdvanceTo(w.Now())
			answer, err := w.gateway.Transport().RoundTrip(r)
			if err == nil && w.garble != nil {
				var said []byte
				said, err = io.ReadAll(answer.Body)
				answer.Body = io.NopCloser(bytes.NewReader(w.garble(r.URL.Path, said)))
				answer.ContentLength = -1
			}
			return answer, err
		}),
	})
	require.NoError(w.t, err)
	workflows.Register(w)
	w.RegisterActivity(activities.NewBooks(w.books, settings))
	w.clients = map[string]*tarspay.Client{merchant: gateway}
	w.RegisterActivity(activities.NewGateway(w.clients, w.books, settings))
}

// tick lets the gateway's time follow the workflow's while nothing is asked
// of it: every second at first, then less often.
func (w *world) tick() {
	const days = 5
	step := time.Second
	for at := step; at < days*24*time.Hour; at += step {
		w.RegisterDelayedCallback(func() { w.gateway.AdvanceTo(w.Now()) }, at)
		if at >= 30*time.Second {
			step = 10 * time.Minute
		}
	}
}

// platform signs the callbacks that tests put into the inbox themselves.
func platform(t *testing.T) *tarspay.Signer {
	t.Helper()
	signer, err := tarspay.NewSigner(strings.Repeat("7", 64))
	require.NoError(t, err)
	return signer
}

func verifierOf(t *testing.T, keys ...string) *tarspay.Verifier {
	t.Helper()
	verifier, err := tarspay.NewVerifier(keys...)
	require.NoError(t, err)
	return verifier
}

// stores puts a callback into the inbox, signed by platform.
func stores(t *testing.T, books *ledger.Ledger, c tarspay.Callback) (id string, fresh bool) {
	t.Helper()
	body, signature := tarspay.EncodeCallback(c, platform(t))
	id, fresh, err := books.StoreCallback(t.Context(), c, body, signature, nil)
	require.NoError(t, err)
	return id, fresh
}

// receive is the receiver, reached without a network.
func (w *world) receive(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	callback.NewHandler(callback.Options{
		Verifier: verifierOf(w.t, w.gateway.PlatformKey()), Ledger: w.books, Merchants: []string{merchant}, Metrics: callback.NewMetrics(prometheus.NewRegistry()),
		Log: slog.New(slog.DiscardHandler), Deliverer: w.deliverer(),
	}).ServeHTTP(answer, r)
	return answer.Result(), nil
}

func (w *world) deliverer() *callback.Deliverer {
	return callback.NewDeliverer(w.books, w, callback.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
}

// SignalWorkflow is Temporal, as the receiver sees it.
func (w *world) SignalWorkflow(_ context.Context, _, _, name string, argument any) error {
	if w.IsWorkflowCompleted() {
		return serviceerror.NewNotFound("the workflow has ended")
	}
	w.TestWorkflowEnvironment.SignalWorkflow(name, argument)
	return nil
}

// DescribeWorkflowExecution says whether the workflow runs.
func (w *world) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if w.IsWorkflowCompleted() {
		return nil, serviceerror.NewNotFound("the workflow has ended")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Type:   &commonpb.WorkflowType{Name: contract.WithdrawalType}, TaskQueue: contract.Queue,
	}}, nil
}

// ExecuteWorkflow notes which late callback the receiver would have acted on.
func (w *world) ExecuteWorkflow(_ context.Context, _ client.StartWorkflowOptions, _ any, arguments ...any) (client.WorkflowRun, error) {
	w.late = append(w.late, arguments[0].(contract.LateCallbackInput))
	return nil, nil
}

func (w *world) id(request order.Request) string {
	if w.otherID != "" {
		return w.otherID
	}
	return contract.WorkflowID(request.Key())
}

// drive runs an order to its end and returns it, with nothing left open.
func (w *world) drive(request order.Request) order.View {
	w.t.Helper()
	name := contract.WithdrawalType
	if request.Kind == order.Deposit {
		name = contract.DepositType
	}
	w.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: w.id(request)})
	w.TestWorkflowEnvironment.ExecuteWorkflow(name, request)
	require.True(w.t, w.IsWorkflowCompleted(), "the workflow did not end")
	require.NoError(w.t, w.GetWorkflowError())
	var view order.View
	require.NoError(w.t, w.GetWorkflowResult(&view))
	return view
}

// balanced asserts that our books are sound and agree with the gateway's.
func (w *world) balanced() {
	w.t.Helper()
	verification, err := w.books.Verify(w.t.Context())
	require.NoError(w.t, err)
	require.Empty(w.t, verification.Violations)
	balances, err := w.books.Balances(w.t.Context(), merchant, "PKR")
	require.NoError(w.t, err)
	ours, err := balances[ledger.AccountAvailable].Add(balances[ledger.AccountInFlight])
	require.NoError(w.t, err)
	book := w.gateway.Book().Merchants[0]
	theirs, err := book.Available.Add(book.Frozen)
	require.NoError(w.t, err)
	require.Equal(w.t, theirs, ours, "available + in flight against available + frozen")
}

// request is an order of 1500 PKR with a scenario of the sandbox's.
func request(t *testing.T, kind order.Kind, scenario string) order.Request {
	t.Helper()
	amount, err := money.Parse("1500", "PKR")
	require.NoError(t, err)
	return order.Request{
		Kind: kind, Merchant: merchant, Number: "W-1", Country: "PK", Way: "easypaisa", Amount: amount,
		Details: map[string]string{
			"customerName": "Test Person", "customerContact": "03001234567", "customerAccountNumber": "03001234567",
			sandbox.ScenarioMember: scenario,
		},
	}
}

// carry is a transport made of a function.
type carry func(*http.Request) (*http.Response, error)

func (c carry) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }
