package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/boot"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

const (
	merchant     = "M1700000001" // Pakistan, the only one there
	merchantVN   = "M1700000002"
	merchantTH   = "M1700000003"
	secondOfTH   = "M1700000004"
	workflowID   = "order:M1700000001:INV-1"
	gatewayOrder = "P1795000000000000001"
)

func init() { time.Local = time.UTC } // golden files are of one time zone

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// testBundle is a command line whose Temporal and ledger are made of values.
type testBundle struct {
	temporal *fakeTemporal
	books    *fakeBooks
	real     *ledger.Ledger // in place of books, where a command writes or tells a story
	client   orders         // in place of temporal, where an action must reach the real ledger
	clock    time.Time      // of the real ledger
	settings config.Starter
	typed    string // standard input

	opens bool // the ledger that the settings name

	temporalErr, ledgerErr, settingsErr error // what reaching them says instead

	through string // address of the api that commands are run through; empty: directly
}

func setup(*testing.T) *testBundle {
	return &testBundle{
		temporal:  &fakeTemporal{},
		books:     &fakeBooks{},
		ledgerErr: payouts.ErrNoLedger,
		settings: config.Starter{Accounts: config.Accounts{Merchants: config.MerchantList{
			{Number: merchant, Country: "PK"}, {Number: merchantVN, Country: "VN"},
			{Number: merchantTH, Country: "TH"}, {Number: secondOfTH, Country: "TH"},
		}}, Alarm: config.Alarm{UnknownAlarm: 30 * time.Minute}},
	}
}

// result is what a run left behind.
type result struct {
	code      int
	out, errs string
}

func (b *testBundle) run(ctx context.Context, args ...string) result {
	var out, errs bytes.Buffer
	s := starter{
		in: strings.NewReader(b.typed), out: &out, errs: &errs, user: "amina",
		load:    func() (config.Starter, error) { return b.settings, b.settingsErr },
		connect: b.connect, examine: boot.Connect(io.Discard).Examine,
		now: func() time.Time { return noon.Add(time.Hour) },
	}
	if b.through != "" {
		args = append([]string{"--api", b.through}, args...)
	}
	code := s.run(ctx, args)
	return result{code: code, out: out.String(), errs: errs.String()}
}

// connect makes parts of values; the gateway is that of the settings.
func (b *testBundle) connect(settings config.Starter) payouts.Parts {
	parts := boot.Connect(io.Discard).Parts(settings)
	parts.Orders = b.dialTemporal
	if !b.opens {
		parts.Ledger = b.openLedger
	}
	if b.real != nil {
		parts.Webhooks = func(context.Context) (payouts.WebhookBooks, error) { return b.real, nil }
	}
	return parts
}

func (b *testBundle) dialTemporal(context.Context) (payouts.Orders, error) {
	if b.client != nil {
		return b.client, nil
	}
	b.temporal.real = b.real
	return b.temporal, b.temporalErr
}

func (b *testBundle) openLedger(context.Context) (payouts.Ledger, error) {
	if b.real != nil {
		return b.real, nil
	}
	return b.books, b.ledgerErr
}

// orders and books are what is made of values.
type (
	orders = payouts.Orders
	books  = payouts.Ledger
)

// fakeTemporal answers with the values it is given and keeps what it was
// asked. A call that blocks waits for its context.
type fakeTemporal struct {
	orders // nil: what is not made of values here is asked of a real client
	deeds
	started client.Started
	view    order.View
	row     client.Row
	rows    []client.Row
	report  contract.ReconcileBalancesResult

	real *ledger.Ledger // for actions that are not about one order

	startErr, viewErr, findErr, reportErr error
	blocks                                bool
	unmatched                             bool // no statement is compared

	waits       int // calls of Wait
	requests    []order.Request
	filters     []client.Filter
	resolutions []order.Resolution
	asked       []order.Key // of every call about one order
	merchants   []string

	transactions contract.ReconcileTransactionsResult
	span         contract.ReconcileTransactionsInput
}

func (f *fakeTemporal) Start(_ context.Context, request order.Request) (client.Started, error) {
	f.requests = append(f.requests, request)
	return f.started, f.startErr
}

func (f *fakeTemporal) StartDeposit(ctx context.Context, request order.Request) (order.View, client.Started, error) {
	f.requests = append(f.requests, request)
	if f.startErr != nil {
		return order.View{}, client.Started{}, f.startErr
	}
	view, err := f.answer(ctx)
	return view, f.started, err
}

func (f *fakeTemporal) Wait(ctx context.Context, key order.Key) (order.View, error) {
	f.waits++
	f.asked = append(f.asked, key)
	return f.answer(ctx)
}

func (f *fakeTemporal) Order(ctx context.Context, key order.Key) (order.View, error) {
	f.asked = append(f.asked, key)
	return f.answer(ctx)
}

func (f *fakeTemporal) Find(context.Context, order.Key) (client.Row, error) { return f.row, f.findErr }

func (f *fakeTemporal) Latest(_ context.Context, ids []string) (map[string]client.Row, error) {
	found := make(map[string]client.Row)
	for _, row := range f.rows {
		if slices.Contains(ids, row.WorkflowID) {
			found[row.WorkflowID] = row
		}
	}
	return found, f.viewErr
}

func (f *fakeTemporal) List(_ context.Context, filter client.Filter) ([]client.Row, error) {
	f.filters = append(f.filters, filter)
	return f.rows, f.viewErr
}

func (f *fakeTemporal) ReconcileBalances(ctx context.Context, merchants ...string) (contract.ReconcileBalancesResult, error) {
	f.merchants = merchants
	if _, err := f.answer(ctx); err != nil {
		return contract.ReconcileBalancesResult{}, err
	}
	return f.report, f.reportErr
}

func (f *fakeTemporal) ReconcileTransactions(ctx context.Context, input contract.ReconcileTransactionsInput) (contract.ReconcileTransactionsResult, error) {
	f.span = input
	if _, err := f.answer(ctx); err != nil {
		return contract.ReconcileTransactionsResult{}, err
	}
	return f.transactions, f.reportErr
}

// CompareTransactions starts a comparison that ends at once, but for one that blocks.
func (f *fakeTemporal) CompareTransactions(_ context.Context, merchant string, from, to time.Time) (client.TransactionsRun, error) {
	f.span = contract.ReconcileTransactionsInput{Merchants: []string{merchant}, From: from, To: to}
	return client.TransactionsRun{Merchant: merchant, RunID: "0198f00d-0000-7000-8000-000000000001", StartedAt: noon}, f.startErr
}

func (f *fakeTemporal) ComparedTransactions(_ context.Context, merchant, runID string) (client.TransactionsRun, error) {
	run := client.TransactionsRun{Merchant: merchant, RunID: runID, StartedAt: noon}
	if f.blocks {
		return run, nil
	}
	run.EndedAt = noon.Add(time.Hour)
	if f.reportErr == nil {
		run.Result = &contract.ReconcileTransactionsResult{Merchants: slices.DeleteFunc(slices.Clone(f.transactions.Merchants),
			func(m contract.MerchantTransactions) bool { return m.Merchant != merchant })}
	}
	return run, nil
}

func (f *fakeTemporal) ActOnBooks(ctx context.Context, action order.BookAction, record any) error {
	if _, err := f.answer(ctx); err != nil {
		return err
	}
	acted, err := activities.NewBooks(f.real, activities.Settings{}).ActOnBooks(ctx, action)
	if err != nil {
		return err
	}
	if acted.Refusal != nil {
		return &order.Refusal{Reason: *acted.Refusal}
	}
	return json.Unmarshal(acted.Record, record)
}

func (f *fakeTemporal) answer(ctx context.Context) (order.View, error) {
	if f.blocks {
		<-ctx.Done()
		return order.View{}, ctx.Err()
	}
	return f.view, f.viewErr
}

// fakeBooks is a ledger of values.
type fakeBooks struct {
	books     // nil: what is not made of values here is asked of a real ledger
	order     order.Order
	orderErr  error
	accounts  map[string]map[ledger.Account]money.Amount // by merchant and currency: "M1 PKR"
	snapshots []order.Snapshot
	merchants []string // that workers have recorded, or that have books
	days      []ledger.DayReport
}

func (f *fakeBooks) Day(ctx context.Context, query ledger.DayQuery) (ledger.DayReport, error) {
	if len(f.days) == 0 {
		return f.books.Day(ctx, query)
	}
	i := slices.IndexFunc(f.days, func(d ledger.DayReport) bool {
		return d.Merchant == query.Merchant && d.Day == query.Day && d.Zone == query.Zone.String()
	})
	if i < 0 {
		return ledger.DayReport{}, order.Refuse(ledger.CodeDayNotOver, "%s ends in %s later", query.Day, query.Zone)
	}
	return f.days[i], nil
}

func (f *fakeBooks) LateFees(context.Context, order.Key) ([]ledger.LateFee, error) { return nil, nil }

func (f *fakeBooks) HasMerchant(_ context.Context, merchant string) (bool, error) {
	return slices.Contains(f.merchants, merchant), nil
}

func (f *fakeBooks) Order(context.Context, order.Key) (order.Order, error) {
	return f.order, f.orderErr
}

func (f *fakeBooks) Balances(_ context.Context, merchant, currency string) (map[ledger.Account]money.Amount, error) {
	accounts, open := f.accounts[merchant+" "+currency]
	if !open {
		return nil, ledger.ErrNotFound
	}
	return accounts, nil
}

func (f *fakeBooks) Snapshots(_ context.Context, merchant string, _ int) ([]order.Snapshot, error) {
	var found []order.Snapshot
	for _, snapshot := range f.snapshots {
		if snapshot.Merchant == merchant {
			found = append(found, snapshot)
		}
	}
	return found, nil
}

// amount reads "1500 PKR".
func amount(t *testing.T, number, currency string) money.Amount {
	t.Helper()
	a, err := money.Parse(number, currency)
	require.NoError(t, err)
	return a
}

// withdrawal is INV-1 as its workflow tells of it.
func withdrawal(t *testing.T, state order.State) order.View {
	t.Helper()
	view := order.View{
		Kind: order.Withdrawal, Merchant: merchant, Number: "INV-1", Country: "PK", Way: "easypaisa",
		Amount: amount(t, "1500", "PKR"), Fingerprint: "f00d",
		Standing: order.Standing{State: state, GatewayID: gatewayOrder},
		Next:     "Nothing: the order has ended.",
	}
	switch state {
	case order.Succeeded:
		view.Paid, view.Fee = view.Amount, amount(t, "15", "PKR")
	case order.Failed:
		view.Reason = order.Reason{Code: order.CodeGatewayFailed, Text: "the gateway says failed(3)"}
	default:
		view.Next = "The gateway is asked until it has decided."
	}
	return view
}

// deposit is CART-1 with the gateway's instructions.
func deposit(t *testing.T, state order.State) order.View {
	t.Helper()
	return order.View{
		Kind: order.Deposit, Merchant: merchant, Number: "CART-1", Country: "PK", Way: "jazzcash",
		Amount: amount(t, "900", "PKR"), Fingerprint: "cafe",
		Standing: order.Standing{State: state, GatewayID: gatewayOrder, Instructions: &order.Instructions{
			PayURL: "https://pay.example.com/c?o=1&s=2", PayData: "12\x1b[31m34", PayDataType: "account",
			AccountName: "TarsPay", AccountNumber: "PK00", Bank: "HBL", ExpiresAt: noon.Add(24 * time.Hour),
		}},
		Next: "The gateway has the order.",
	}
}

// row is INV-1 as the list has it.
func row(t *testing.T, state order.State) client.Row {
	t.Helper()
	r := client.Row{
		Kind: order.Withdrawal, Merchant: merchant, Number: "INV-1", Country: "PK", Amount: amount(t, "1500", "PKR"), State: state,
		NeedsReview: rules.NeedsReview(state), Open: true, Status: "Running", WorkflowID: workflowID, RunID: "run-1", StartedAt: noon,
	}
	if state.Terminal() {
		r.Open, r.Status, r.EndedAt = false, "Completed", noon.Add(time.Minute)
	}
	return r
}

func (f *fakeBooks) RefusedStarts(context.Context, string) ([]ledger.RefusedStart, error) {
	return nil, nil
}
