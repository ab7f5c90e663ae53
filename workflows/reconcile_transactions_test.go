package workflows_test

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// The gateway lists the transactions of Vietnam and not those of Pakistan.
const (
	pakistan = "M1700000001"
	vietnam  = "M1700000003"
)

const (
	lag      = 2 * time.Hour
	lookback = 72 * time.Hour
)

// shop is two merchants with orders of the past: the real activities on a real
// ledger, the real client, and the sandbox over real HTTP. Its time stands
// still unless it is moved, or a workflow runs.
type shop struct {
	t        *testing.T
	books    *ledger.Ledger
	gateway  *sandbox.Gateway
	activity *activities.Gateway
	ours     *activities.Books
	clients  map[string]*tarspay.Client
	merchant map[string]string
	orders   int

	mu     sync.Mutex
	clock  func() time.Time
	before func(*http.Request) int                     // an HTTP status instead of an answer; 0: none
	tamper func(r *http.Request, answer []byte) []byte // with the answers
}

// forEachEngine runs a test on both databases.
func forEachEngine(t *testing.T, test func(t *testing.T, s *shop)) {
	t.Helper()
	tables.Each(t, func(t *testing.T, url string) { test(t, openShop(t, url)) })
}

func openShop(t *testing.T, database string) *shop {
	t.Helper()
	at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	s := &shop{t: t, clients: make(map[string]*tarspay.Client), merchant: map[string]string{pakistan: "PK", vietnam: "VN"}}
	s.clock = func() time.Time { return at }
	books, err := ledger.Open(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, books.Close()) })
	books.SetClock(s.now)
	s.books = books
	var merchants []sandbox.Merchant
	keys := make(map[string]*tarspay.Signer)
	for number, country := range s.merchant {
		private, public, err := tarspay.GenerateKey()
		require.NoError(t, err)
		keys[number], err = tarspay.NewSigner(private)
		require.NoError(t, err)
		merchants = append(merchants, sandbox.Merchant{Number: number, Country: country, PublicKey: public, Balance: "900000000"})
	}
	s.gateway, err = sandbox.New(sandbox.Options{
		Merchants: merchants, StartAt: at, CallbackTransport: carry(deaf),
		CallbackSchedule: []time.Duration{240 * time.Hour}, // nobody listens: a silence that nobody need wait for
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.gateway.Close()) })
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	for number, key := range keys {
		s.clients[number], err = tarspay.NewClient(server.URL, number, key, tarspay.Options{Clock: s.now})
		require.NoError(t, err)
		t.Cleanup(s.clients[number].CloseIdle)
	}
	settings := activities.Settings{
		Merchants: s.merchant, NotifyURL: "http://receiver.test/callbacks/tarspay", GatewayTimeout: 15 * time.Second,
		NotFoundGrace: time.Minute, PollLadder: config.Ladder{time.Minute}, RetryLadder: config.Ladder{2 * time.Second, time.Minute},
		ReconcileLag: lag, ReconcileLookback: lookback,
	}
	s.activity, s.ours = activities.NewGateway(s.clients, books, settings), activities.NewBooks(books, settings)
	for number, country := range s.merchant {
		require.NoError(t, books.OpenBooks(t.Context(), number, amountOf(t, "900000000", country), amountOf(t, "0", country)))
	}
	return s
}

func deaf(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

// serve is the gateway, with what a test does to its answers.
func (s *shop) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	before, tamper := s.before, s.tamper
	s.mu.Unlock()
	if before != nil {
		if status := before(r); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	s.gateway.AdvanceTo(s.now())
	if tamper == nil {
		s.gateway.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	s.gateway.ServeHTTP(answer, r)
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(tamper(r, answer.Body.Bytes()))
}

func (s *shop) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock()
}

func (s *shop) follow(clock func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = clock
}

func (s *shop) pass(d time.Duration) {
	at := s.now().Add(d)
	s.follow(func() time.Time { return at })
	s.gateway.AdvanceTo(at)
}

func amountOf(t *testing.T, text, country string) money.Amount {
	t.Helper()
	amount, err := order.ParseAmount(text, country)
	require.NoError(t, err)
	return amount
}

// request is an order with a scenario of the sandbox's.
func (s *shop) request(kind order.Kind, merchant, number, scenario string) order.Request {
	s.orders++
	if number == "" {
		number = fmt.Sprintf("INV-%d", s.orders)
	}
	country, way := s.merchant[merchant], "easypaisa"
	if country == "VN" {
		way = "VCB"
	}
	return order.Request{
		Kind: kind, Merchant: merchant, Number: number, Country: country, Way: way, Amount: amountOf(s.t, fmt.Sprint(10_000+s.orders), country),
		Details: map[string]string{
			"customerName": "Planted Person", "customerContact": "03001234567", "customerAccountNumber": "03001234567",
			sandbox.ScenarioMember: scenario,
		},
	}
}

// settled takes an order to its end as its workflow would, by asking: a minute
// after it was sent, when everything has happened to it.
func (s *shop) settled(kind order.Kind, merchant, number, scenario string) order.Order {
	s.t.Helper()
	r := s.request(kind, merchant, number, scenario)
	_, opening, err := s.books.OpenOrder(s.t.Context(), r, ledger.Terms{})
	require.NoError(s.t, err)
	require.Equal(s.t, ledger.Opened, opening)
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(s.activity)
	for range 100 {
		o, err := s.books.Order(s.t.Context(), r.Key())
		require.NoError(s.t, err)
		if o.State.Terminal() {
			return o
		}
		if rules.Sendable(o.State) {
			_, err = env.ExecuteActivity(s.activity.Submit, r.Key())
			require.NoError(s.t, err)
			s.pass(time.Minute)
			continue
		}
		value, err := env.ExecuteActivity(s.activity.Poll, activities.PollInput{Key: r.Key()})
		if err != nil {
			s.pass(time.Minute)
			continue
		}
		var finding rules.Finding
		require.NoError(s.t, value.Get(&finding))
		_, err = s.books.Settle(s.t.Context(), r.Key(), finding)
		require.NoError(s.t, err)
	}
	require.FailNow(s.t, "the order did not end", "%s: %s", r.Number, scenario)
	return order.Order{}
}

// elsewhere makes an order at the gateway that the ledger does not know.
func (s *shop) elsewhere(r order.Request) {
	s.t.Helper()
	profile, _ := tarspay.Country(r.Country)
	create := tarspay.CreateRequest{
		OrderNumber: r.Number, Way: r.Way, Amount: r.Amount.Short(), Currency: profile.GatewayCurrency,
		NotifyURL: "http://receiver.test/callbacks/tarspay", Fields: r.Details,
	}
	var err error
	if r.Kind == order.Withdrawal {
		_, err = s.clients[r.Merchant].CreateWithdrawal(s.t.Context(), create)
	} else {
		_, err = s.clients[r.Merchant].CreateDeposit(s.t.Context(), create)
	}
	require.NoError(s.t, err)
}

// alone books an order as paid that the gateway knows nothing of, or otherwise.
func (s *shop) alone(r order.Request, gatewayID string, fee money.Amount) {
	s.t.Helper()
	_, opening, err := s.books.OpenOrder(s.t.Context(), r, ledger.Terms{})
	require.NoError(s.t, err)
	require.Equal(s.t, ledger.Opened, opening)
	_, err = s.books.NextSubmission(s.t.Context(), r.Key(), 0)
	require.NoError(s.t, err)
	_, err = s.books.CompleteSubmission(s.t.Context(), r.Key(), 1, ledger.Answer{Outcome: ledger.Accepted, GatewayID: gatewayID})
	require.NoError(s.t, err)
	_, err = s.books.Settle(s.t.Context(), r.Key(), rules.Finding{
		Source: rules.FromQuery, Verdict: rules.Paid, GatewayID: gatewayID, Paid: r.Amount, Fee: fee,
	})
	require.NoError(s.t, err)
}

// reconcile runs the workflow to its end.
func (s *shop) reconcile(input contract.ReconcileTransactionsInput, change ...func(*testsuite.TestWorkflowEnvironment)) contract.ReconcileTransactionsResult {
	s.t.Helper()
	env := environment()
	env.SetTestTimeout(3 * time.Minute)
	env.SetStartTime(s.now())
	s.follow(env.Now)
	workflows.Register(env)
	env.RegisterActivity(s.activity)
	env.RegisterActivity(s.ours)
	for _, c := range change {
		c(env)
	}
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "reconcile-transactions"})
	env.ExecuteWorkflow(contract.ReconcileTransactionsType, input)
	at := env.Now()
	s.follow(func() time.Time { return at })
	require.True(s.t, env.IsWorkflowCompleted())
	var again *workflow.ContinueAsNewError
	if err := env.GetWorkflowError(); err != nil {
		require.ErrorAs(s.t, err, &again)
		s.t.Fatal("it continues as new")
	}
	var result contract.ReconcileTransactionsResult
	require.NoError(s.t, env.GetWorkflowResult(&result))
	return result
}

// of is the report on a merchant.
func of(t *testing.T, result contract.ReconcileTransactionsResult, merchant string) contract.MerchantTransactions {
	t.Helper()
	for _, m := range result.Merchants {
		if m.Merchant == merchant {
			return m
		}
	}
	require.FailNow(t, "no report on the merchant")
	return contract.MerchantTransactions{}
}

// found are all discrepancies on record, "CODE number", sorted.
func (s *shop) found() []string {
	s.t.Helper()
	all, err := s.books.Discrepancies(s.t.Context(), ledger.DiscrepancyFilter{Limit: ledger.MaxPage})
	require.NoError(s.t, err)
	var codes []string
	for _, d := range all {
		codes = append(codes, d.Code+" "+d.Key.Number)
		require.NotRegexp(s.t, "Planted|03001234567", d.Detail+d.Mark, "personal data")
	}
	slices.Sort(codes)
	return codes
}

// sound demands that the ledger agrees with itself.
func (s *shop) sound() {
	s.t.Helper()
	v, err := s.books.Verify(s.t.Context())
	require.NoError(s.t, err)
	require.Empty(s.t, v.Violations)
	audit, err := s.books.VerifyAudit(s.t.Context(), ledger.AuditEvidence{})
	require.NoError(s.t, err)
	require.Empty(s.t, audit.Broken)
}

// outcomes are all ends that an order can come to with a gateway that tells the
// truth, however badly its answers travel.
var outcomes = map[order.Kind][]string{
	order.Deposit: {
		"success", "silent-success", "fail", "cancel", "partial:30", "expire", "refund", "queued", "flip", "lost-answer", "lost-request",
		"hidden:2", "system-error", "http-500-unbooked", "query-error:2", "text-state", "refuse:5003012", "stuck",
	},
	order.Withdrawal: {
		"success", "silent-success", "fail", "reject", "refund", "flip", "lost-answer", "lost-request", "out-of-order",
		"hidden:2", "channel-error", "unknown-code", "wrong-sign", "query-http-500:2", "refuse:5003012", "stuck-created",
	},
}

// history of many orders: every outcome, of both merchants, over days.
func (s *shop) trade(rounds int) (ended int) {
	s.t.Helper()
	for range rounds {
		for _, merchant := range []string{pakistan, vietnam} {
			for kind, scenarios := range outcomes {
				for _, scenario := range scenarios {
					if merchant == pakistan && scenario == "expire" {
						continue // takes a day
					}
					if strings.HasPrefix(scenario, "stuck") {
						r := s.request(kind, merchant, "", scenario)
						_, _, err := s.books.OpenOrder(s.t.Context(), r, ledger.Terms{})
						require.NoError(s.t, err)
						continue // under way
					}
					s.settled(kind, merchant, "", scenario)
					ended++
				}
			}
		}
		s.pass(9 * time.Hour)
	}
	return ended
}

// P10, the first half: where the gateway's books and ours agree, nothing is
// found, however many orders there are and however they ended.
func TestP10ACleanRunReportsNothing(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *shop) {
		ended := s.trade(4)
		require.Greater(t, ended, 200)
		s.pass(lag)
		result := s.reconcile(contract.ReconcileTransactionsInput{})
		require.Empty(t, s.found())
		vn, pk := of(t, result, vietnam), of(t, result, pakistan)
		require.Empty(t, vn.Problem+pk.Problem)
		require.Empty(t, vn.Findings)
		require.Empty(t, pk.Findings)
		require.Equal(t, contract.HistoryRead, vn.History)
		require.Equal(t, contract.HistoryNone, pk.History)
		require.Greater(t, vn.Windows, 1)
		require.Positive(t, vn.Rows)
		require.Positive(t, vn.Compared)
		require.Zero(t, pk.Rows)
		require.Equal(t, ended, vn.Asked+pk.Asked, "each once")
		require.Zero(t, vn.Unanswered+pk.Unanswered)
		require.Zero(t, vn.Settled+pk.Settled)
		s.sound()
	})
}

// plant makes one of every discrepancy, and what is none although it looks like
// one. It returns what is to be found, and the silent refund.
func (s *shop) plant() (want []string, refund order.Key) {
	s.t.Helper()
	t := s.t
	move := func(o order.Order, state tarspay.State) {
		_, err := s.gateway.Move(o.Merchant, o.Number, state, "")
		require.NoError(t, err)
	}
	plant := func(code, number string) { want = append(want, code+" "+number) }
	none := amountOf(t, "0", "VN")

	s.elsewhere(s.request(order.Withdrawal, vietnam, "no-order", "success"))
	s.elsewhere(s.request(order.Deposit, vietnam, "no-order-failed", "fail"))
	plant(codes.DiscrepancyNoOrder, "no-order")
	plant(codes.DiscrepancyNoOrder, "no-order-failed")

	s.alone(s.request(order.Withdrawal, vietnam, "no-record", ""), "P1000", none)
	s.alone(s.request(order.Deposit, pakistan, "no-record-pk", ""), "P1001", amountOf(t, "0", "PK"))
	plant(codes.DiscrepancyNoRecord, "no-record")
	plant(codes.DiscrepancyNoRecord, "no-record-pk")

	s.differ(plant)

	move(s.settled(order.Withdrawal, vietnam, "paid-there", "fail"), tarspay.StateSucceeded)
	move(s.settled(order.Withdrawal, pakistan, "paid-there-pk", "reject"), tarspay.StateSucceeded)
	move(s.settled(order.Withdrawal, vietnam, "failed-there", "success"), tarspay.StateFailed)
	move(s.settled(order.Deposit, pakistan, "failed-there-pk", "success"), tarspay.StateFailed)
	plant(codes.DiscrepancyPaidAfterEnd, "paid-there")
	plant(codes.DiscrepancyPaidAfterEnd, "paid-there-pk")
	plant(codes.DiscrepancyUnpaidPaid, "failed-there")
	plant(codes.DiscrepancyUnpaidPaid, "failed-there-pk")

	late := s.settled(order.Deposit, vietnam, "paid-late", "expire")
	require.Equal(t, order.Expired, late.State)
	move(late, tarspay.StateSucceeded)
	plant(codes.DiscrepancyLatePayment, "paid-late")

	twice := s.settled(order.Withdrawal, vietnam, "twice", "success")
	require.NoError(t, s.gateway.Switch(vietnam, "no-duplicate-guard", true))
	again := s.request(order.Withdrawal, vietnam, "twice", "success")
	again.Amount = twice.Amount
	s.elsewhere(again)
	require.NoError(t, s.gateway.Switch(vietnam, "no-duplicate-guard", false))
	plant(codes.DiscrepancySecond, "twice")

	unsent := s.request(order.Deposit, vietnam, "never-sent", "success")
	_, _, err := s.books.OpenOrder(t.Context(), unsent, ledger.Terms{})
	require.NoError(t, err)
	s.elsewhere(unsent)
	plant(codes.DiscrepancyPaidUnsent, "never-sent")

	_, err = s.gateway.Fund(vietnam, "77000", true)
	require.NoError(t, err)
	page, err := s.clients[vietnam].History(t.Context(), tarspay.HistoryRequest{Kind: tarspay.HistoryOwnWithdrawal})
	require.NoError(t, err)
	plant(codes.DiscrepancyOwnWithdrawal, page.Records[0].GatewayID)

	s.callback("stray", lag+time.Minute)
	s.callback("stray-but-young", time.Minute)
	plant(codes.DiscrepancyUnmatched, "stray")

	silent := s.settled(order.Withdrawal, vietnam, "silent-refund", "success")
	move(silent, tarspay.StateRefunded)
	slices.Sort(want)
	return want, silent.Key()
}

// differ makes orders whose members are not those of the gateway's records.
func (s *shop) differ(plant func(code, number string)) {
	s.t.Helper()
	id := func(r order.Request) string {
		o, err := s.gateway.Order(r.Merchant, r.Number)
		require.NoError(s.t, err)
		return o.ID
	}
	for _, merchant := range []string{vietnam, pakistan} {
		country := s.merchant[merchant]
		fee := s.request(order.Withdrawal, merchant, "fee-"+country, "success")
		s.elsewhere(fee)
		s.pass(time.Minute)
		s.alone(fee, id(fee), amountOf(s.t, "3", country))
		plant(codes.DiscrepancyRecord, fee.Number)

		other := s.request(order.Deposit, merchant, "amount-"+country, "success")
		s.elsewhere(other)
		other.Amount = amountOf(s.t, "11000", country)
		s.pass(time.Minute)
		s.alone(other, id(other), amountOf(s.t, "0", country))
		plant(codes.DiscrepancyRecord, other.Number)

		money := s.request(order.Deposit, merchant, "currency-"+country, "success")
		s.elsewhere(money)
		money.Amount = amountOf(s.t, money.Amount.Short(), "TH")
		require.NoError(s.t, s.books.OpenBooks(s.t.Context(), merchant, amountOf(s.t, "0", "TH"), amountOf(s.t, "0", "TH")))
		s.pass(time.Minute)
		s.alone(money, id(money), amountOf(s.t, "0", "TH"))
		plant(codes.DiscrepancyRecord, money.Number)
	}
	direction := s.request(order.Deposit, vietnam, "direction", "success")
	s.elsewhere(direction)
	s.pass(time.Minute)
	direction.Kind = order.Withdrawal
	s.alone(direction, id(direction), amountOf(s.t, "0", "VN"))
	plant(codes.DiscrepancyRecord, "direction")
}

// callback stores one of an order that we do not have, so long ago that it will
// be of an age when the comparison runs an hour after the lag.
func (s *shop) callback(number string, age time.Duration) {
	s.t.Helper()
	at := s.now()
	s.follow(func() time.Time { return at.Add(lag + time.Hour - age) })
	id, _ := stores(s.t, s.books, tarspay.Callback{
		Direction: tarspay.DirectionDeposit, Merchant: vietnam, OrderNumber: number, Currency: "VND", OrderAmount: "5", PayAmount: "5",
		GatewayID: "P-" + number, State: tarspay.StateSucceeded,
	})
	require.NoError(s.t, s.books.MarkCallback(s.t.Context(), id, ledger.Unmatched))
	s.follow(func() time.Time { return at })
}

// P10, the second half: every planted discrepancy is found, and nothing else,
// once; and a refund that nobody told us of is booked.
func TestP10EveryPlantedDiscrepancyIsFound(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *shop) {
		s.trade(1)
		want, refund := s.plant()
		s.trade(1)
		s.pass(lag + time.Hour - 9*time.Hour)
		result := s.reconcile(contract.ReconcileTransactionsInput{})
		require.Equal(t, want, s.found())
		counted := make(map[string]int)
		for _, m := range result.Merchants {
			require.Empty(t, m.Problem)
			for _, f := range m.Findings {
				counted[f.Code] += f.Open
			}
		}
		expected := make(map[string]int)
		for _, line := range want {
			code, _, _ := strings.Cut(line, " ")
			expected[code]++
		}
		require.Equal(t, expected, counted)
		require.Equal(t, 2, of(t, result, vietnam).Settled, "a refund and a late payment")

		o, err := s.books.Order(t.Context(), refund)
		require.NoError(t, err)
		require.Equal(t, order.Refunded, o.State)
		steps, err := s.books.History(t.Context(), refund)
		require.NoError(t, err)
		require.Equal(t, rules.FromQuery, steps[len(steps)-1].Source, "booked on the answer to a query")
		transfers, err := s.books.Transfers(t.Context(), refund)
		require.NoError(t, err)
		require.Equal(t, ledger.ReasonRefund, transfers[len(transfers)-1].Reason)
		s.sound()

		// Again, from where it was left, and the whole span once more.
		trail := s.entries()
		s.reconcile(contract.ReconcileTransactionsInput{})
		again := s.reconcile(contract.ReconcileTransactionsInput{From: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)})
		require.Equal(t, want, s.found())
		require.Zero(t, of(t, again, vietnam).Settled)
		require.Equal(t, trail, s.entries(), "nothing is written twice")
	})
}

// entries is how long the audit is.
func (s *shop) entries() int {
	s.t.Helper()
	report, err := s.books.VerifyAudit(s.t.Context(), ledger.AuditEvidence{})
	require.NoError(s.t, err)
	return report.Entries
}

// A payment that came in part or late and is taken back, and is told of by
// nobody, is found by asking and booked back, where the gateway has a history
// and where it has none.
func TestP10WhatWasPaidInPartOrLateAndTakenBackIsBooked(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *shop) {
		move := func(o order.Order, state tarspay.State) {
			_, err := s.gateway.Move(o.Merchant, o.Number, state, "")
			require.NoError(t, err)
		}
		var taken []order.Order
		for _, merchant := range []string{vietnam, pakistan} {
			taken = append(taken, s.settled(order.Deposit, merchant, "part-"+merchant, "partial:30"), s.settled(order.Deposit, merchant, "late-"+merchant, "expire"))
		}
		unheard := s.settled(order.Deposit, vietnam, "unheard", "expire") // paid and taken back between two comparisons
		move(taken[1], tarspay.StateSucceeded)
		move(taken[3], tarspay.StateSucceeded)
		s.pass(lag)
		s.reconcile(contract.ReconcileTransactionsInput{})
		late := []string{codes.DiscrepancyLatePayment + " late-" + pakistan, codes.DiscrepancyLatePayment + " late-" + vietnam}
		require.ElementsMatch(t, late, s.found())

		for _, o := range taken {
			move(o, tarspay.StateRefunded)
		}
		move(unheard, tarspay.StateSucceeded)
		move(unheard, tarspay.StateRefunded)
		s.pass(2 * lag) // the late ones changed when they were compared
		s.reconcile(contract.ReconcileTransactionsInput{})
		for _, o := range append(taken, unheard) {
			row, err := s.books.Order(t.Context(), o.Key())
			require.NoError(t, err)
			require.Equal(t, order.Refunded, row.State, o.Number)
			require.True(t, row.Paid.IsPositive(), o.Number)
		}
		require.ElementsMatch(t, append(late, codes.DiscrepancyLatePayment+" unheard"), s.found())
		for merchant, country := range s.merchant {
			theirs, err := s.clients[merchant].Balance(t.Context())
			require.NoError(t, err)
			profile, _ := tarspay.Country(country)
			ours, err := s.books.Balances(t.Context(), merchant, profile.Currency)
			require.NoError(t, err)
			require.Equal(t, amountOf(t, theirs.Available, country), ours[ledger.AccountAvailable], merchant)
		}
		s.sound()
	})
}
