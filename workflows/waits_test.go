package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// An order behind an open breaker waits for longer than its horizon: it is in
// nobody's review, its merchant's item of the queue counts it, and it is sent by
// itself once the key is mended. Until then it may be cancelled.
func TestAnOrderBehindABreakerOutlastsItsHorizon(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		for _, end := range []order.State{order.Succeeded, order.Cancelled} {
			t.Run(fmt.Sprint(kind, " ", end), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, func(s *activities.Settings) {
					s.BreakerProbe = 5 * time.Minute
					s.WithdrawalHorizon, s.DepositHorizon = 2*time.Hour, 2*time.Hour
				})
				paused := order.Reason{Code: order.CodeGatewayPaused, Text: "5003006"}
				require.NoError(t, w.books.Trip(t.Context(), merchant, paused, 5*time.Minute))
				require.NoError(t, w.gateway.Switch(merchant, "key-expired", true))
				require.NoError(t, w.books.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))
				r := request(t, kind, "success")
				w.RegisterDelayedCallback(func() {
					row, err := w.books.Order(t.Context(), r.Key())
					require.NoError(t, err)
					require.True(t, rules.Unsent(row.State), row.State)
					require.Equal(t, []string{"breaker"}, w.queued(r.Key()))
					require.Contains(t, w.view(t).Next, "sent automatically when calls are accepted again")
					if end == order.Cancelled {
						w.update(t, order.ActionCancel, "", order.Cancellation{By: "amina", Why: "paid by hand"})
						return
					}
					require.NoError(t, w.gateway.Switch(merchant, "key-expired", false))
				}, 30*time.Hour)
				began := w.Now()
				view := w.drive(r)
				require.Equal(t, end, view.State)
				require.Less(t, w.Now().Sub(began), 31*time.Hour)
				w.balanced()
			})
		}
	}
}

// What the gateway refused as it refuses every call was not heard by it, however
// often it was tried: the horizon begins with the create that it may have heard.
func TestTheHorizonBeginsWithTheFirstCreate(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *activities.Settings) { s.WithdrawalHorizon, s.DepositHorizon = 2*time.Hour, 2*time.Hour })
			w.cut = true
			r := request(t, kind, "lost-answer,hidden:100000,stuck")
			require.NoError(t, w.books.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))
			w.RegisterDelayedCallback(func() {
				row, err := w.books.Order(t.Context(), r.Key())
				require.NoError(t, err)
				require.Equal(t, order.Submitting, row.State)
				require.Equal(t, order.CodeGatewayAway, row.Reason.Code)
				require.Equal(t, []string{"unsent"}, w.queued(r.Key()))
				w.cut = false
			}, 10*time.Hour)
			stands := func(state order.State) func() {
				return func() {
					row, err := w.books.Order(t.Context(), r.Key())
					require.NoError(t, err)
					require.Equal(t, state, row.State, row.Reason.Text)
				}
			}
			w.RegisterDelayedCallback(stands(order.Unknown), 11*time.Hour+30*time.Minute)
			w.RegisterDelayedCallback(stands(order.InReview), 12*time.Hour+5*time.Minute)
			w.RegisterDelayedCallback(func() { w.update(t, order.ActionResolve, "", resolution(order.Failed)) }, 13*time.Hour)
			require.Equal(t, order.Failed, w.drive(r).State)
		})
	}
}

// queued is in which ways the queue tells of an order.
func (w *world) queued(key order.Key) []string {
	w.t.Helper()
	items, err := w.books.NeedsPerson(w.t.Context(), time.Hour, 0)
	require.NoError(w.t, err)
	var kinds []string
	for _, item := range items {
		if item.Key == key || item.Key == (order.Key{Merchant: key.Merchant}) {
			kinds = append(kinds, string(item.Kind))
		}
	}
	return kinds
}

func (w *world) view(t *testing.T) order.View {
	t.Helper()
	value, err := w.QueryWorkflow(contract.OrderQuery)
	require.NoError(t, err)
	var view order.View
	require.NoError(t, value.Get(&view))
	return view
}

// waiting makes an order that waits for something, the way it is told about, and
// the end of what held it up.
type waiting struct {
	queue   string
	begin   func(*testing.T, *world, order.Request)
	release func(*testing.T, *world, order.Request)
	end     order.State
	kind    order.Kind // empty: of both kinds
}

// waits are the orders of rules.Waits, by state and what is waited for.
var waits = map[string][]waiting{
	"created the create to be sent":                                      {behindBreaker, unserved()},
	"reserved the create to be sent":                                     {behindBreaker, behindStop, unserved()},
	"submitting the create to be sent":                                   {attempted(behindBreaker), attempted(unreachable), stoppedAfterAnAttempt},
	"awaiting_approval a second person":                                  {{queue: "approval", begin: withBooks(1_000_000)}},
	"awaiting_funds money in the books":                                  {{queue: "funds", begin: withBooks(100)}},
	"awaiting_approval the gateway's answer, when it may have the order": {unasked("approval", 1_000_000, order.Rejected)},
	"awaiting_funds the gateway's answer, when it may have the order":    {unasked("funds", 100, order.Failed)},
	"scheduled its time":                                                 {scheduledBehindBreaker},
	"scheduled the gateway's answer, when it may have the order":         {unasked("unsent", 1_000_000, order.Succeeded)},
	"submitting proof of what became of a create": {{begin: func(t *testing.T, w *world, r order.Request) {
		w.opened(r)
		w.tried(t, r, ledger.Answer{})
		require.NoError(t, w.gateway.Switch(merchant, "outage", true))
	}, release: resolved, end: order.Failed}},
	"unknown proof of what became of a create": {{queue: "unknown", begin: func(t *testing.T, w *world, r order.Request) {
		w.opened(r)
		w.tried(t, r, ledger.Answer{Outcome: ledger.Ambiguous, Reason: order.Reason{Code: order.CodeGatewayUnknown, Text: "no answer"}})
		require.NoError(t, w.gateway.Switch(merchant, "outage", true))
	}, release: resolved, end: order.Failed}},
	"submitted the gateway's decision": {{begin: func(t *testing.T, w *world, r order.Request) {
		w.opened(r)
		w.tried(t, r, ledger.Answer{Outcome: ledger.Accepted, GatewayID: "P1"})
		require.NoError(t, w.gateway.Switch(merchant, "outage", true))
	}, release: resolved, end: order.Failed}},
	"submitting money at the gateway": {{queue: "funds", begin: func(t *testing.T, w *world, r order.Request) {
		w.opened(r)
		_, err := w.gateway.Fund(merchant, "999000", true)
		require.NoError(t, err)
	}}},
	"in_review a person with evidence, or the gateway's decision": {{queue: "review", begin: func(t *testing.T, w *world, r order.Request) {
		w.opened(r)
		w.tried(t, r, ledger.Answer{Outcome: ledger.Accepted, GatewayID: "P1"})
		_, err := w.books.Review(t.Context(), r.Key(), order.Reason{Code: order.CodeNoProof, Text: "no proof"})
		require.NoError(t, err)
	}, release: resolved, end: order.Failed}},
}

var behindBreaker = waiting{
	queue: "breaker", end: order.Succeeded,
	begin: func(t *testing.T, w *world, r order.Request) {
		w.opened(r)
		require.NoError(t, w.books.Trip(t.Context(), merchant, order.Reason{Code: order.CodeGatewayPaused, Text: "5003006"}, time.Minute))
		require.NoError(t, w.gateway.Switch(merchant, "key-expired", true))
	},
	release: func(t *testing.T, w *world, _ order.Request) {
		require.NoError(t, w.gateway.Switch(merchant, "key-expired", false))
	},
}

// scheduledBehindBreaker is an order that its own run opens, so that the gateway need not be
// asked before its time. After its release the breaker holds it back.
var scheduledBehindBreaker = waiting{
	end: order.Succeeded, release: behindBreaker.release,
	begin: func(t *testing.T, w *world, r order.Request) {
		withBooks(1_000_000)(t, w, r)
		require.NoError(t, w.books.Trip(t.Context(), merchant, order.Reason{Code: order.CodeGatewayPaused, Text: "5003006"}, time.Minute))
		require.NoError(t, w.gateway.Switch(merchant, "key-expired", true))
	},
}

var behindStop = waiting{
	queue: "stop", end: order.Succeeded,
	begin: func(t *testing.T, w *world, r order.Request) {
		w.opened(r)
		w.stop(t, order.StopScope{Merchant: merchant})
	},
	release: func(t *testing.T, w *world, _ order.Request) { w.resume(t) },
}

// stoppedAfterAnAttempt is an order that was tried to be sent before the stop.
var stoppedAfterAnAttempt = waiting{
	queue: "stop", end: order.Succeeded, release: behindStop.release, kind: order.Withdrawal,
	begin: func(t *testing.T, w *world, r order.Request) {
		w.opened(r)
		w.tried(t, r, ledger.Answer{Outcome: ledger.Unsent, Reason: order.Reason{Code: order.CodeGatewayAway, Text: "connection refused"}})
		w.stop(t, order.StopScope{Merchant: merchant})
	},
}

// stop stops a scope.
func (w *world) stop(t *testing.T, scope order.StopScope) {
	t.Helper()
	_, refusal, err := w.books.StopPayouts(t.Context(), scope, order.Who{By: "amina", Why: "broken into"})
	require.NoError(t, err)
	require.Nil(t, refusal)
}

// resume ends every stop, by two persons.
func (w *world) resume(t *testing.T) {
	t.Helper()
	stops, err := w.books.Stops(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, stops)
	for _, stop := range stops {
		for _, by := range []string{"bilal", "chen"} {
			_, refusal, err := w.books.ResumePayouts(t.Context(), stop.ID, order.Who{By: by, Why: "all is well"})
			require.NoError(t, err)
			require.Nil(t, refusal)
		}
	}
}

// unserved is an order whose merchant no worker has, for a while.
func unserved() waiting {
	var client *tarspay.Client
	return waiting{
		queue: "unsent", end: order.Succeeded,
		begin: func(_ *testing.T, w *world, r order.Request) {
			w.opened(r)
			client = w.clients[merchant]
			delete(w.clients, merchant)
		},
		release: func(_ *testing.T, w *world, _ order.Request) { w.clients[merchant] = client },
	}
}

// unreachable is an order whose gateway no worker reaches.
var unreachable = waiting{
	queue: "unsent", end: order.Succeeded,
	begin: func(_ *testing.T, w *world, r order.Request) {
		w.opened(r)
		w.cut = true
	},
	release: func(_ *testing.T, w *world, _ order.Request) { w.cut = false },
}

// unasked is an order that is opened under the mark of a restore while the gateway
// is away.
func unasked(queue string, rupees int64, end order.State) waiting {
	return waiting{
		queue: queue, end: end,
		begin: func(t *testing.T, w *world, r order.Request) {
			withBooks(rupees)(t, w, r)
			marked(t, w.books)
			require.NoError(t, w.gateway.Switch(merchant, "outage", true))
		},
		release: func(t *testing.T, w *world, _ order.Request) {
			require.NoError(t, w.gateway.Switch(merchant, "outage", false))
		},
	}
}

// attempted is an order that was tried to be sent.
func attempted(like waiting) waiting {
	begin := like.begin
	like.begin = func(t *testing.T, w *world, r order.Request) {
		begin(t, w, r)
		w.tried(t, r, ledger.Answer{Outcome: ledger.Unsent, Reason: order.Reason{Code: order.CodeGatewayAway, Text: "connection refused"}})
	}
	return like
}

func resolved(t *testing.T, w *world, _ order.Request) {
	w.update(t, order.ActionResolve, "", resolution(order.Failed))
}

// tried writes down what an earlier run has tried.
func (w *world) tried(t *testing.T, r order.Request, answer ledger.Answer) {
	t.Helper()
	begun, err := w.books.NextSubmission(t.Context(), r.Key(), 0)
	require.NoError(t, err)
	if answer.Outcome != "" {
		_, err = w.books.CompleteSubmission(t.Context(), r.Key(), begun.Attempt, answer)
		require.NoError(t, err)
	}
}

// withBooks lets the order's own run open it.
func withBooks(rupees int64) func(*testing.T, *world, order.Request) {
	return func(t *testing.T, w *world, r order.Request) {
		t.Helper()
		require.NoError(t, w.books.OpenBooks(t.Context(), r.Merchant, pkr(rupees), pkr(0)))
	}
}

// Every row of rules.Waits is what happens: the order stands there and is told
// of, it goes on at its deadline, and without one it goes on when what held it up
// is gone.
func TestEveryWaitEnds(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, wait := range rules.Waits {
		if wait.Apart {
			continue
		}
		ways := waits[string(wait.State)+" "+wait.What]
		require.NotEmpty(t, ways, "%s waits for %s", wait.State, wait.What)
		for _, kind := range wait.Kinds {
			for _, way := range ways {
				if way.kind != "" && way.kind != kind {
					continue
				}
				tried++
				t.Run(fmt.Sprint(wait.State, " ", kind, " ", wait.What, " ", way.queue), func(t *testing.T) {
					t.Parallel()
					tryWait(t, wait, kind, way)
				})
			}
		}
	}
	require.Equal(t, 29, tried)
}

func tryWait(t *testing.T, wait rules.Wait, kind order.Kind, way waiting) {
	t.Helper()
	w := newWorld(t, func(s *activities.Settings) {
		s.BreakerProbe, s.WaitForFunds, s.FundsDeadline = time.Hour, true, 24*time.Hour
		s.RetryLadder, s.PollLadder = config.Ladder{time.Minute, time.Hour}, config.Ladder{time.Minute, time.Hour} // days pass
		s.WithdrawalHorizon, s.DepositHorizon = 24*time.Hour, 24*time.Hour
		if wait.State == order.AwaitingApproval {
			policy, err := rules.ParsePolicy([]byte(policyText), "policy.yaml")
			require.NoError(t, err)
			s.Policy = policy
		}
	})
	r := request(t, kind, "success")
	if wait.State == order.Scheduled {
		r.NotBefore = w.Now().Add(20 * time.Hour)
		if wait.Until == "" {
			r.NotBefore = w.Now().Add(30 * time.Minute)
		}
	}
	way.begin(t, w, r)
	stands := func(want order.State) {
		t.Helper()
		row, err := w.books.Order(t.Context(), r.Key())
		require.NoError(t, err)
		require.Equal(t, want, row.State, row.Reason.Text)
	}
	told := func() {
		t.Helper()
		if way.queue != "" {
			require.Contains(t, wait.Queue, way.queue)
			require.Contains(t, w.queued(r.Key()), way.queue)
		}
	}
	w.RegisterDelayedCallback(func() { stands(wait.State); told() }, 2*time.Hour)
	w.RegisterDelayedCallback(func() {
		if wait.Until == "" {
			stands(wait.State)
			told()
		} else {
			stands(wait.Then)
		}
		if way.release != nil {
			way.release(t, w, r)
		}
	}, 80*time.Hour)
	end := way.end
	if way.release == nil {
		end = wait.Then
	}
	require.Equal(t, end, w.drive(r).State)
	require.Empty(t, slices.DeleteFunc(w.queued(r.Key()), func(kind string) bool { return kind == "drift" }))
}

// What the state table refuses is not tried again: the order is answered as
// it stands.
func TestARefusalOfTheTableIsAnswered(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	acts := activities.NewBooks(d.books, activities.Settings{})
	key := d.order("W-1")
	value, err := runActivity(func(ctx context.Context, key order.Key) (order.Standing, error) {
		return acts.Review(ctx, key, order.Reason{Code: order.CodeNoProof})
	}, key)
	require.NoError(t, err)
	var standing order.Standing
	require.NoError(t, value.Get(&standing))
	require.Equal(t, order.Reserved, standing.State, "nothing was sent: there is nothing to review")
}

// An answer that cannot be booked is not asked for again and again: a person has
// to look, and the gateway is asked now and then.
func TestWhatCannotBeBookedRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	settled, books := 0, activities.NewBooks(w.books, activities.Settings{})
	w.OnActivity(books.Settle, mock.Anything, mock.Anything, mock.Anything).Return(
		func(ctx context.Context, key order.Key, finding rules.Finding) (order.Standing, error) {
			if settled++; settled < 10 {
				return order.Standing{State: order.Submitted}, nil
			}
			settlement, err := w.books.Settle(ctx, key, finding)
			return settlement.Order.Standing, err
		})
	r := request(t, order.Withdrawal, "success,silent")
	began := w.Now()
	w.opened(r)
	require.Equal(t, order.Succeeded, w.drive(r).State)
	require.Equal(t, 10, settled)
	require.InDelta(t, 9, w.Now().Sub(began).Hours(), 0.2)
}

// A check of one worker's own ends no order: another worker's profile may let it
// pass. The order is in the queue, and a person may withdraw it.
func TestAWorkersOwnCheckEndsNoOrder(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *activities.Settings) { s.RetryLadder = config.Ladder{time.Minute, time.Hour} })
			r := request(t, kind, "success")
			for i := range 60 { // more than our client sends
				r.Details[fmt.Sprint("more", i)] = "x"
			}
			w.opened(r)
			w.RegisterDelayedCallback(func() {
				row, err := w.books.Order(t.Context(), r.Key())
				require.NoError(t, err)
				require.Equal(t, order.Submitting, row.State)
				require.Equal(t, order.CodeRefusedHere, row.Reason.Code)
				require.Equal(t, []string{"unsent"}, w.queued(r.Key()))
				w.update(t, order.ActionCancel, "", order.Cancellation{By: "amina", Why: "cannot be sent"})
			}, 80*time.Hour)
			require.Equal(t, order.Cancelled, w.drive(r).State)
			require.Empty(t, w.gateway.Book().Orders)
			w.balanced()
		})
	}
}
