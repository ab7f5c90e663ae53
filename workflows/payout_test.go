package workflows_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// outcome is what an order must come to, in our books and in the gateway's.
type outcome struct {
	kind     order.Kind
	scenario string
	state    order.State
	reason   string // code
	paid     string // by the gateway's book, in PKR
	payments int    // times that money moved at the gateway
	creates  int    // creates that the gateway received
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	w, d := order.Withdrawal, order.Deposit
	outcomes := []outcome{
		{w, "success", order.Succeeded, "", "1500.00", 1, 1},
		{w, "silent-success", order.Succeeded, "", "1500.00", 1, 1},
		{w, "fail", order.Failed, order.CodeGatewayFailed, "0.00", 0, 1},
		{w, "silent-fail", order.Failed, order.CodeGatewayFailed, "0.00", 0, 1},
		{w, "reject", order.Failed, order.CodeGatewayFailed, "0.00", 0, 1},
		{w, "refuse", order.Failed, order.CodeGatewayRefused, "", 0, 1},
		{w, "refuse:5003012", order.Failed, order.CodeGatewayRefused, "", 0, 1},
		{w, "balance-short", order.Failed, order.CodeGatewayShort, "", 0, 1},
		{w, "lost-answer", order.Succeeded, "", "1500.00", 1, 1},
		{w, "lost-answer,silent-success", order.Succeeded, "", "1500.00", 1, 1},
		{w, "lost-answer,fail", order.Failed, order.CodeGatewayFailed, "0.00", 0, 1},
		{w, "lost-request", order.Succeeded, "", "1500.00", 1, 2},
		{w, "lost-request:3", order.Succeeded, "", "1500.00", 1, 4},
		{w, "slow-answer", order.Succeeded, "", "1500.00", 1, 1},
		{w, "late-booking", order.Succeeded, "", "1500.00", 1, 1},
		{w, "system-error", order.Succeeded, "", "1500.00", 1, 1},
		{w, "system-error-unbooked", order.Succeeded, "", "1500.00", 1, 2},
		{w, "channel-error", order.Succeeded, "", "1500.00", 1, 1},
		{w, "channel-error-unbooked", order.Succeeded, "", "1500.00", 1, 2},
		{w, "status-error", order.Succeeded, "", "1500.00", 1, 1},
		{w, "status-error-unbooked", order.Succeeded, "", "1500.00", 1, 2},
		{w, "remote-error", order.Succeeded, "", "1500.00", 1, 1},
		{w, "exists-answer", order.Succeeded, "", "1500.00", 1, 1},
		{w, "unknown-code", order.Succeeded, "", "1500.00", 1, 1},
		{w, "http-429", order.Succeeded, "", "1500.00", 1, 1},
		{w, "http-500", order.Succeeded, "", "1500.00", 1, 1},
		{w, "http-503-unbooked", order.Succeeded, "", "1500.00", 1, 2},
		{w, "html", order.Succeeded, "", "1500.00", 1, 1},
		{w, "truncated", order.Succeeded, "", "1500.00", 1, 1},
		{w, "wrong-types", order.Succeeded, "", "1500.00", 1, 1},
		{w, "wrong-content-type", order.Succeeded, "", "1500.00", 1, 1},
		{w, "wrong-sign", order.Succeeded, "", "1500.00", 1, 1},
		{w, "empty-answer", order.Succeeded, "", "1500.00", 1, 1},
		{w, "huge-answer", order.Succeeded, "", "1500.00", 1, 1},
		{w, "endless-answer", order.Succeeded, "", "1500.00", 1, 1},
		{w, "lost-answer,hidden:3", order.Succeeded, "", "1500.00", 1, 1},
		{w, "early-callback", order.Succeeded, "", "1500.00", 1, 1},
		{w, "duplicate-callback:5", order.Succeeded, "", "1500.00", 1, 1},
		{w, "late-callback", order.Succeeded, "", "1500.00", 1, 1},
		{w, "unsigned-callback", order.Succeeded, "", "1500.00", 1, 1},
		{w, "wrong-signature", order.Succeeded, "", "1500.00", 1, 1},
		{w, "other-key", order.Succeeded, "", "1500.00", 1, 1},
		{w, "foreign-signature", order.Succeeded, "", "1500.00", 1, 1},
		{w, "unknown-order", order.Succeeded, "", "1500.00", 1, 1},
		{w, "changed-amount", order.Succeeded, "", "1500.00", 1, 1},
		{w, "changed-currency", order.Succeeded, "", "1500.00", 1, 1},
		{w, "changed-merchant", order.Succeeded, "", "1500.00", 1, 1},
		{w, "changed-id", order.Succeeded, "", "1500.00", 1, 1},
		{w, "malformed-callback", order.Succeeded, "", "1500.00", 1, 1},
		{w, "query-error:4,silent-success", order.Succeeded, "", "1500.00", 1, 1},
		{w, "query-http-500:4,silent-success", order.Succeeded, "", "1500.00", 1, 1},
		{w, "text-state,silent-success", order.Succeeded, "", "1500.00", 1, 1},

		{w, "out-of-order", order.Refunded, order.CodeRefunded, "0.00", 1, 1},

		{d, "out-of-order", order.Refunded, order.CodeRefunded, "0.00", 1, 1},
		{d, "success", order.Succeeded, "", "1500.00", 1, 1},
		{d, "silent-success", order.Succeeded, "", "1500.00", 1, 1},
		{d, "queued", order.Succeeded, "", "1500.00", 1, 1},
		{d, "fail", order.Failed, order.CodeGatewayFailed, "0.00", 0, 1},
		{d, "cancel", order.Failed, order.CodeGatewayFailed, "0.00", 0, 1},
		{d, "refuse", order.Failed, order.CodeGatewayRefused, "", 0, 1},
		{d, "partial:40", order.PartiallyPaid, "", "600.00", 1, 1},
		{d, "expire", order.Expired, order.CodeExpired, "0.00", 0, 1},
		{d, "lost-answer", order.Succeeded, "", "1500.00", 1, 1},
		{d, "lost-request", order.Succeeded, "", "1500.00", 1, 2},
	}
	for _, o := range outcomes {
		t.Run(string(o.kind)+"/"+o.scenario, func(t *testing.T) {
			t.Parallel()
			world := newWorld(t)
			view := world.drive(request(t, o.kind, o.scenario))
			require.Equal(t, o.state, view.State, view.Reason.Text)
			require.Equal(t, o.reason, view.Reason.Code)
			world.paid(o)
			world.balanced()
		})
	}
}

// paid asserts what the gateway's own book says: the oracle.
func (w *world) paid(o outcome) {
	w.t.Helper()
	book := w.gateway.Book()
	if o.paid == "" {
		require.Empty(w.t, book.Orders)
		require.Equal(w.t, o.creates, book.Unbooked[0].CreatesReceived)
		return
	}
	require.Len(w.t, book.Orders, 1)
	booked := book.Orders[0]
	require.Len(w.t, booked.PaidAt, o.payments)
	require.Equal(w.t, o.paid, booked.Paid.Number())
	require.Equal(w.t, o.creates, booked.CreatesReceived)
	require.Equal(w.t, 1, booked.CreatesBooked)
}

func TestDuplicateCallbacksAreSignalledOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	view := w.drive(request(t, order.Withdrawal, "duplicate-callback:5"))
	require.Equal(t, order.Succeeded, view.State)
	callbacks, err := w.books.Callbacks(t.Context(), view.Key())
	require.NoError(t, err)
	require.Len(t, callbacks, 1)
	require.Equal(t, 5, callbacks[0].Received)
	require.Equal(t, ledger.Done, callbacks[0].Status)
}

// A refusal that is no proof releases the funds only after the gateway has
// been asked, and after the grace.
func TestAProbableRefusalIsConfirmed(t *testing.T) {
	t.Parallel()
	for scenario, code := range map[string]string{"refuse:5003015": order.CodeGatewayRefused, "balance-short": order.CodeGatewayShort} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			began := w.Now()
			view := w.drive(request(t, order.Withdrawal, scenario))
			require.Equal(t, order.Failed, view.State)
			require.Equal(t, code, view.Reason.Code)
			require.GreaterOrEqual(t, w.Now().Sub(began).Round(time.Second), time.Minute)
			history, err := w.books.History(t.Context(), view.Key())
			require.NoError(t, err)
			last := history[len(history)-1]
			require.Equal(t, order.Unknown, last.From)
			require.Equal(t, rules.FromQuery, last.Source)
			w.balanced()
		})
	}
}

// The same failure that the gateway takes back a moment later: acting on its
// callback without asking would release money that is then paid.
func TestFailureIsConfirmedBeforeMoneyIsReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.drive(request(t, order.Withdrawal, "fail"))
	history, err := w.books.History(t.Context(), order.Key{Merchant: merchant, Number: "W-1"})
	require.NoError(t, err)
	last := history[len(history)-1]
	require.Equal(t, order.Failed, last.To)
	require.Equal(t, rules.FromQuery, last.Source)
}

func TestShortBalanceFailsWithoutAsking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request(t, order.Withdrawal, "success")
	amount, err := order.ParseAmount("50000", "PK")
	require.NoError(t, err)
	r.Amount = amount
	short, err := order.ParseAmount("100", "PK")
	require.NoError(t, err)
	zero, err := order.ParseAmount("0", "PK")
	require.NoError(t, err)
	require.NoError(t, w.books.OpenBooks(t.Context(), merchant, short, zero))
	view := w.drive(r)
	require.Equal(t, order.Failed, view.State)
	require.Equal(t, order.CodeInsufficientFunds, view.Reason.Code)
	require.Empty(t, w.gateway.Book().Orders)
	require.Empty(t, w.gateway.Book().Unbooked)
}

func TestRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*order.Request)
		code   string
	}{
		"a member that is ours":                {func(r *order.Request) { r.Details["amount"] = "1" }, order.CodeInvalidRequest},
		"a merchant that nobody has":           {func(r *order.Request) { r.Merchant = "M1700000009" }, order.CodeUnknownMerchant},
		"a country that is not the merchant's": {func(r *order.Request) { r.Country = "VN" }, order.CodeUnknownMerchant}, // the rules are the merchant's country's
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := request(t, order.Withdrawal, "success")
			test.change(&r)
			view := w.drive(r)
			require.Equal(t, order.Rejected, view.State)
			require.Equal(t, test.code, view.Reason.Code)
			_, err := w.books.Order(t.Context(), r.Key())
			require.ErrorIs(t, err, ledger.ErrNotFound)
			require.Empty(t, w.gateway.Book().Unbooked)
		})
	}
}

// Another workflow id would let two workflows drive one order.
func TestOneWorkflowPerOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.otherID = "my-own-id"
	view := w.drive(request(t, order.Withdrawal, "success"))
	require.Equal(t, order.Rejected, view.State)
	require.Contains(t, view.Reason.Text, "order:"+merchant+":W-1")
	require.Empty(t, w.gateway.Book().Unbooked)
}

// Temporal forgets a workflow after its retention; the ledger does not. The
// same order again is told what became of it, another one of its number is
// refused, and neither is sent.
func TestTheLedgerRemembers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*order.Request){
		"the same order": func(*order.Request) {},
		"another order":  func(r *order.Request) { r.Details["customerName"] = "Somebody Else" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := request(t, order.Withdrawal, "success")
			w.opened(r)
			_, err := w.books.NextSubmission(t.Context(), r.Key(), 0)
			require.NoError(t, err)
			_, err = w.books.CompleteSubmission(t.Context(), r.Key(), 1, ledger.Answer{Outcome: ledger.Refused, Reason: order.Reason{Code: order.CodeGatewayRefused}})
			require.NoError(t, err)
			change(&r)
			view := w.drive(r)
			require.Empty(t, w.gateway.Book().Unbooked, "nothing may be sent")
			if name == "the same order" {
				require.Equal(t, order.Failed, view.State)
				return
			}
			require.Equal(t, order.Rejected, view.State)
			require.Equal(t, order.CodeOrderConflict, view.Reason.Code)
		})
	}
}

// An order that is there is answered as it stands and driven on: what it was
// opened under holds, and no rule of today's ends it or its deadlines.
func TestWhatIsThereIsNotJudgedByToday(t *testing.T) {
	t.Parallel()
	lower, err := money.Parse("1000", "PKR")
	require.NoError(t, err)
	refusing, err := rules.ParsePolicy([]byte("rules: [{country: PK, per_order: {refuse_above: \"50\"}}]"), "refusing")
	require.NoError(t, err)
	for name, change := range map[string]func(*order.Request, *activities.Settings){
		"lower limit":     func(_ *order.Request, s *activities.Settings) { s.Limits = order.Limits{"PKR": lower} },
		"merchant gone":   func(_ *order.Request, s *activities.Settings) { s.Merchants = nil },
		"refusing policy": func(_ *order.Request, s *activities.Settings) { s.Policy = refusing },
		"stricter profile": func(r *order.Request, _ *activities.Settings) {
			for i := range 38 { // with its own more than an order may have
				r.Details[fmt.Sprint("more", i)] = "x"
			}
			require.Error(t, r.Validate(nil))
		},
	} {
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			for _, sent := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " ", kind, " sent ", sent), func(t *testing.T) {
					t.Parallel()
					r := request(t, kind, "success")
					w := newWorld(t, func(s *activities.Settings) { change(&r, s) })
					w.opened(r)
					if sent {
						w.tried(t, r, ledger.Answer{})
					}
					view := w.drive(r)
					require.Equal(t, order.Succeeded, view.State, view.Reason.Text)
					w.balanced()
				})
			}
		}
	}
}

// The horizon and the deadline for funds are those of the order's opening.
func TestTheDeadlinesOfItsOpeningHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *activities.Settings) {
		s.WithdrawalHorizon, s.FundsDeadline, s.WaitForFunds = time.Hour, time.Hour, true
	})
	require.NoError(t, w.books.OpenBooks(t.Context(), merchant, pkr(100), pkr(0)))
	began := w.Now()
	r := request(t, order.Withdrawal, "stuck")
	_, opening, err := w.books.OpenOrder(t.Context(), r, ledger.Terms{WaitForFunds: true, FundsDeadline: 10 * time.Hour, Horizon: 20 * time.Hour})
	require.NoError(t, err)
	require.Equal(t, ledger.Opened, opening)
	stands := func(state order.State) func() {
		return func() {
			row, err := w.books.Order(t.Context(), r.Key())
			require.NoError(t, err)
			require.Equal(t, state, row.State, w.Now().Sub(began))
		}
	}
	w.RegisterDelayedCallback(stands(order.AwaitingFunds), 9*time.Hour)
	w.RegisterDelayedCallback(func() { w.deposited("D-1", "5000") }, 9*time.Hour+time.Minute)
	w.RegisterDelayedCallback(stands(order.Submitted), 28*time.Hour)
	w.RegisterDelayedCallback(stands(order.InReview), 30*time.Hour)
	w.RegisterDelayedCallback(func() { w.update(t, order.ActionResolve, "", resolution(order.Failed)) }, 31*time.Hour)
	require.Equal(t, order.Failed, w.drive(r).State)
}

// opened writes an order down as an earlier run of its workflow would have.
func (w *world) opened(r order.Request) {
	w.t.Helper()
	plenty, err := order.ParseAmount(balance, "PK")
	require.NoError(w.t, err)
	zero, err := order.ParseAmount("0", "PK")
	require.NoError(w.t, err)
	require.NoError(w.t, w.books.OpenBooks(w.t.Context(), merchant, plenty, zero))
	_, opening, err := w.books.OpenOrder(w.t.Context(), r, ledger.Terms{})
	require.NoError(w.t, err)
	require.Equal(w.t, ledger.Opened, opening)
}

// A worker that died between writing the attempt down and hearing the answer
// leaves an open row. Whoever comes next asks first, and waits out the grace.
func TestACrashAfterTheRowAsksFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request(t, order.Withdrawal, "success")
	w.opened(r)
	_, err := w.books.NextSubmission(t.Context(), r.Key(), 0)
	require.NoError(t, err)
	began := w.Now()
	view := w.drive(r)
	require.Equal(t, order.Succeeded, view.State)
	w.paid(outcome{paid: "1500.00", payments: 1, creates: 1})
	submissions, err := w.books.Submissions(t.Context(), r.Key())
	require.NoError(t, err)
	require.Len(t, submissions, 2)
	require.GreaterOrEqual(t, submissions[1].StartedAt.Sub(began), time.Minute, "the grace")
}

// No proof within the horizon: the reservation stays, a person is asked, and
// the gateway goes on being asked.
func TestHorizonEndsInReviewAndEvidenceResolves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request(t, order.Withdrawal, "stuck")
	w.RegisterDelayedCallback(func() {
		row, err := w.books.Order(t.Context(), r.Key())
		require.NoError(t, err)
		require.Equal(t, order.Submitted, row.State, row.Reason.Text)
		w.update(t, order.ActionResolve, codes.NotInReview, resolution(order.Failed))
	}, time.Hour)
	w.RegisterDelayedCallback(func() {
		row, err := w.books.Order(t.Context(), r.Key())
		require.NoError(t, err)
		require.Equal(t, order.InReview, row.State)
		require.Equal(t, order.CodeNoProof, row.Reason.Code)
		balances, err := w.books.Balances(t.Context(), merchant, "PKR")
		require.NoError(t, err)
		require.Equal(t, "1500.00 PKR", balances[ledger.AccountInFlight].String(), "the reservation stays")

		nobody := resolution(order.Failed)
		nobody.Evidence = ""
		w.update(t, order.ActionResolve, codes.EvidenceMissing, nobody)
		w.update(t, order.ActionResolve, codes.NotAnEnd, resolution(order.Expired))
	}, 73*time.Hour)
	w.RegisterDelayedCallback(func() { w.update(t, order.ActionResolve, "", resolution(order.Failed)) }, 74*time.Hour)
	view := w.drive(r)
	require.Equal(t, order.Failed, view.State)
	require.Equal(t, order.CodeResolved, view.Reason.Code)
	history, err := w.books.History(t.Context(), r.Key())
	require.NoError(t, err)
	last := history[len(history)-1]
	require.Equal(t, rules.FromOperator, last.Source)
	require.Equal(t, "amina", last.By)
}

// Proof that comes while a person is being asked ends the order by itself.
func TestProofEndsAReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request(t, order.Withdrawal, "stuck")
	w.RegisterDelayedCallback(func() {
		_, err := w.gateway.Move(merchant, r.Number, 2, "")
		require.NoError(t, err)
	}, 80*time.Hour)
	view := w.drive(r)
	require.Equal(t, order.Succeeded, view.State)
	w.paid(outcome{paid: "1500.00", payments: 1, creates: 1})
	w.balanced()
}

func TestPollNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *activities.Settings) { s.CallbackGrace = time.Hour })
	began := w.Now()
	w.RegisterDelayedCallback(func() { w.update(t, order.ActionPoll, order.CodeWhoMissing, order.Poll{}) }, 4*time.Second)
	w.RegisterDelayedCallback(func() { w.update(t, order.ActionPoll, "", order.Poll{By: "amina"}) }, 5*time.Second)
	view := w.drive(request(t, order.Withdrawal, "silent-success"))
	require.Equal(t, order.Succeeded, view.State)
	require.Less(t, w.Now().Sub(began), time.Minute)
	_, done := w.audited(view.Key(), "amina")
	require.Equal(t, 1, done)
}

// A fault of every call holds the order back; it is sent once that is mended.
func TestAFaultOfEveryCallHoldsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.gateway.Switch(merchant, "key-expired", true))
	r := request(t, order.Withdrawal, "success")
	require.NoError(t, w.books.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))
	w.RegisterDelayedCallback(func() {
		row, err := w.books.Order(t.Context(), r.Key())
		require.NoError(t, err)
		require.Equal(t, order.Submitting, row.State)
		require.Equal(t, order.CodeGatewayPaused, row.Reason.Code)
		require.NoError(t, w.gateway.Switch(merchant, "key-expired", false))
	}, 3*time.Hour)
	view := w.drive(r)
	require.Equal(t, order.Succeeded, view.State)
	submissions, err := w.books.Submissions(t.Context(), r.Key())
	require.NoError(t, err)
	require.Equal(t, ledger.Paused, submissions[0].Outcome)
	require.Equal(t, ledger.Accepted, submissions[len(submissions)-1].Outcome)
	w.paid(outcome{paid: "1500.00", payments: 1, creates: 1})
	w.balanced()
}

func TestCancellingTheWorkflowDoesNotAbandonTheOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RegisterDelayedCallback(w.CancelWorkflow, time.Second)
	view := w.drive(request(t, order.Withdrawal, "silent-success"))
	require.Equal(t, order.Succeeded, view.State)
	w.balanced()
}

// Somebody who asked Temporal to cancel the workflow has not taken the order from the
// operators: an action is executed as before.
func TestActionsAfterACancellation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *activities.Settings) { s.CallbackGrace = 100 * time.Hour })
	r := request(t, order.Withdrawal, "stuck")
	w.RegisterDelayedCallback(w.CancelWorkflow, time.Minute)
	for i, by := range []string{"amina", "chen"} {
		w.RegisterDelayedCallback(func() { w.update(t, order.ActionNote, "", order.Note{By: by, Text: "seen"}) }, time.Duration(i+2)*time.Minute)
	}
	w.RegisterDelayedCallback(func() {
		_, err := w.gateway.Move(merchant, r.Number, tarspay.StateSucceeded, "")
		require.NoError(t, err)
	}, time.Hour)
	require.Equal(t, order.Succeeded, w.drive(r).State)
	noted := 0
	entries, err := w.books.Audit(t.Context(), r.Key())
	require.NoError(t, err)
	for _, entry := range entries {
		if entry.Action == ledger.ActionNote {
			noted++
		}
	}
	require.Equal(t, 2, noted)
	w.balanced()
}

// After the end: a refund is booked once the gateway confirms it.
func TestRefundAfterSuccess(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			view := w.drive(request(t, kind, "refund"))
			require.Equal(t, order.Succeeded, view.State)
			w.gateway.Advance(time.Hour)
			require.Len(t, w.late, 1, "the receiver hands the refund to a workflow of its own")
			require.Equal(t, order.Refunded, w.actLate(t).State)
			w.balanced()
		})
	}
}

// A refund that is signalled together with the success that ends the order is
// lost with the workflow, but not to the inbox: the sweep finds that nobody
// acted on it and hands it to a workflow of its own.
func TestCallbacksThatCameTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *activities.Settings) { s.CallbackGrace = 100 * time.Hour })
	r := request(t, order.Withdrawal, "stuck")
	w.RegisterDelayedCallback(func() {
		for _, state := range []tarspay.State{tarspay.StateSucceeded, tarspay.StateRefunded} {
			_, err := w.gateway.Move(merchant, r.Number, state, "")
			require.NoError(t, err)
		}
		w.gateway.AdvanceTo(w.Now())
	}, time.Hour)
	view := w.drive(r)
	require.Equal(t, order.Succeeded, view.State)
	callbacks, err := w.books.Callbacks(t.Context(), r.Key())
	require.NoError(t, err)
	require.Len(t, callbacks, 2)
	w.clock.Store(func() time.Time { return w.Now().Add(time.Minute) })
	_, err = w.deliverer().Sweep(t.Context())
	require.NoError(t, err)
	require.Len(t, w.late, 1)
	require.Equal(t, order.Refunded, w.actLate(t).State)
	w.balanced()
}

// A refund that is heard of before its payment makes us ask; when the payment
// then ends the order, the refund is not forgotten.
func TestARefundBeforeItsPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *activities.Settings) { s.CallbackGrace = 100 * time.Hour })
	r := request(t, order.Withdrawal, "stuck,silent")
	w.RegisterDelayedCallback(func() {
		for _, state := range []tarspay.State{tarspay.StateSucceeded, tarspay.StateRefunded} {
			_, err := w.gateway.Move(merchant, r.Number, state, "")
			require.NoError(t, err)
		}
		w.hears(t, r, tarspay.StateRefunded)
		w.hears(t, r, tarspay.StateSucceeded)
	}, time.Hour)
	view := w.drive(r)
	if view.State == order.Succeeded {
		w.clock.Store(func() time.Time { return w.Now().Add(time.Minute) })
		_, err := w.deliverer().Sweep(t.Context())
		require.NoError(t, err)
		require.Len(t, w.late, 1)
		view.Standing = w.actLate(t)
	}
	require.Equal(t, order.Refunded, view.State)
	callbacks, err := w.books.Callbacks(t.Context(), r.Key())
	require.NoError(t, err)
	require.Len(t, callbacks, 2)
	w.balanced()
}

// A worker without the gateway's key: no order is settled by a callback, and none is lost. The
// gateway is asked.
func TestCallbacksThatNothingProves(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		for _, scenario := range []string{"success", "flip", "false-failure", "changed-amount"} {
			t.Run(string(kind)+" "+scenario, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, func(s *activities.Settings) { s.Verifier = nil })
				r := request(t, kind, scenario)
				view := w.drive(r)
				want := order.Succeeded
				if scenario == "flip" {
					want = view.State // the query sees either
				}
				require.Equal(t, want, view.State)
				w.balanced()
				entries, err := w.books.Audit(t.Context(), r.Key())
				require.NoError(t, err)
				for _, e := range entries {
					require.NotEqual(t, rules.FromCallback, e.Source, "%s", e.Action)
				}
				callbacks, err := w.books.Callbacks(t.Context(), r.Key())
				require.NoError(t, err)
				require.Equal(t, len(callbacks) > 0, w.ignored(r.Key())[codes.CallbackUnproven] == 1)
				for _, c := range callbacks {
					require.Contains(t, []ledger.InboxStatus{ledger.Done, ledger.Late}, c.Status)
				}
			})
		}
	}
}

// hears puts a callback of an order into the inbox and signals it.
func (w *world) hears(t *testing.T, r order.Request, state tarspay.State) {
	t.Helper()
	booked, err := w.gateway.Order(merchant, r.Number)
	require.NoError(t, err)
	id, fresh := stores(t, w.books, tarspay.Callback{
		Direction: tarspay.DirectionWithdrawal, Currency: "PKR", Fee: booked.Fee.Short(), Merchant: merchant, OrderNumber: r.Number,
		OrderAmount: "1500", PayAmount: "1500", GatewayID: booked.ID, State: state,
	})
	require.True(t, fresh)
	require.NoError(t, w.books.MarkCallback(t.Context(), id, ledger.Signalled))
	w.TestWorkflowEnvironment.SignalWorkflow(contract.CallbackSignal, contract.CallbackSignalInput{ID: id})
}

// After the end: what contradicts opens a discrepancy and touches nothing.
func TestContradictionAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	view := w.drive(request(t, order.Withdrawal, "flip"))
	require.Contains(t, []order.State{order.Failed, order.Succeeded}, view.State)
	w.gateway.Advance(time.Hour)
	if view.State == order.Failed {
		require.Equal(t, order.Failed, w.actLate(t).State, "a terminal state is never rewritten")
		discrepancies, err := w.books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{})
		require.NoError(t, err)
		require.Len(t, discrepancies, 1)
		require.Equal(t, codes.DiscrepancyPaidAfterEnd, discrepancies[0].Code)
	}
}

// actLate runs the workflow that the receiver started for a late callback.
func (w *world) actLate(t *testing.T) order.Standing {
	t.Helper()
	next := w.again()
	next.TestWorkflowEnvironment.ExecuteWorkflow(contract.LateCallbackType, w.late[0])
	require.True(t, next.IsWorkflowCompleted())
	require.NoError(t, next.GetWorkflowError())
	var standing order.Standing
	require.NoError(t, next.GetWorkflowResult(&standing))
	return standing
}

func resolution(state order.State) order.Resolution {
	return order.Resolution{State: state, By: "amina", Why: "support confirmed it", Evidence: "ticket 4711"}
}

// update sends an update and expects its refusal's code, or "" for success.
func (w *world) update(t *testing.T, name, code string, arguments ...any) {
	t.Helper()
	check := func(err error) {
		require.Equal(t, code, codeOf(err), "%s: %v", name, err)
	}
	w.updates++
	w.UpdateWorkflow(name, strconv.Itoa(w.updates), &updateResult{accepted: func() {}, rejected: check, completed: func(_ any, err error) { check(err) }}, arguments...)
}

func codeOf(err error) string {
	var application interface{ Type() string }
	if errors.As(err, &application) {
		return application.Type()
	}
	return ""
}

type updateResult struct {
	accepted  func()
	rejected  func(error)
	completed func(any, error)
}

func (u *updateResult) Accept()                       { u.accepted() }
func (u *updateResult) Reject(err error)              { u.rejected(err) }
func (u *updateResult) Complete(value any, err error) { u.completed(value, err) }
