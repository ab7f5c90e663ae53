package workflows_test

import (
	"context"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// fault is how an activity goes wrong, and for how long.
type fault struct {
	calls int           // so often; 0: for the time
	lasts time.Duration // from the first call on
	fail  func() error
}

// faults are all the ways in which an activity may end that is not an answer.
var faults = map[string]fault{
	"error":         {calls: 3, fail: func() error { return errors.New("the database is away") }},
	"long":          {lasts: 3 * time.Hour, fail: func() error { return errors.New("the database is away") }},
	"not retryable": {calls: 2, fail: func() error { return temporal.NewNonRetryableApplicationError("no", "SOMETHING", nil) }},
	"row missing": {calls: 2, fail: func() error {
		return temporal.NewNonRetryableApplicationError("no", codes.RowMissing, nil)
	}},
	"cancelled": {calls: 2, fail: func() error { return temporal.NewCanceledError() }},
	"panic":     {calls: 2, fail: func() error { panic("a mistake of ours") }},
}

// life is a story of an order, in which activities are called.
type life struct {
	world  func(*testing.T) *world
	kind   order.Kind
	amount string
	script string // the sandbox's
	state  order.State
	ahead  time.Duration // how far ahead it is scheduled; 0: not
	live   func(*testing.T, *world)
}

// plain is a world whose orders are soon out of patience.
func plain(t *testing.T) *world {
	return newWorld(t, func(s *activities.Settings) { s.WithdrawalHorizon, s.DepositHorizon = 2*time.Hour, 2*time.Hour })
}

// patient is a world in which withdrawals wait for funds.
func patient(t *testing.T) *world {
	return newWorld(t, func(s *activities.Settings) { s.WaitForFunds, s.FundsDeadline = true, time.Hour })
}

// elsewhere is a world whose worker lacks what another one has.
func elsewhere(t *testing.T) *world {
	w := plain(t)
	lacks := activities.Opened{Elsewhere: order.Reason{Code: codes.OtherWorker, Text: "a worker lacks it"}}
	w.OnActivity("Open", mock.Anything, mock.Anything).Return(lacks, nil)
	return w
}

// opened is a world whose merchant's books are open.
func opened(t *testing.T) *world {
	w := plain(t)
	whole, err := order.ParseAmount(balance, "PK")
	require.NoError(t, err)
	zero, err := order.ParseAmount("0", "PK")
	require.NoError(t, err)
	require.NoError(t, w.books.OpenBooks(t.Context(), merchant, whole, zero))
	return w
}

// lives call every activity that drives an order, together.
var lives = []life{
	{world: plain, kind: order.Withdrawal, script: "success", state: order.Succeeded},
	{world: plain, kind: order.Deposit, script: "silent-success", state: order.Succeeded},
	{world: plain, kind: order.Withdrawal, script: "success", ahead: 30 * 24 * time.Hour, state: order.Succeeded},
	{world: plain, kind: order.Withdrawal, script: "lost-answer", state: order.Succeeded},
	{world: guarded, kind: order.Withdrawal, script: "success", state: order.Rejected},
	{world: patient, kind: order.Withdrawal, amount: "10000000", script: "success", state: order.Failed},
	{world: elsewhere, kind: order.Withdrawal, script: "success", state: order.Succeeded},
	{world: opened, kind: order.Withdrawal, amount: "0", script: "success", state: order.Rejected},
	{world: patient, kind: order.Withdrawal, script: "balance-short", state: order.Failed},
	{world: plain, kind: order.Withdrawal, script: "stuck", state: order.Succeeded, live: func(t *testing.T, w *world) {
		r := request(t, order.Withdrawal, "stuck")
		r.RequestedBy = "bilal"
		w.RegisterDelayedCallback(func() {
			w.restore(t, func(l *ledger.Ledger) {
				_, _, err := l.OpenOrder(t.Context(), r, ledger.Terms{Horizon: 2 * time.Hour})
				require.NoError(t, err)
				marked(t, l)
			})
		}, 30*time.Second)
		w.RegisterDelayedCallback(func() {
			_, err := w.gateway.Move(merchant, r.Number, tarspay.StateSucceeded, "")
			require.NoError(t, err)
		}, time.Hour)
	}},
	{world: guarded, kind: order.Withdrawal, script: "success", state: order.Rejected, live: func(t *testing.T, w *world) {
		w.restore(t, func(l *ledger.Ledger) { marked(t, l) })
	}},
	{world: plain, kind: order.Withdrawal, script: "stuck,silent", state: order.Failed, live: func(t *testing.T, w *world) {
		w.RegisterDelayedCallback(func() {
			w.TestWorkflowEnvironment.SignalWorkflow("no such signal", nil)
		}, time.Hour)
		for _, at := range []time.Duration{10 * time.Hour, 11 * time.Hour, 14 * time.Hour} { // the first two may hit the fault
			w.RegisterDelayedCallback(func() {
				w.UpdateWorkflow(order.ActionResolve, at.String(), &updateResult{
					accepted: func() {}, rejected: func(error) {}, completed: func(any, error) {},
				}, resolution(order.Failed))
			}, at)
		}
	}},
}

// saboteur makes one activity go wrong, and notes all that are called.
type saboteur struct {
	interceptor.WorkerInterceptorBase
	now    func() time.Time
	called string
	fault  fault

	mutex sync.Mutex
	calls []string // names, in turn
	since time.Time
	hits  int
}

func (s *saboteur) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &sabotage{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, by: s}
}

type sabotage struct {
	interceptor.ActivityInboundInterceptorBase
	by *saboteur
}

func (s *sabotage) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	if s.by.hit(activity.GetInfo(ctx).ActivityType.Name) {
		return nil, s.by.fault.fail()
	}
	return s.Next.ExecuteActivity(ctx, in)
}

// sabotaged lets a saboteur into the world.
func (w *world) sabotaged(by *saboteur) {
	w.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{by}})
}

func (s *saboteur) hit(name string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.calls = append(s.calls, name)
	if name != s.called {
		return false
	}
	if s.hits == 0 {
		s.since = s.now()
	}
	s.hits++
	if s.fault.lasts > 0 {
		return s.now().Sub(s.since) < s.fault.lasts
	}
	return s.hits <= s.fault.calls
}

// lived runs a life with a fault in one activity ("" in none), and says which
// activities it called.
func (l life) lived(t *testing.T, called string, f fault) []string {
	t.Helper()
	w := l.world(t)
	spoils := &saboteur{now: w.Now, called: called, fault: f}
	w.sabotaged(spoils)
	r := request(t, l.kind, l.script)
	r.RequestedBy = "bilal"
	if l.amount != "" {
		var err error
		r.Amount, err = order.ParseAmount(l.amount, "PK")
		require.NoError(t, err)
	}
	if l.ahead > 0 {
		r.NotBefore = w.Now().Add(l.ahead)
	}
	if l.live != nil {
		l.live(t, w)
	}
	require.Equal(t, l.state, w.drive(r).State)
	w.balanced()
	if called != "" {
		require.Positive(t, spoils.hits)
	}
	return spoils.calls
}

// Whatever goes wrong in an activity, and however, the order goes on when it is
// over, and ends where it would have ended.
func TestNothingFailsAnOrder(t *testing.T) {
	t.Parallel()
	tried := []string{}
	for i, l := range lives {
		for _, name := range l.lived(t, "", fault{}) {
			if slices.Contains(tried, name) {
				continue
			}
			tried = append(tried, name)
			for what, f := range faults {
				t.Run(name+"/"+what+"/"+strconv.Itoa(i), func(t *testing.T) {
					t.Parallel()
					l.lived(t, name, f)
				})
			}
		}
	}
	apart := []string{ // which no order's workflow calls
		"Confirm", "Unconfirmed", "FindOrphans", "FindUnwritten", "Merchants", "TakeSnapshot", "AskAboutEnded", "PlanTransactions", "MarkTransactions",
		"ReportUnmatched", "CountFindings", "ReadHistory", "CheckpointAudit",
		"StoreBatchPage", "ReadyBatch", "StepBatch", // of a batch; see batch_test.go
		"StoreStatementPage", "ReadyStatement", "MatchStatement", // of a statement; see statement_test.go
		"ActOnBooks",    // see TestNothingFailsABookAction
		"OpenElsewhere", // see TestWhatAWorkerLacksAnotherOneDoes
	}
	for _, of := range []any{&activities.Books{}, &activities.Gateway{}} {
		for i := range reflect.TypeOf(of).NumMethod() {
			if name := reflect.TypeOf(of).Method(i).Name; !slices.Contains(apart, name) {
				require.Contains(t, tried, name, "no life calls it")
			}
		}
	}
}

// A balance that is no amount which can be held waits for a person, and the
// order goes on by itself once it is one.
func TestAnOpeningBalanceThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		for _, written := range []string{"1000000.001", "1,000,000.00", "1.0e6", "1e6", "ten", "99999999999999999999"} {
			t.Run(string(kind)+"/"+written, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				mended := false
				figure := regexp.MustCompile(`("availableAmount": *)"[^"]*"`)
				w.garble = func(path string, answer []byte) []byte {
					if mended || path != tarspay.PathBalance {
						return answer
					}
					require.Regexp(t, figure, string(answer))
					return figure.ReplaceAll(answer, []byte(`${1}"`+written+`"`))
				}
				r := request(t, kind, "success")
				for _, at := range []time.Duration{time.Minute, 2 * time.Hour} {
					w.RegisterDelayedCallback(func() {
						value, err := w.QueryWorkflow(contract.OrderQuery)
						require.NoError(t, err)
						var view order.View
						require.NoError(t, value.Get(&view))
						require.Contains(t, view.Next, "the gateway's balance of merchant M1700000001 (available) cannot be read")
						queue, err := w.books.NeedsPerson(t.Context(), time.Minute, 0)
						require.NoError(t, err)
						require.Len(t, queue, 1)
						require.Equal(t, codes.DiscrepancyBalance, queue[0].Code)
						require.Equal(t, order.Key{Merchant: merchant}, queue[0].Key)
						require.NotContains(t, queue[0].Discrepancy.Detail, written)
					}, at)
				}
				w.RegisterDelayedCallback(func() { mended = true }, 3*time.Hour)
				require.Equal(t, order.Succeeded, w.drive(r).State)
				w.balanced()
			})
		}
	}
}

// A merchant whose first balance query the gateway refuses, because of its key, is in the
// queue. Its order says what it waits for, and goes on by itself once the key is known.
func TestAMerchantThatTheGatewayRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mended := false
	w.garble = func(path string, answer []byte) []byte {
		if mended || path != tarspay.PathBalance {
			return answer
		}
		return []byte(`{"code":5003005,"msg":"merchant API key does not exist","data":null}`)
	}
	w.RegisterDelayedCallback(func() {
		value, err := w.QueryWorkflow(contract.OrderQuery)
		require.NoError(t, err)
		var view order.View
		require.NoError(t, value.Get(&view))
		require.Equal(t, codes.BooksClosed, view.Reason.Code)
		queue, err := w.books.NeedsPerson(t.Context(), time.Minute, 0)
		require.NoError(t, err)
		require.Len(t, queue, 1)
		require.Equal(t, ledger.QueueBreaker, queue[0].Kind)
		require.Contains(t, queue[0].Breaker.Reason.Text, "5003005")
		mended = true
	}, time.Hour)
	view := w.drive(request(t, order.Withdrawal, "success"))
	require.Equal(t, order.Succeeded, view.State)
	require.Empty(t, view.Reason.Code)
	breakers, err := w.books.Breakers(t.Context())
	require.NoError(t, err)
	require.Empty(t, breakers, "the create was not refused")
	w.balanced()
}

// An order whose row is gone from the ledger, as after an older copy of it was
// restored, says so and waits; it goes on by itself when the row is there.
func TestARowThatIsGoneAndComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	spoils := &saboteur{now: w.Now, called: "Settle", fault: fault{lasts: 6 * time.Hour, fail: faults["row missing"].fail}}
	w.sabotaged(spoils)
	needs := map[bool]int{}
	w.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
		if is, set := args.Get(0).(temporal.SearchAttributes).GetBool(contract.AttributeNeedsReview); set {
			needs[is]++
		}
	})
	w.RegisterDelayedCallback(func() {
		value, err := w.QueryWorkflow(contract.OrderQuery)
		require.NoError(t, err)
		var view order.View
		require.NoError(t, value.Get(&view))
		require.Contains(t, view.Next, "the ledger has no row of the order")
		require.Equal(t, 1, needs[true], "an operator can search for it")
	}, 3*time.Hour)
	require.Equal(t, order.Succeeded, w.drive(request(t, order.Withdrawal, "silent-success")).State)
	require.Equal(t, 1, needs[true], "said once, however often it is tried")
}
