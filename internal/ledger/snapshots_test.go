package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

func TestTakeSnapshot(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		_, err := b.compare(t, merchant, pkr("1"), pkr("0"))
		require.ErrorIs(t, err, ErrNotFound)
		b.books(t, "1000", "50")
		for _, sent := range []order.Request{request(order.Withdrawal, "W1", "100"), request(order.Deposit, "D1", "70")} {
			open(t, b, sent)
			submit(t, b, sent.Key(), ambiguous)
		}
		open(t, b, request(order.Withdrawal, "W2", "30"))   // not sent
		open(t, b, request(order.Deposit, "D2", "5"))       // nor this
		open(t, b, request(order.Withdrawal, "W3", "9999")) // short: has ended
		held := request(order.Withdrawal, "W5", "20")       // its only create has certainly not arrived
		open(t, b, held)
		submit(t, b, held.Key(), paused)
		done := request(order.Withdrawal, "W4", "10")
		open(t, b, done)
		submit(t, b, done.Key(), accepted)
		settle(t, b, done.Key(), paid("10", "1"))
		elsewhere := request(order.Withdrawal, "W1", "100")
		elsewhere.Merchant = "M2"
		require.NoError(t, b.OpenBooks(t.Context(), "M2", pkr("1000"), pkr("0")))
		open(t, b, elsewhere)

		before := time.Now().UTC().Truncate(time.Millisecond)
		s, err := b.compare(t, merchant, pkr("989"), pkr("50"))
		require.NoError(t, err)
		require.WithinRange(t, s.At, before, time.Now())
		require.Positive(t, s.ID)
		require.Equal(t, order.Snapshot{
			ID: s.ID, Merchant: merchant, Currency: "PKR", At: s.At,
			GatewayAvailable: pkr("989"), GatewayFrozen: pkr("50"),
			LedgerAvailable: pkr("839"), LedgerInFlight: pkr("200"),
			OpenWithdrawals: 3, OpenWithdrawalAmount: pkr("150"),
			OpenDeposits: 2, OpenDepositAmount: pkr("75"),
			SentWithdrawalAmount: pkr("100"), SentDepositAmount: pkr("70"),
			Drift: pkr("0"), Verdict: order.Agreed,
		}, s)
		require.Equal(t, pkr("1039"), s.GatewayTotal())
		require.Equal(t, pkr("1039"), s.LedgerTotal())

		for _, test := range []struct {
			available, drift string
			verdict          order.Agreement
		}{
			{"887", "-102", order.Unsettled}, // W1 is paid there, with a fee of 2
			{"879", "-110", order.Unsettled}, // with the highest
			{"887", "-102", order.Unsettled},
			{"1059", "70", order.Unsettled}, // D1 is paid there
			{"1059", "70", order.Unsettled},
			{"1059.01", "70.01", order.Unsettled}, // nothing explains it, once
			{"1059.01", "70.01", order.Drifting},  // twice
			{"878.99", "-110.01", order.Unsettled},
			{"1059.01", "70.01", order.Unsettled}, // not one after the other
			{"878.99", "-110.01", order.Unsettled},
			{"878.99", "-110.01", order.Drifting},
			{"878.99", "-110.01", order.Drifting},
		} {
			s, err := b.compare(t, merchant, pkr(test.available), pkr("50"))
			require.NoError(t, err)
			require.Equal(t, pkr(test.drift), s.Drift)
			require.Equal(t, test.verdict, s.Verdict, test.drift)
		}
		latest, err := b.Snapshots(t.Context(), merchant, 2)
		require.NoError(t, err)
		require.Len(t, latest, 2)
		require.Equal(t, pkr("-110.01"), latest[0].Drift)
		require.Equal(t, order.Drifting, latest[1].Verdict)
		all, err := b.Snapshots(t.Context(), merchant, 0)
		require.NoError(t, err)
		require.Len(t, all, 13)
		require.Equal(t, s, all[12])
		none, err := b.Snapshots(t.Context(), "M2", 0)
		require.NoError(t, err)
		require.Empty(t, none)

		vnd, err := money.Minor(1, "VND")
		require.NoError(t, err)
		_, err = b.compare(t, merchant, pkr("1"), vnd)
		require.ErrorIs(t, err, money.ErrMismatch)
	})
}

// What is booked while the gateway is asked may be in its answer or not: such a
// comparison shows no drift, however often; what is set aside meanwhile does not
// matter.
func TestWhatIsBookedMeanwhileIsNoDrift(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		for i := range 4 {
			r := request(order.Withdrawal, fmt.Sprint("W", i), "10")
			open(t, b, r)
			submit(t, b, r.Key(), Answer{Outcome: Accepted, GatewayID: fmt.Sprint("G", i)})
			before, err := b.Booked(t.Context(), merchant, "PKR")
			require.NoError(t, err)
			balances := b.balancesOf(t, merchant)
			finding := paid("10", "1")
			finding.GatewayID = fmt.Sprint("G", i)
			settle(t, b, r.Key(), finding) // after the gateway's answer
			available, err := money.Parse(balances[AccountAvailable], "PKR")
			require.NoError(t, err)
			s, err := b.TakeSnapshot(t.Context(), merchant, available, pkr("10"), before)
			require.NoError(t, err)
			require.Equal(t, order.Unsettled, s.Verdict)
			require.Equal(t, pkr("11"), s.Drift)
		}
		before, err := b.Booked(t.Context(), merchant, "PKR")
		require.NoError(t, err)
		for i, verdict := range []order.Agreement{order.Unsettled, order.Drifting} {
			open(t, b, request(order.Withdrawal, fmt.Sprint("R", i), "10")) // set aside
			s, err := b.TakeSnapshot(t.Context(), merchant, pkr("967"), pkr("0"), before)
			require.NoError(t, err)
			require.Equal(t, pkr("11"), s.Drift)
			require.Equal(t, verdict, s.Verdict)
		}
	})
}
