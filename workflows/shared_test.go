package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// owned gives the gateway's order of a number to another order of ours, as
// happens when the gateway takes two numbers for one.
func (w *world) owned(number string) {
	w.t.Helper()
	owner := request(w.t, order.Deposit, "")
	owner.Number = "owner"
	w.opened(owner)
	_, err := w.books.NextSubmission(w.t.Context(), owner.Key(), 0)
	require.NoError(w.t, err)
	for _, o := range w.gateway.Book().Orders {
		if o.Number == number {
			_, err = w.books.CompleteSubmission(w.t.Context(), owner.Key(), 1, ledger.Answer{Outcome: ledger.Accepted, GatewayID: o.ID})
			require.NoError(w.t, err)
			return
		}
	}
	require.FailNow(w.t, "the gateway does not have it")
}

// One order of the gateway completes one of ours: the other one waits for a
// person, is asked about now and then, and keeps its reservation.
func TestAnotherOrdersProofCompletesNothing(t *testing.T) {
	t.Parallel()
	for _, scenario := range []string{"lost-answer,hidden:1,silent-success", "lost-answer,hidden:1,success", "lost-answer,hidden:1,fail"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := request(t, order.Withdrawal, scenario)
			w.RegisterDelayedCallback(func() { w.owned(r.Number) }, time.Second)
			var stood order.Order
			w.RegisterDelayedCallback(func() {
				var err error
				stood, err = w.books.Order(t.Context(), r.Key())
				require.NoError(t, err)
				w.answered(t, order.ActionResolve, order.Resolution{By: "amina", State: order.Failed, Why: "never sent", Evidence: "ticket 7"})
			}, 12*time.Hour)
			view := w.drive(r)
			require.Equal(t, order.InReview, stood.State)
			require.Equal(t, codes.DiscrepancyShared, stood.Reason.Code)
			require.Contains(t, stood.Reason.Text, "belongs to order owner")
			require.Equal(t, order.Failed, view.State)
			found, err := w.books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Merchant: merchant})
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.Equal(t, codes.DiscrepancyShared, found[0].Code)
		})
	}
}

// A late callback that names another order's gateway order is done with, and
// asking about it books nothing.
func TestALateCallbackOfAnotherOrdersProof(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key := d.order("W-1")
	_, err := d.books.NextSubmission(t.Context(), key, 0)
	require.NoError(t, err)
	_, err = d.books.CompleteSubmission(t.Context(), key, 1, ledger.Answer{Outcome: ledger.Refused, Reason: order.Reason{Code: order.CodeGatewayRefused}})
	require.NoError(t, err)
	owner := d.order("owner")
	_, err = d.books.NextSubmission(t.Context(), owner, 0)
	require.NoError(t, err)
	_, err = d.books.CompleteSubmission(t.Context(), owner, 1, ledger.Answer{Outcome: ledger.Accepted, GatewayID: "P1"})
	require.NoError(t, err)

	acts := activities.NewBooks(d.books, activities.Settings{ConfirmAll: true, Verifier: verifierOf(t, platform(t).PublicKey())})
	id, _ := stores(t, d.books, tarspay.Callback{
		Direction: tarspay.DirectionWithdrawal, Currency: "PKR", Fee: "0", Merchant: merchant, OrderNumber: "W-1",
		OrderAmount: "1500", PayAmount: "1500", GatewayID: "P1", State: tarspay.StateSucceeded,
	})
	applied, err := acts.ApplyCallback(t.Context(), key, id)
	require.NoError(t, err)
	require.False(t, applied.Ask)
	require.Equal(t, order.Failed, applied.Standing.State)
	entry, err := d.books.Callback(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, ledger.Done, entry.Status)
	found, err := d.books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Merchant: merchant, Number: "W-1"})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, codes.DiscrepancyShared, found[0].Code)
}

// A number that differs from another order's in capitals only is refused before
// anything is sent.
func TestANumberThatDiffersInCapitalsOnlyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := request(t, order.Withdrawal, "success")
	first.Number = "INV-1a"
	require.Equal(t, order.Succeeded, w.drive(first).State)
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		again := w.again()
		twin := request(t, kind, "success")
		twin.Number = "INV-1A"
		view := again.drive(twin)
		require.Equal(t, order.Rejected, view.State)
		require.Equal(t, order.CodeNumberTwin, view.Reason.Code)
		require.Contains(t, view.Reason.Text, "INV-1a is on record")
	}
	require.Len(t, w.gateway.Book().Orders, 1)
	w.balanced()
}

// Asking about a late callback books nothing on another order's proof, and comes
// to an end.
func TestConfirmingWithAnotherOrdersProof(t *testing.T) {
	t.Parallel()
	s := openShop(t, tables.SQLite(t))
	late := s.request(order.Deposit, vietnam, "late", "success")
	s.elsewhere(late)
	s.pass(time.Minute)
	status, err := s.clients[vietnam].QueryDeposit(t.Context(), tarspay.Reference{OrderNumber: "late"})
	require.NoError(t, err)
	require.Equal(t, tarspay.StateSucceeded, status.State)
	s.alone(s.request(order.Deposit, vietnam, "owner", ""), status.GatewayID, amountOf(t, "0", "VN"))
	_, _, err = s.books.OpenOrder(t.Context(), late, ledger.Terms{})
	require.NoError(t, err)
	_, err = s.books.NextSubmission(t.Context(), late.Key(), 0)
	require.NoError(t, err)
	_, err = s.books.Settle(t.Context(), late.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Lapsed})
	require.NoError(t, err)

	value, err := runActivity(s.activity.Confirm, activities.ConfirmInput{Key: late.Key(), Last: true})
	require.NoError(t, err)
	var answer activities.Confirmed
	require.NoError(t, value.Get(&answer))
	require.False(t, answer.Confirmed)
	require.Equal(t, []string{codes.DiscrepancyShared + " late"}, s.found())
	o, err := s.books.Order(t.Context(), late.Key())
	require.NoError(t, err)
	require.Equal(t, order.Expired, o.State)
	require.False(t, o.Paid.IsPositive())
	s.sound()
}
