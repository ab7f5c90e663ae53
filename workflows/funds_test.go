package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// poorer is a world whose gateway has less than the ledger knows of, and whose
// orders wait for funds.
func poorer(t *testing.T, settings ...func(*activities.Settings)) *world {
	t.Helper()
	w := newWorld(t, append(settings, func(s *activities.Settings) { s.WaitForFunds, s.FundsDeadline = true, 48*time.Hour })...)
	whole, err := order.ParseAmount(balance, "PK")
	require.NoError(t, err)
	zero, err := order.ParseAmount("0", "PK")
	require.NoError(t, err)
	require.NoError(t, w.books.OpenBooks(t.Context(), merchant, whole, zero))
	_, err = w.gateway.Fund(merchant, "999000", true)
	require.NoError(t, err)
	return w
}

// funded pays money in at the gateway after a while.
func (w *world) funded(after time.Duration, amount string) {
	w.RegisterDelayedCallback(func() {
		_, err := w.gateway.Fund(merchant, amount, false)
		require.NoError(w.t, err)
	}, after)
}

// inFlight is what the ledger has set aside.
func (w *world) inFlight() string {
	w.t.Helper()
	balances, err := w.books.Balances(w.t.Context(), merchant, "PKR")
	require.NoError(w.t, err)
	return balances[ledger.AccountInFlight].Short()
}

// An order that only the gateway finds short waits with its reservation, and is
// sent again under its number when there is money.
func TestFundsThatComeAtTheGateway(t *testing.T) {
	t.Parallel()
	w := poorer(t)
	began := w.Now()
	r := request(t, order.Withdrawal, "success")
	w.RegisterDelayedCallback(func() {
		row, err := w.books.Order(t.Context(), r.Key())
		require.NoError(t, err)
		require.Equal(t, order.Submitting, row.State)
		require.Equal(t, order.CodeGatewayShort, row.Reason.Code)
		require.Contains(t, row.Reason.Text, "1000.00 PKR available, does not cover 1500.00 PKR")
		require.Equal(t, "1500", w.inFlight())
		value, err := w.QueryWorkflow(contract.OrderQuery)
		require.NoError(t, err)
		var view order.View
		require.NoError(t, value.Get(&view))
		require.Contains(t, view.Next, "does not cover the order: top it up")
		w.update(t, order.ActionCancel, order.CodeAlreadySubmitted, order.Cancellation{By: "amina", Why: "no money"})
	}, 4*time.Hour)
	w.funded(5*time.Hour, "600")
	view := w.drive(r)
	require.Equal(t, order.Succeeded, view.State)
	w.paid(outcome{paid: "1500.00", payments: 1, creates: 2})
	require.Less(t, w.Now().Sub(began), 6*time.Hour, "it looked for funds now and then")
}

// A fee on top that is expected is reserved with the amount, in the order's view, and part of
// what the gateway's balance must cover before the order is sent again.
func TestExpectedFeeAtTheGateway(t *testing.T) {
	t.Parallel()
	var fees config.WithdrawalFees
	require.NoError(t, fees.Decode(merchant+":PKR:1%"))
	w := poorer(t, func(s *activities.Settings) { s.Fees = fees })
	r := request(t, order.Withdrawal, "success")
	w.RegisterDelayedCallback(func() {
		require.Equal(t, "1515", w.inFlight())
		value, err := w.QueryWorkflow(contract.OrderQuery)
		require.NoError(t, err)
		var view order.View
		require.NoError(t, value.Get(&view))
		require.Equal(t, "15.00 PKR", view.ExpectedFee.String())
	}, time.Hour)
	w.funded(2*time.Hour, "514")
	w.RegisterDelayedCallback(func() {
		row, err := w.books.Order(t.Context(), r.Key())
		require.NoError(t, err)
		require.Contains(t, row.Reason.Text, "1514.00 PKR available, does not cover 1500.00 PKR and the expected fee of 15.00 PKR")
	}, 7*time.Hour)
	w.funded(8*time.Hour, "1")
	view := w.drive(r)
	require.Equal(t, order.Succeeded, view.State)
	require.Equal(t, "15.00 PKR", view.Fee.String())
	require.Equal(t, "15.00 PKR", view.ExpectedFee.String())
	w.paid(outcome{paid: "1500.00", payments: 1, creates: 2})
	require.Equal(t, "0", w.inFlight())
}

// Somebody who has paid money in need not wait for the next look.
func TestLookingForFundsAtOnce(t *testing.T) {
	t.Parallel()
	w := poorer(t)
	began := w.Now()
	w.funded(90*time.Minute, "600")
	w.RegisterDelayedCallback(func() {
		w.update(t, order.ActionPoll, "", order.Poll{By: "amina"})
	}, 90*time.Minute+time.Second)
	view := w.drive(request(t, order.Withdrawal, "success"))
	require.Equal(t, order.Succeeded, view.State)
	require.Less(t, w.Now().Sub(began), 91*time.Minute)
}

// Without funds the order fails at its deadline and its reservation goes back,
// on fresh proof that the gateway does not have it: while the gateway is
// silent, nothing is released.
func TestFundsThatDoNotComeAtTheGateway(t *testing.T) {
	t.Parallel()
	w := poorer(t)
	began := w.Now()
	r := request(t, order.Withdrawal, "success")
	w.RegisterDelayedCallback(func() { require.NoError(t, w.gateway.Switch(merchant, "outage", true)) }, 47*time.Hour)
	w.RegisterDelayedCallback(func() {
		require.Equal(t, "1500", w.inFlight(), "the deadline has passed, and nobody knows")
		require.NoError(t, w.gateway.Switch(merchant, "outage", false))
	}, 50*time.Hour)
	view := w.drive(r)
	require.Equal(t, order.Failed, view.State)
	require.Equal(t, order.CodeGatewayShort, view.Reason.Code)
	require.InDelta(t, 50, w.Now().Sub(began).Hours(), 0.1)
	require.Equal(t, "0", w.inFlight())
	w.paid(outcome{payments: 0, creates: 1})
}

// An order that the gateway lacks funds for waits as long as its opening allowed,
// also under a shorter deadline of today.
func TestFundsThatComeAfterTodaysDeadline(t *testing.T) {
	t.Parallel()
	w := poorer(t)
	r := request(t, order.Withdrawal, "success")
	terms := ledger.Terms{WaitForFunds: true, FundsDeadline: 96 * time.Hour, Horizon: 72 * time.Hour}
	_, opening, err := w.books.OpenOrder(t.Context(), r, terms)
	require.NoError(t, err)
	require.Equal(t, ledger.Opened, opening)
	w.funded(60*time.Hour, "5000") // today's deadline is 48 hours
	require.Equal(t, order.Succeeded, w.drive(r).State)
	w.paid(outcome{paid: "1500.00", payments: 1, creates: 2})
}

// Funds that come while it is not yet proved that the gateway has no such order
// are found before anybody is asked to wait.
func TestFundsThatComeWithinTheGrace(t *testing.T) {
	t.Parallel()
	w := poorer(t)
	w.funded(10*time.Second, "5000")
	view := w.drive(request(t, order.Withdrawal, "success"))
	require.Equal(t, order.Succeeded, view.State)
	w.paid(outcome{paid: "1500.00", payments: 1, creates: 2})
	trail, err := w.books.Audit(t.Context(), view.Key())
	require.NoError(t, err)
	for _, entry := range trail {
		require.NotEqual(t, ledger.ActionHold, entry.Action)
	}
}
