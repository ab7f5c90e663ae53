package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

const policyText = `
approval_deadline: 24h
two_person_resolve: true
rules:
  - country: PK
    per_order: {approve_above: "1000", refuse_above: "20000"}
`

// guarded is a world whose orders above 1000 PKR need a second person.
func guarded(t *testing.T) *world {
	t.Helper()
	policy, err := rules.ParsePolicy([]byte(policyText), "policy.yaml")
	require.NoError(t, err)
	return newWorld(t, func(s *activities.Settings) { s.Policy = policy })
}

// requested is an order of 1500 PKR that says who asked for it.
func requested(t *testing.T, kind order.Kind) order.Request {
	t.Helper()
	r := request(t, kind, "success")
	r.RequestedBy = "bilal"
	return r
}

func TestApprovedOrdersArePaid(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := guarded(t)
			r := requested(t, kind)
			w.RegisterDelayedCallback(func() {
				require.Empty(t, w.gateway.Book().Orders, "nothing is sent before it is approved")
				w.update(t, order.ActionApprove, codes.SamePerson, order.Approval{By: " Bilal", Fingerprint: r.Fingerprint()})
				w.update(t, order.ActionApprove, codes.FingerprintMismatch, order.Approval{By: "amina", Fingerprint: "other"})
				w.update(t, order.ActionApprove, order.CodeWhoMissing, order.Approval{Fingerprint: r.Fingerprint()})
			}, time.Hour)
			w.RegisterDelayedCallback(func() {
				w.update(t, order.ActionApprove, "", order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
			}, 2*time.Hour)
			view := w.drive(r)
			require.Equal(t, order.Succeeded, view.State)
			w.paid(outcome{paid: "1500.00", payments: 1, creates: 1})
			w.balanced()
			refused, done := w.audited(r.Key(), "amina")
			require.Equal(t, 1, refused)
			require.Equal(t, 1, done)
		})
	}
}

// audited counts what a person tried on an order, by how it went.
func (w *world) audited(key order.Key, who string) (refused, done int) {
	w.t.Helper()
	trail, err := w.books.Audit(w.t.Context(), key)
	require.NoError(w.t, err)
	for _, entry := range trail {
		switch {
		case entry.Actor != who:
		case entry.Refused:
			refused++
		default:
			done++
		}
	}
	report, err := w.books.VerifyAudit(w.t.Context(), ledger.AuditEvidence{})
	require.NoError(w.t, err)
	require.Empty(w.t, report.Broken)
	return refused, done
}

func TestRejectedOrdersAreNotSent(t *testing.T) {
	t.Parallel()
	w := guarded(t)
	r := requested(t, order.Withdrawal)
	w.RegisterDelayedCallback(func() {
		w.update(t, order.ActionReject, order.CodeWhyMissing, order.Rejection{By: "amina"})
	}, time.Hour)
	w.RegisterDelayedCallback(func() {
		w.update(t, order.ActionReject, "", order.Rejection{By: "amina", Why: "not our supplier"})
	}, 2*time.Hour)
	view := w.drive(r)
	require.Equal(t, order.Rejected, view.State)
	require.Empty(t, w.gateway.Book().Unbooked)
	w.balanced()
}

func TestNobodyApproved(t *testing.T) {
	t.Parallel()
	w := guarded(t)
	began := w.Now()
	view := w.drive(requested(t, order.Withdrawal))
	require.Equal(t, order.Rejected, view.State)
	require.Equal(t, order.CodeApprovalTooLate, view.Reason.Code)
	require.Equal(t, 24*time.Hour, w.Now().Sub(began).Round(time.Minute))
	require.Empty(t, w.gateway.Book().Unbooked)
	w.balanced()
}

func TestHardLimits(t *testing.T) {
	t.Parallel()
	w := guarded(t)
	r := requested(t, order.Withdrawal)
	var err error
	r.Amount, err = order.ParseAmount("20001", "PK")
	require.NoError(t, err)
	view := w.drive(r)
	require.Equal(t, order.Rejected, view.State)
	require.Equal(t, codes.LimitOrder, view.Reason.Code)
}

func TestCancelBeforeAndAfterSubmission(t *testing.T) {
	t.Parallel()
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		w := guarded(t)
		r := requested(t, order.Withdrawal)
		w.RegisterDelayedCallback(func() {
			w.update(t, order.ActionCancel, "", order.Cancellation{By: "bilal", Why: "paid by hand"})
		}, time.Hour)
		view := w.drive(r)
		require.Equal(t, order.Cancelled, view.State)
		require.Empty(t, w.gateway.Book().Unbooked)
		w.balanced()
	})
	t.Run("after", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		r := request(t, order.Withdrawal, "silent-success")
		w.RegisterDelayedCallback(func() {
			w.update(t, order.ActionCancel, order.CodeAlreadySubmitted, order.Cancellation{By: "bilal", Why: "too late"})
		}, time.Second)
		view := w.drive(r)
		require.Equal(t, order.Succeeded, view.State)
		refused, done := w.audited(r.Key(), "bilal")
		require.Equal(t, 1, refused)
		require.Zero(t, done)
	})
}

// short is a world whose ledger knows of too little money.
func short(t *testing.T, r order.Request) *world {
	t.Helper()
	w := newWorld(t, func(s *activities.Settings) { s.WaitForFunds, s.FundsDeadline = true, 48*time.Hour })
	little, err := order.ParseAmount("100", "PK")
	require.NoError(t, err)
	zero, err := order.ParseAmount("0", "PK")
	require.NoError(t, err)
	require.NoError(t, w.books.OpenBooks(t.Context(), r.Merchant, little, zero))
	return w
}

func TestFundsThatCome(t *testing.T) {
	t.Parallel()
	r := request(t, order.Withdrawal, "success")
	w := short(t, r)
	w.RegisterDelayedCallback(func() { w.deposited("D-1", "5000") }, 5*time.Hour)
	view := w.drive(r)
	require.Equal(t, order.Succeeded, view.State)
	w.paid(outcome{paid: "1500.00", payments: 1, creates: 1})
}

// deposited credits the ledger as a deposit that was paid would.
func (w *world) deposited(number, amount string) {
	w.t.Helper()
	d := request(w.t, order.Deposit, "")
	d.Number = number
	var err error
	d.Amount, err = order.ParseAmount(amount, "PK")
	require.NoError(w.t, err)
	_, _, err = w.books.OpenOrder(w.t.Context(), d, ledger.Terms{})
	require.NoError(w.t, err)
	_, err = w.books.NextSubmission(w.t.Context(), d.Key(), 0)
	require.NoError(w.t, err)
	_, err = w.books.Settle(w.t.Context(), d.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Paid, Paid: d.Amount})
	require.NoError(w.t, err)
}

func TestFundsThatDoNotCome(t *testing.T) {
	t.Parallel()
	r := request(t, order.Withdrawal, "success")
	w := short(t, r)
	began := w.Now()
	view := w.drive(r)
	require.Equal(t, order.Failed, view.State)
	require.Equal(t, order.CodeInsufficientFunds, view.Reason.Code)
	require.InDelta(t, 48, w.Now().Sub(began).Hours(), 1)
	require.Empty(t, w.gateway.Book().Unbooked)
}

func TestTwoPersonsResolve(t *testing.T) {
	t.Parallel()
	w := guarded(t)
	r := requested(t, order.Withdrawal)
	r.Details["sandboxScenario"] = "stuck"
	w.RegisterDelayedCallback(func() {
		w.update(t, order.ActionApprove, "", order.Approval{By: "amina", Fingerprint: r.Fingerprint()})
	}, time.Minute)
	w.RegisterDelayedCallback(func() {
		own := resolution(order.Failed)
		own.By = "bilal"
		w.update(t, order.ActionResolve, codes.SamePerson, own)
	}, 79*time.Hour)
	w.RegisterDelayedCallback(func() {
		w.update(t, order.ActionResolve, "", resolution(order.Failed)) // amina proposes
	}, 80*time.Hour)
	w.RegisterDelayedCallback(func() {
		w.update(t, order.ActionResolve, codes.SamePerson, resolution(order.Failed))
	}, 80*time.Hour+time.Minute)
	w.RegisterDelayedCallback(func() {
		row, err := w.books.Order(t.Context(), r.Key())
		require.NoError(t, err)
		require.Equal(t, order.InReview, row.State, "one person is not enough")
		second := resolution(order.Failed)
		second.By = "chen"
		w.update(t, order.ActionResolve, "", second)
	}, 81*time.Hour)
	view := w.drive(r)
	require.Equal(t, order.Failed, view.State)
	require.Equal(t, order.CodeResolved, view.Reason.Code)
}

// A fault of every call trips the merchant's breaker once; other orders are
// held back without being sent, and all go on when a probe is answered.
func TestTheBreakerHoldsEveryOrderBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *activities.Settings) { s.BreakerProbe = 5 * time.Minute })
	reason := order.Reason{Code: order.CodeGatewayPaused, Text: "5003006"}
	require.NoError(t, w.books.Trip(t.Context(), merchant, reason, 5*time.Minute))
	require.NoError(t, w.gateway.Switch(merchant, "key-expired", true))
	r := request(t, order.Withdrawal, "success")
	withBooks(1_000_000)(t, w, r) // its own run opens it: another one would ask first, and hear the refusal
	w.RegisterDelayedCallback(func() {
		submissions, err := w.books.Submissions(t.Context(), r.Key())
		require.NoError(t, err)
		require.Empty(t, submissions, "nothing is sent while the breaker is open")
		require.NoError(t, w.gateway.Switch(merchant, "key-expired", false))
	}, 2*time.Hour)
	view := w.drive(r)
	require.Equal(t, order.Succeeded, view.State)
	w.paid(outcome{paid: "1500.00", payments: 1, creates: 1})
	_, open, err := w.books.Breaker(t.Context(), merchant)
	require.NoError(t, err)
	require.False(t, open)
}

// While payouts are stopped, a withdrawal waits and says why, a deposit goes on, and
// what the gateway has is settled.
func TestAStopHoldsBackWhatIsNotSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind     order.Kind
		scenario string
		stopped  time.Duration // after the start; 0: before it
		holds    bool
	}{
		"a withdrawal waits":           {order.Withdrawal, "success", 0, true},
		"a deposit goes on":            {order.Deposit, "success", 0, false},
		"what was sent before goes on": {order.Withdrawal, "stuck,silent", time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *activities.Settings) { s.BreakerProbe = 5 * time.Minute })
			r := request(t, c.kind, c.scenario)
			withBooks(1_000_000)(t, w, r)
			stop := func() { w.stop(t, order.StopScope{Country: "PK"}) }
			if c.stopped == 0 {
				stop()
			} else {
				w.RegisterDelayedCallback(stop, c.stopped)
				w.RegisterDelayedCallback(func() {
					_, err := w.gateway.Move(merchant, r.Number, tarspay.StateSucceeded, "")
					require.NoError(t, err)
				}, 20*time.Minute)
			}
			w.RegisterDelayedCallback(func() {
				submissions, err := w.books.Submissions(t.Context(), r.Key())
				require.NoError(t, err)
				require.Empty(t, submissions)
				require.Contains(t, w.view(t).Next, "Payouts are stopped: amina stopped country PK: broken into")
				w.resume(t)
			}, 2*time.Hour)
			began := w.Now()
			require.Equal(t, order.Succeeded, w.drive(r).State)
			require.Equal(t, c.holds, w.Now().Sub(began) >= 2*time.Hour)
			w.paid(outcome{paid: "1500.00", payments: 1, creates: 1})
		})
	}
}

// A gateway may refuse creates only. The query of a probe is then answered, and the
// breaker stays open all the same: an outage has one beginning. Each probe is one create.
func TestAnOutageOfCreatesIsOneOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *activities.Settings) { s.BreakerProbe = 5 * time.Minute })
	r := request(t, order.Withdrawal, "key-expired")
	require.NoError(t, w.books.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))
	began := w.Now()
	w.RegisterDelayedCallback(func() {
		breaker, open, err := w.books.Breaker(t.Context(), merchant)
		require.NoError(t, err)
		require.True(t, open)
		require.Less(t, breaker.Since.Sub(began), time.Minute)
		submissions, err := w.books.Submissions(t.Context(), r.Key())
		require.NoError(t, err)
		require.Greater(t, len(submissions), 2, "it is probed")
		for i, submission := range submissions {
			require.Equal(t, ledger.Paused, submission.Outcome)
			if i > 0 {
				require.GreaterOrEqual(t, submission.StartedAt.Sub(submissions[i-1].StartedAt), 5*time.Minute)
			}
		}
		w.update(t, order.ActionCancel, "", order.Cancellation{By: "amina", Why: "paid by hand"})
	}, 2*time.Hour+2*time.Minute) // between two probes
	require.Equal(t, order.Cancelled, w.drive(r).State)
	trail, err := w.books.Audit(t.Context(), order.Key{Merchant: merchant})
	require.NoError(t, err)
	trips := 0
	for _, e := range trail {
		require.NotEqual(t, ledger.ActionReset, e.Action)
		if e.Action == ledger.ActionTrip {
			trips++
		}
	}
	require.Equal(t, 1, trips)
	w.balanced()
}

// Without a workflow an action is refused all the same, and leaves its trace.
func TestActionsWithoutAWorkflow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ghost := order.Key{Merchant: merchant, Number: "NO-SUCH-ORDER"}
	w.TestWorkflowEnvironment.ExecuteWorkflow(contract.OperatorActionType, contract.OperatorActionInput{
		Key: ghost, Action: contract.Action{Action: order.Cancellation{By: "amina", Why: "mistake"}},
	})
	require.NoError(t, w.GetWorkflowError())
	var acted contract.Acted
	require.NoError(t, w.GetWorkflowResult(&acted))
	require.Equal(t, order.CodeOrderNotFound, acted.Refusal.Code)
	refused, _ := w.audited(ghost, "amina")
	require.Equal(t, 1, refused)
}
