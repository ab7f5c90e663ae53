package workflows_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// aWeek is how far ahead the orders of these tests are scheduled.
const aWeek = 7 * 24 * time.Hour

// scheduled is an order that is to be sent in a week.
func (w *world) scheduled(t *testing.T, kind order.Kind, scenario string) order.Request {
	t.Helper()
	r := request(t, kind, scenario)
	r.RequestedBy, r.NotBefore = "bilal", w.Now().Add(aWeek)
	require.NoError(t, w.books.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))
	return r
}

// unsentAt demands that the order is scheduled at a time, and that the gateway has heard
// nothing of it.
func (w *world) unsentAt(t *testing.T, r order.Request, after time.Duration) {
	t.Helper()
	w.RegisterDelayedCallback(func() {
		row, err := w.books.Order(t.Context(), r.Key())
		require.NoError(t, err)
		require.Equal(t, order.Scheduled, row.State, after)
		require.Equal(t, order.Scheduled, w.view(t).State)
		book := w.gateway.Book()
		require.Empty(t, book.Orders)
		require.Empty(t, book.Unbooked)
	}, after)
}

// firstAttempt is when the ledger began the order's first create.
func (w *world) firstAttempt(t *testing.T, r order.Request) time.Time {
	t.Helper()
	attempts, err := w.books.Submissions(t.Context(), r.Key())
	require.NoError(t, err)
	require.Len(t, attempts, 1)
	return attempts[0].StartedAt
}

// No message shortens the wait: signals, queries and updates wake the workflow, and it goes
// on waiting.
func TestNothingIsSentBeforeItsTime(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.scheduled(t, kind, "success")
			w.RegisterDelayedCallback(func() {
				view := w.view(t)
				require.Equal(t, order.Scheduled, view.State)
				require.True(t, r.NotBefore.Equal(view.NotBefore))
				require.Contains(t, view.Next, "Waits for its time")
				w.update(t, order.ActionPoll, codes.NotSubmitted, order.Poll{By: "amina"})
				w.update(t, order.ActionNote, "", order.Note{By: "amina", Text: "for the holidays"})
				w.update(t, order.ActionApprove, codes.NotAwaitingApproval, order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
				w.TestWorkflowEnvironment.SignalWorkflow(contract.CallbackSignal, contract.CallbackSignalInput{ID: strings.Repeat("ab", 32)})
				w.TestWorkflowEnvironment.SignalWorkflow("hurry", "now")
			}, time.Hour)
			w.RegisterDelayedCallback(w.CancelWorkflow, 2*time.Hour)
			for _, after := range []time.Duration{time.Hour + time.Minute, 3 * 24 * time.Hour, aWeek - time.Second} {
				w.unsentAt(t, r, after)
			}
			require.Equal(t, order.Succeeded, w.drive(r).State)
			require.False(t, w.firstAttempt(t, r).Before(r.NotBefore))
			require.Less(t, w.firstAttempt(t, r).Sub(r.NotBefore), time.Minute)
			w.paid(outcome{paid: "1500.00", payments: 1, creates: 1})
			w.balanced()
			codesOf := make(map[string]bool)
			trail, err := w.books.Audit(t.Context(), r.Key())
			require.NoError(t, err)
			for _, entry := range trail {
				codesOf[entry.Reason.Code] = true
			}
			require.True(t, codesOf[codes.CallbackUnknown], "the signal was looked at while the order waited")
		})
	}
}

// The ledger's clock decides. A timer of Temporal that ends early asks again.
func TestTheLedgersClockReleases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.scheduled(t, order.Withdrawal, "success")
	const behind = 90 * time.Minute
	w.clock.Store(func() time.Time { return w.Now().Add(-behind) })
	w.RegisterDelayedCallback(func() {
		// What remains was told by the ledger's clock, so the clock is set back once more.
		w.clock.Store(func() time.Time { return w.Now().Add(-2 * behind) })
	}, time.Hour)
	w.unsentAt(t, r, aWeek+time.Minute)
	w.unsentAt(t, r, aWeek+2*behind-time.Minute)
	require.Equal(t, order.Succeeded, w.drive(r).State)
	require.False(t, w.firstAttempt(t, r).Before(r.NotBefore))
	w.paid(outcome{paid: "1500.00", payments: 1, creates: 1})
}

func TestCancelWhileScheduled(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.scheduled(t, kind, "success")
			w.RegisterDelayedCallback(func() {
				w.update(t, order.ActionCancel, "", order.Cancellation{By: "amina", Why: "not needed"})
			}, time.Hour)
			began := w.Now()
			require.Equal(t, order.Cancelled, w.drive(r).State)
			require.Less(t, w.Now().Sub(began), 2*time.Hour)
			require.Empty(t, w.gateway.Book().Orders)
			w.balanced()
		})
	}
}

// An approval is asked for at once. It may come before the order's time or after it.
func TestApproveAScheduledOrder(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{time.Hour, aWeek + time.Hour} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *activities.Settings) {
				policy, err := rules.ParsePolicy([]byte(strings.Replace(policyText, "24h", "400h", 1)), "policy.yaml")
				require.NoError(t, err)
				s.Policy = policy
			})
			r := w.scheduled(t, order.Withdrawal, "success")
			w.RegisterDelayedCallback(func() {
				require.Equal(t, order.AwaitingApproval, w.view(t).State)
				w.update(t, order.ActionApprove, "", order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
			}, after)
			if after < aWeek {
				w.unsentAt(t, r, aWeek-time.Minute)
			}
			require.Equal(t, order.Succeeded, w.drive(r).State)
			require.False(t, w.firstAttempt(t, r).Before(r.NotBefore.Add(max(after-aWeek, 0))))
			w.paid(outcome{paid: "1500.00", payments: 1, creates: 1})
			w.balanced()
		})
	}
}

// Another order has the funds at the order's time: it waits for funds, and the deadline
// counts from the release.
func TestFundsOfAScheduledOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *activities.Settings) { s.WaitForFunds, s.FundsDeadline = true, 24*time.Hour })
	r := w.scheduled(t, order.Withdrawal, "success")
	w.RegisterDelayedCallback(func() {
		other := request(t, order.Withdrawal, "success")
		other.Number, other.Amount = "W-2", pkr(999_000)
		_, opening, err := w.books.OpenOrder(t.Context(), other, ledger.Terms{})
		require.NoError(t, err)
		require.Equal(t, ledger.Opened, opening)
	}, aWeek-time.Hour)
	w.RegisterDelayedCallback(func() { require.Equal(t, order.AwaitingFunds, w.view(t).State) }, aWeek+23*time.Hour)
	view := w.drive(r)
	require.Equal(t, order.Failed, view.State)
	require.Equal(t, order.CodeInsufficientFunds, view.Reason.Code)
	require.Empty(t, w.gateway.Book().Orders)
}

// An older copy of the ledger that was restored has a scheduled order that was sent and paid
// since. It is found, and paid once.
func TestAnOlderCopyHasAScheduledOrder(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			require.NoError(t, w.gateway.Switch(merchant, "no-duplicate-guard", true))
			r := w.scheduled(t, kind, "success")
			began := w.Now()
			require.Equal(t, order.Succeeded, w.drive(r).State)

			w = w.again()
			w.restore(t, func(l *ledger.Ledger) {
				w.clock.Store(func() time.Time { return began })
				_, opening, err := l.OpenOrder(t.Context(), r, ledger.Terms{Run: "the run before"})
				require.NoError(t, err)
				require.Equal(t, ledger.Opened, opening)
				w.clock.Store(w.Now)
			})
			require.Equal(t, order.Succeeded, w.drive(r).State)
			require.Len(t, w.gateway.Book().Orders, 1)
			w.balanced()
			attempts, err := w.books.Submissions(t.Context(), r.Key())
			require.NoError(t, err)
			require.Len(t, attempts, 1)
			require.Equal(t, codes.Found, attempts[0].Reason.Code)
		})
	}
}
