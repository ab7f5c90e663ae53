package httpapi

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/webhook"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

const (
	merchant   = "M1700000001" // of PK
	merchantVN = "M1700000002"
	origin     = "payouts.example.com/test"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// house is a door over a real ledger and a real roster, with a Temporal that has values
// only. The systems of the roster have the API key tokenOf their name:
//
//	billing  requests for merchant
//	watcher  reads, of merchant
//	desk     requests and operates, of all merchants
//	clerk    requests and operates, of merchant
//	small    requests for merchant, up to 500 PKR
//	old      its key has expired
type house struct {
	server *httptest.Server
	ledger *ledger.Ledger
	orders *valueOrders
	holder *roster.Holder
	logs   *strings.Builder
	fault  error // of reaching the ledger and Temporal
}

func tokenOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "payouts_" + name + "_" + base64.RawURLEncoding.EncodeToString(sum[:])
}

func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func rosterText(t testing.TB) string {
	t.Helper()
	var text strings.Builder
	person := func(name, rights string) {
		public, err := ssh.NewPublicKey(keyOf(name).Public())
		require.NoError(t, err)
		fmt.Fprintf(&text, "  - name: %s\n    roles: %s\n    keys: ['%s namespaces=\"payouts\" %s']\n", name, rights, name, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))))
	}
	limits := "unlimited"
	system := func(name, roles, merchants, expires string) {
		sum := sha256.Sum256([]byte(tokenOf(name)))
		fmt.Fprintf(&text, "  - name: %s\n    roles: [%s]\n    merchants: [%s]\n    limits: %[6]s\n    api_keys:\n      - {prefix: %[1]s, sha256: %[4]s, expires: %[5]s}\n",
			name, roles, merchants, hex.EncodeToString(sum[:]), expires, limits)
	}
	text.WriteString("signed_above: {PKR: \"100000\"}\npeople:\n")
	person("amina", "[admin]")
	person("dana", "[admin]")
	person("sana", "[approve]\n    merchants: [\"*\"]\n    limits: unlimited")
	person("chen", "[operate]\n    merchants: [\"*\"]\n    limits: unlimited")
	text.WriteString("systems:\n")
	system("billing", "request", merchant, "2027-01-31T00:00:00Z")
	system("watcher", "read", merchant, "2027-01-31T00:00:00Z")
	system("desk", "request, operate", `"*"`, "2027-01-31T00:00:00Z")
	system("clerk", "request, operate", merchant, "2027-01-31T00:00:00Z")
	limits = `{PKR: "500"}`
	system("small", "request", merchant, "2027-01-31T00:00:00Z")
	limits = "unlimited"
	system("old", "request", merchant, "2026-01-31T00:00:00Z")
	public, _ := keyOf("api").Public().(ed25519.PublicKey)
	fmt.Fprintf(&text, "  - name: api\n    door: true\n    ed25519: [{id: api-a, public: %q}]\n", base64.StdEncoding.EncodeToString(public))
	return text.String()
}

func (h *house) access(t testing.TB) *Keys {
	t.Helper()
	dir := t.TempDir()
	file, key := filepath.Join(dir, "roster.yaml"), filepath.Join(dir, "api.key")
	require.NoError(t, os.WriteFile(file, []byte(rosterText(t)), 0o600))
	block, err := ssh.MarshalPrivateKey(keyOf("api"), "api")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(block), 0o600))
	h.holder, err = roster.Open(file, roster.Options{})
	require.NoError(t, err)
	keys, err := NewKeys(h.holder, origin, key, noon)
	require.NoError(t, err)
	return keys
}

func setup(t testing.TB, change ...func(*Options)) *house {
	t.Helper()
	books, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, books.Close()) })
	require.NoError(t, books.Migrate(t.Context()))
	require.NoError(t, books.OpenBooks(t.Context(), merchant, amount(t, "100000", "PKR"), amount(t, "0", "PKR")))
	require.NoError(t, books.OpenBooks(t.Context(), merchantVN, amount(t, "90000000", "VND"), amount(t, "0", "VND")))
	sender := webhook.NewSender(webhook.Options{AllowPrivate: true})
	t.Cleanup(sender.Close)
	h := &house{ledger: books, orders: &valueOrders{books: books}, logs: &strings.Builder{}}
	merchants := config.MerchantList{{Number: merchant, Country: "PK"}, {Number: merchantVN, Country: "VN"}}
	options := Options{
		Service: payouts.New(payouts.Parts{
			Merchants: merchants, Now: func() time.Time { return noon }, Ask: Ask, AskFor: AskFor,
			Ledger:   func(context.Context) (payouts.Ledger, error) { return books, h.fault },
			Orders:   func(context.Context) (payouts.Orders, error) { return h.orders, h.fault },
			Webhooks: func(context.Context) (payouts.WebhookBooks, error) { return books, h.fault },
			Sender:   sender,
		}),
		Access: h.access(t), Countries: merchants.Countries(), Rate: 1000, Version: "test", Metrics: NewMetrics(prometheus.NewRegistry()),
		Log: slog.New(slog.NewTextHandler(h.logs, nil)), Now: func() time.Time { return noon },
	}
	for _, c := range change {
		c(&options)
	}
	h.server = httptest.NewServer(New(options))
	t.Cleanup(h.server.Close)
	return h
}

func amount(t testing.TB, number, currency string) money.Amount {
	t.Helper()
	read, err := money.Parse(number, currency)
	require.NoError(t, err)
	return read
}

// opened writes a withdrawal into the ledger, as a worker does.
func (h *house) opened(t *testing.T, merchant, number string) order.Request {
	t.Helper()
	r := requestOf(t, merchant, number)
	_, _, err := h.ledger.OpenOrder(t.Context(), r, ledger.Terms{})
	require.NoError(t, err)
	return r
}

// requestOf is a withdrawal.
func requestOf(t *testing.T, merchant, number string) order.Request {
	t.Helper()
	r := order.Request{
		Kind: order.Withdrawal, Merchant: merchant, Number: number, Country: "PK", Way: "easypaisa", Amount: amount(t, "500", "PKR"), RequestedBy: "billing",
		Details: map[string]string{"customerName": "A Khan", "customerAccountNumber": "03007654321", "customerContact": "03007654321"},
	}
	if merchant == merchantVN {
		r.Country, r.Way, r.Amount = "VN", "VCB", amount(t, "500000", "VND")
		r.Details = map[string]string{"customerName": "NGUYEN VAN AN", "customerAccountNumber": "0071000123456"}
	}
	return r
}

// reply is an answer of the door.
type reply struct {
	status int
	header http.Header
	text   string
}

func (r reply) problem(t *testing.T) problem {
	t.Helper()
	require.Equal(t, "application/problem+json", r.header.Get("Content-Type"), r.text)
	var p problem
	require.NoError(t, json.Unmarshal([]byte(r.text), &p), r.text)
	require.Equal(t, r.status, p.Status)
	require.Equal(t, "urn:payouts:"+p.Code, p.Type)
	require.NotEmpty(t, p.Detail)
	require.NotEqual(t, p.Code, p.Title, "the catalogue has the code")
	return p
}

// as sends a request with the API key of a system.
func (h *house) as(t *testing.T, system, method, path, body string, headers ...string) reply {
	t.Helper()
	return h.send(t, method, path, body, append([]string{"Authorization", "Bearer " + tokenOf(system)}, headers...)...)
}

func (h *house) send(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, h.server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
	}
	response, err := h.server.Client().Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return reply{response.StatusCode, response.Header, string(text)}
}

// valueOrders is a Temporal that has its values, and records what is started.
type valueOrders struct {
	payouts.Orders // nil: a call that no test expects panics

	books    *ledger.Ledger
	started  []order.Request
	acted    int // actions on orders
	existing bool
	err      error

	compared, broken bool // a comparison is under way; it ends without a report
	span             contract.ReconcileTransactionsInput
}

// comparison is the id of the one comparison of transactions.
const comparison = "0198f00d-0000-7000-8000-000000000001"

func (v *valueOrders) StartDeposit(ctx context.Context, request order.Request) (order.View, client.Started, error) {
	started, err := v.Start(ctx, request)
	return request.View(order.Standing{State: order.Submitted}), started, err
}

func (v *valueOrders) Act(ctx context.Context, key order.Key, _ order.Action) (order.View, error) {
	v.acted++
	if v.err != nil {
		return order.View{}, v.err
	}
	o, err := v.books.Order(ctx, key)
	return o.View(o.Standing), err
}

func (v *valueOrders) Adopt(_ context.Context, row order.Order, _ order.Action) (client.Started, error) {
	if v.err != nil {
		return client.Started{}, v.err
	}
	v.started = append(v.started, row.Request)
	return client.Started{WorkflowID: "order:1", RunID: "run-2"}, nil
}

func (v *valueOrders) Order(context.Context, order.Key) (order.View, error) {
	return order.View{}, order.Refuse(client.CodeNoAnswer, "no worker answers")
}

func (v *valueOrders) Wait(ctx context.Context, _ order.Key) (order.View, error) {
	<-ctx.Done()
	return order.View{}, ctx.Err()
}

func (v *valueOrders) ReconcileBalances(context.Context, ...string) (contract.ReconcileBalancesResult, error) {
	return contract.ReconcileBalancesResult{}, v.err
}

func (v *valueOrders) CompareTransactions(_ context.Context, merchant string, from, to time.Time) (client.TransactionsRun, error) {
	run := client.TransactionsRun{Merchant: merchant, RunID: comparison, StartedAt: noon, Existing: v.compared}
	v.compared = true
	v.span = contract.ReconcileTransactionsInput{Merchants: []string{merchant}, From: from, To: to}
	return run, v.err
}

func (v *valueOrders) ComparedTransactions(_ context.Context, merchant, runID string) (client.TransactionsRun, error) {
	if runID != comparison {
		return client.TransactionsRun{}, order.Refuse(client.CodeReconciliationNotFound, "there is no comparison %s", runID)
	}
	run := client.TransactionsRun{Merchant: merchant, RunID: runID, StartedAt: noon, EndedAt: noon.Add(time.Hour)}
	if !v.broken {
		run.Result = &contract.ReconcileTransactionsResult{Merchants: []contract.MerchantTransactions{
			{Merchant: merchant, From: noon, To: noon, History: contract.HistoryNone, TransactionCounts: contract.TransactionCounts{Asked: 3}},
		}}
	}
	return run, v.err
}

func (v *valueOrders) Start(_ context.Context, request order.Request) (client.Started, error) {
	if err := request.Validate(nil); err != nil && !v.existing { // as client.Start
		return client.Started{}, err
	}
	v.started = append(v.started, request)
	return client.Started{WorkflowID: "order:1", RunID: "run", Existing: v.existing}, v.err
}

func (v *valueOrders) Find(_ context.Context, key order.Key) (client.Row, error) {
	return client.Row{}, order.Refuse(order.CodeOrderNotFound, "no order %s", key)
}
