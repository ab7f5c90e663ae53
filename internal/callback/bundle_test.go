package callback

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.uber.org/goleak"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const merchant = "M1700000001"

// testBundle is a receiver on a real ledger, reached over real HTTP, with a
// gateway's key of its own and a Temporal that only writes down.
type testBundle struct {
	*recorder
	*Deliverer
	ledger   *ledger.Ledger
	signer   *tarspay.Signer
	registry *prometheus.Registry
	logs     *logBuffer
	options  Options
	handler  http.Handler
	server   *httptest.Server
}

func setup(t testing.TB) *testBundle {
	t.Helper()
	books, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = books.Close() })
	require.NoError(t, books.Migrate(t.Context()))
	require.NoError(t, books.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))

	private, public, err := tarspay.GenerateKey()
	require.NoError(t, err)
	signer, err := tarspay.NewSigner(private)
	require.NoError(t, err)
	verifier, err := tarspay.NewVerifier(public)
	require.NoError(t, err)

	b := &testBundle{recorder: &recorder{}, ledger: books, signer: signer, registry: prometheus.NewRegistry(), logs: &logBuffer{}}
	log := slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	metrics := NewMetrics(b.registry)
	b.registry.MustRegister(NewInboxCollector(books, log))
	b.Deliverer = NewDeliverer(books, b.recorder, metrics, log)
	b.options = Options{
		Verifier: verifier, Ledger: books, Deliverer: b.Deliverer, Merchants: []string{merchant}, Metrics: metrics, Log: log,
	}
	b.handler = NewHandler(b.options)
	b.server = httptest.NewUnstartedServer(nil)
	b.server.Config = NewServer(b.handler, metrics, log)
	b.server.Start()
	t.Cleanup(b.server.Close)
	return b
}

// open writes an order down: a withdrawal is reserved and stays open, one
// above the balance has failed for want of funds.
func (b *testBundle) open(t testing.TB, kind order.Kind, number string, rupees int64) order.Order {
	t.Helper()
	opened, opening, err := b.ledger.OpenOrder(t.Context(), order.Request{
		Kind: kind, Merchant: merchant, Number: number, Country: "PK", Way: "JAZZCASH", Amount: pkr(rupees),
		Details: map[string]string{"customerName": "Planted Person", "walletId": "03000000000"},
	}, ledger.Terms{})
	require.NoError(t, err)
	require.Equal(t, ledger.Opened, opening)
	return opened
}

const beyondBalance = 100_000_000

// success is what the gateway says of an order that was paid.
func success(row order.Order) tarspay.Callback {
	return tarspay.Callback{
		Direction: row.Kind.Direction(), Currency: "PKR", Fee: "10", Merchant: row.Merchant, OrderNumber: row.Number,
		OrderAmount: row.Amount.Short(), PayAmount: row.Amount.Short(), GatewayID: "P1", State: tarspay.StateSucceeded,
	}
}

// post sends a callback as the gateway does and returns status and body.
func (b *testBundle) post(t testing.TB, c tarspay.Callback) (int, string) {
	t.Helper()
	body, signature := tarspay.EncodeCallback(c, b.signer)
	return b.send(t, b.request(t, body, signature))
}

func (b *testBundle) request(t testing.TB, body []byte, signature string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+Path, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", tarspay.ContentType)
	r.Header.Set(tarspay.HeaderCallbackSignature, signature)
	return r
}

func (b *testBundle) send(t testing.TB, r *http.Request) (int, string) {
	t.Helper()
	response, err := b.server.Client().Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode, string(body)
}

// inbox is what the ledger has of an order's callbacks.
func (b *testBundle) inbox(t testing.TB, key order.Key) []ledger.InboxEntry {
	t.Helper()
	entries, err := b.ledger.Callbacks(t.Context(), key)
	require.NoError(t, err)
	return entries
}

// entry is the only callback of an order.
func (b *testBundle) entry(t testing.TB, row order.Order) ledger.InboxEntry {
	t.Helper()
	entries := b.inbox(t, row.Key())
	require.Len(t, entries, 1)
	return entries[0]
}

func (b *testBundle) requireNothingStored(t testing.TB) {
	t.Helper()
	counts, err := b.ledger.InboxCounts(t.Context())
	require.NoError(t, err)
	for status, count := range counts {
		require.Zero(t, count, status)
	}
	require.Empty(t, b.signals())
}

// metric is the value of a counter or gauge with one label.
func (b *testBundle) metric(t testing.TB, name, label string) int {
	t.Helper()
	families, err := b.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name && (len(metric.GetLabel()) == 0 || metric.GetLabel()[0].GetValue() == label) {
				return int(metric.GetCounter().GetValue() + metric.GetGauge().GetValue())
			}
		}
	}
	t.Fatalf("no metric %s of %s", name, label)
	return 0
}

// signal is one that Temporal was asked to take.
type signal struct {
	workflow, name, callback string
}

// start is a workflow that Temporal was asked to start.
type start struct {
	options client.StartWorkflowOptions
	name    string
	input   contract.LateCallbackInput
}

// recorder is a Temporal that writes down what it is asked for.
type recorder struct {
	mutex     sync.Mutex
	signalled []signal
	started   []start
	attempts  int
	// answer, if set, decides what a call gets; nil for success.
	answer func(ctx context.Context, workflowID string) error
	queue  string // where workflows wait; "" is ours
}

func (r *recorder) SignalWorkflow(ctx context.Context, workflowID, runID, name string, argument any) error {
	if err := r.decide(ctx, workflowID); err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.signalled = append(r.signalled, signal{workflowID + runID, name, argument.(contract.CallbackSignalInput).ID})
	return nil
}

func (r *recorder) DescribeWorkflowExecution(ctx context.Context, workflowID, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if err := r.decide(ctx, workflowID); err != nil {
		return nil, err
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Type:   &commonpb.WorkflowType{Name: contract.WithdrawalType}, TaskQueue: cmp.Or(r.queue, contract.Queue),
	}}, nil
}

func (r *recorder) ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, arguments ...any) (client.WorkflowRun, error) {
	if err := r.decide(ctx, options.ID); err != nil {
		return nil, err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.started = append(r.started, start{options, workflow.(string), arguments[0].(contract.LateCallbackInput)})
	return nil, nil
}

func (r *recorder) decide(ctx context.Context, workflowID string) error {
	r.mutex.Lock()
	answer := r.answer
	r.attempts++
	r.mutex.Unlock()
	if answer == nil {
		return nil
	}
	return answer(ctx, workflowID)
}

// answers changes how Temporal answers from now on.
func (r *recorder) answers(answer func(ctx context.Context, workflowID string) error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.answer, r.attempts = answer, 0
}

func (r *recorder) signals() []signal {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return append([]signal(nil), r.signalled...)
}

func (r *recorder) starts() []start {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return append([]start(nil), r.started...)
}

func (r *recorder) calls() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.attempts
}

// How Temporal may answer.
func away(context.Context, string) error { return serviceerror.NewUnavailable("no route to host") }

func hangs(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

// closed is a Temporal in which no order's workflow is open.
func closed(_ context.Context, workflowID string) error {
	if _, ok := contract.ParseWorkflowID(workflowID); ok {
		return serviceerror.NewNotFound("workflow execution already completed")
	}
	return nil
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *logBuffer) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(line)
}

func (l *logBuffer) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

func pkr(rupees int64) money.Amount {
	amount, err := money.Minor(100*rupees, "PKR")
	if err != nil {
		panic(err)
	}
	return amount
}
