package workflows_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// restore puts an older copy in the place of the ledger, also for workflows that
// run: the merchant's books as they were opened, and what the copy knows.
func (w *world) restore(t *testing.T, known func(*ledger.Ledger)) {
	t.Helper()
	older, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "older.db"))
	require.NoError(t, err)
	require.NoError(t, older.Migrate(t.Context()))
	older.SetClock(w.Now)
	require.NoError(t, older.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))
	known(older)
	*w.books, *older = *older, *w.books
	t.Cleanup(func() { require.NoError(t, older.Close()) })
}

func marked(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	_, refusal, err := l.MarkRestored(t.Context(), order.Who{By: "amina", Why: "the disk broke; copy of last night"})
	require.NoError(t, err)
	require.Nil(t, refusal)
}

// An order was approved, sent and paid after the copy was taken. With a gateway
// that takes a number twice, the first create after the restore asks first, and
// the order is paid once.
func TestAnOlderCopyOfTheLedgerPaysOnce(t *testing.T) {
	t.Parallel()
	approve := func(w *world, r order.Request, after time.Duration) {
		w.RegisterDelayedCallback(func() {
			w.update(w.t, order.ActionApprove, "", order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
		}, after)
	}
	policy, err := rules.ParsePolicy([]byte(policyText), "policy.yaml")
	require.NoError(t, err)
	for name, known := range map[string]func(*testing.T, *ledger.Ledger, order.Request){
		"adopted, then approved": func(t *testing.T, l *ledger.Ledger, r order.Request) {
			_, opening, err := l.OpenOrder(t.Context(), r, ledger.Terms{Policy: policy, Run: "the run before"})
			require.NoError(t, err)
			require.Equal(t, ledger.Opened, opening)
		},
		"adopted, with nothing to approve": func(t *testing.T, l *ledger.Ledger, r order.Request) {
			_, opening, err := l.OpenOrder(t.Context(), r, ledger.Terms{Run: "the run before"})
			require.NoError(t, err)
			require.Equal(t, ledger.Opened, opening)
		},
		"asked for again, forgotten by Temporal": func(t *testing.T, l *ledger.Ledger, _ order.Request) { marked(t, l) },
		"written anew from its workflow": func(t *testing.T, l *ledger.Ledger, r order.Request) {
			_, opening, err := l.OpenOrder(t.Context(), r, ledger.Terms{Policy: policy, AskFirst: true})
			require.NoError(t, err)
			require.Equal(t, ledger.Opened, opening)
		},
	} {
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			t.Run(name+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				w := guarded(t)
				require.NoError(t, w.gateway.Switch(merchant, "no-duplicate-guard", true))
				r := requested(t, kind)
				approve(w, r, time.Minute)
				require.Equal(t, order.Succeeded, w.drive(r).State)

				w = w.again()
				w.restore(t, func(l *ledger.Ledger) { known(t, l, r) })
				require.Equal(t, order.Succeeded, w.drive(r).State, "nobody approves it again: the gateway has it")
				require.Len(t, w.gateway.Book().Orders, 1)
				w.balanced()
				row, err := w.books.Order(t.Context(), r.Key())
				require.NoError(t, err)
				attempts, err := w.books.Submissions(t.Context(), row.Key())
				require.NoError(t, err)
				require.Len(t, attempts, 1)
				require.Equal(t, codes.Found, attempts[0].Reason.Code)
			})
		}
	}
}

// A workflow that goes on while an older copy is restored takes over where that
// has the order, and nothing is sent twice.
func TestAnOlderCopyUnderARunningWorkflow(t *testing.T) {
	t.Parallel()
	policy, err := rules.ParsePolicy([]byte(policyText), "policy.yaml")
	require.NoError(t, err)
	for name, terms := range map[string]ledger.Terms{"not yet approved": {Policy: policy}, "not yet sent": {}} {
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			for _, scenario := range []string{"stuck", "lost-answer,hidden:1,stuck"} {
				t.Run(fmt.Sprint(name, " ", kind, " ", scenario), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t)
					require.NoError(t, w.gateway.Switch(merchant, "no-duplicate-guard", true))
					require.NoError(t, w.books.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))
					r := requested(t, kind)
					r.Details["sandboxScenario"] = scenario
					w.RegisterDelayedCallback(func() {
						w.restore(t, func(l *ledger.Ledger) {
							_, opening, err := l.OpenOrder(t.Context(), r, terms)
							require.NoError(t, err)
							require.Equal(t, ledger.Opened, opening)
							marked(t, l)
						})
					}, 30*time.Second)
					w.RegisterDelayedCallback(func() {
						_, err := w.gateway.Move(merchant, r.Number, tarspay.StateSucceeded, "")
						require.NoError(t, err)
					}, 3*time.Hour)
					require.Equal(t, order.Succeeded, w.drive(r).State)
					require.Len(t, w.gateway.Book().Orders, 1)
					w.balanced()
				})
			}
		}
	}
}

// What the gateway has under the number may be another order: then a person
// looks, and nothing is sent.
func TestAFoundOrderThatDoesNotFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.gateway.Switch(merchant, "no-duplicate-guard", true))
	r := request(t, order.Withdrawal, "stuck")
	w.RegisterDelayedCallback(func() {
		_, err := w.gateway.Move(merchant, r.Number, tarspay.StateSucceeded, "")
		require.NoError(t, err)
	}, time.Hour)
	require.Equal(t, order.Succeeded, w.drive(r).State)

	w = w.again()
	w.restore(t, func(l *ledger.Ledger) { marked(t, l) })
	other := request(t, order.Withdrawal, "success")
	other.Amount = pkr(1600)
	w.RegisterDelayedCallback(func() {
		row, err := w.books.Order(t.Context(), other.Key())
		require.NoError(t, err)
		require.Equal(t, order.InReview, row.State)
		require.Equal(t, codes.Mismatch, row.Reason.Code)
		w.update(t, order.ActionResolve, "", resolution(order.Failed))
	}, time.Hour)
	require.Equal(t, order.Failed, w.drive(other).State)
	require.Len(t, w.gateway.Book().Orders, 1)
}

// An order that waits for an approval or for funds may be at the gateway all the
// same, when the ledger is an older copy: neither a person nor a deadline ends it
// before the gateway was asked.
func TestNothingIsEndedUnasked(t *testing.T) {
	t.Parallel()
	policy, err := rules.ParsePolicy([]byte(policyText), "policy.yaml")
	require.NoError(t, err)
	opened := func(w *world, r order.Request, terms ledger.Terms) {
		w.restore(w.t, func(l *ledger.Ledger) {
			_, opening, err := l.OpenOrder(w.t.Context(), r, terms)
			require.NoError(w.t, err)
			require.Equal(w.t, ledger.Opened, opening)
			marked(w.t, l)
		})
	}
	large := func(t *testing.T) order.Request {
		r := requested(t, order.Withdrawal)
		r.Amount = pkr(2_000_000)
		return r
	}
	t.Run("by a person", func(t *testing.T) {
		t.Parallel()
		w := guarded(t)
		r := requested(t, order.Withdrawal)
		opened(w, r, ledger.Terms{Policy: policy, Run: "the run before"})
		w.RegisterDelayedCallback(func() {
			w.update(t, order.ActionReject, order.CodeAlreadySubmitted, order.Rejection{By: "amina", Why: "not ours"})
			w.update(t, order.ActionCancel, order.CodeAlreadySubmitted, order.Cancellation{By: "amina", Why: "not ours"})
		}, time.Second)
		w.RegisterDelayedCallback(func() {
			w.update(t, order.ActionReject, "", order.Rejection{By: "amina", Why: "not ours"})
		}, 12*time.Hour)
		require.Equal(t, order.Rejected, w.drive(r).State)
		require.Empty(t, w.gateway.Book().Orders)
	})
	for name, test := range map[string]struct {
		request func(*testing.T) order.Request
		terms   ledger.Terms
		ends    order.State
	}{
		"by the deadline of its approval": {
			func(t *testing.T) order.Request { return requested(t, order.Withdrawal) }, ledger.Terms{Policy: policy, Run: "the run before"}, order.Rejected,
		},
		"by the deadline of its funds": {
			large, ledger.Terms{WaitForFunds: true, FundsDeadline: time.Minute, Horizon: time.Hour, Run: "the run before"}, order.Failed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := guarded(t)
			r := test.request(t)
			opened(w, r, test.terms)
			require.NoError(t, w.gateway.Switch(merchant, "outage", true))
			const silence = 30 * time.Hour
			w.RegisterDelayedCallback(func() {
				row, err := w.books.Order(t.Context(), r.Key())
				require.NoError(t, err)
				require.True(t, rules.Unasked(row), row.State)
				require.NoError(t, w.gateway.Switch(merchant, "outage", false))
			}, silence)
			begun := w.Now()
			require.Equal(t, test.ends, w.drive(r).State)
			require.Greater(t, w.Now().Sub(begun), silence)
			require.Empty(t, w.gateway.Book().Orders)
		})
	}
}
