package ledger

import (
	"math"
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
		_, err := b.TakeSnapshot(t.Context(), merchant, pkr("1"), pkr("0"))
		require.ErrorIs(t, err, ErrNotFound)
		b.books(t, "1000", "50")
		open(t, b, request(order.Withdrawal, "W1", "100"))
		open(t, b, request(order.Withdrawal, "W2", "30"))
		open(t, b, request(order.Withdrawal, "W3", "9999")) // short: has ended
		open(t, b, request(order.Deposit, "D1", "70"))
		done := request(order.Withdrawal, "W4", "10")
		open(t, b, done)
		submit(t, b, done.Key(), accepted)
		settle(t, b, done.Key(), paid("10", "1"))
		elsewhere := request(order.Withdrawal, "W1", "100")
		elsewhere.Merchant = "M2"
		require.NoError(t, b.OpenBooks(t.Context(), "M2", pkr("1000"), pkr("0")))
		open(t, b, elsewhere)

		before := time.Now().UTC().Truncate(time.Millisecond)
		s, err := b.TakeSnapshot(t.Context(), merchant, pkr("989"), pkr("50"))
		require.NoError(t, err)
		require.WithinRange(t, s.At, before, time.Now())
		require.Positive(t, s.ID)
		require.Equal(t, Snapshot{
			ID: s.ID, Merchant: merchant, Currency: "PKR", At: s.At,
			GatewayAvailable: pkr("989"), GatewayFrozen: pkr("50"),
			LedgerAvailable: pkr("859"), LedgerInFlight: pkr("180"),
			OpenWithdrawals: 2, OpenWithdrawalAmount: pkr("130"),
			OpenDeposits: 1, OpenDepositAmount: pkr("70"),
			Drift: pkr("0"), Verdict: Agreed,
		}, s)
		require.Equal(t, pkr("1039"), s.GatewayTotal())
		require.Equal(t, pkr("1039"), s.LedgerTotal())

		for _, test := range []struct {
			available, drift string
			verdict          Verdict
		}{
			{"887", "-102", Unsettled}, // W1 is paid there, with a fee of 2
			{"1059", "70", Unsettled},  // D1 is paid there
			{"1059.01", "70.01", Drifting},
			{"728.99", "-260.01", Drifting},
		} {
			s, err := b.TakeSnapshot(t.Context(), merchant, pkr(test.available), pkr("50"))
			require.NoError(t, err)
			require.Equal(t, pkr(test.drift), s.Drift)
			require.Equal(t, test.verdict, s.Verdict, test.drift)
		}
		latest, err := b.Snapshots(t.Context(), merchant, 2)
		require.NoError(t, err)
		require.Len(t, latest, 2)
		require.Equal(t, pkr("-260.01"), latest[0].Drift)
		require.Equal(t, pkr("70.01"), latest[1].Drift)
		all, err := b.Snapshots(t.Context(), merchant, 0)
		require.NoError(t, err)
		require.Len(t, all, 5)
		require.Equal(t, s, all[4])
		none, err := b.Snapshots(t.Context(), "M2", 0)
		require.NoError(t, err)
		require.Empty(t, none)

		vnd, err := money.Minor(1, "VND")
		require.NoError(t, err)
		_, err = b.TakeSnapshot(t.Context(), merchant, pkr("1"), vnd)
		require.ErrorIs(t, err, money.ErrMismatch)
	})
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		drift, withdrawals, deposits int64
		want                         Verdict
	}{
		{0, 0, 0, Agreed},
		{0, 5, 5, Agreed},
		{1, 0, 0, Drifting},
		{-1, 0, 0, Drifting},
		{-1, 0, 100, Drifting},
		{1, 100, 0, Drifting},
		{5, 0, 5, Unsettled},
		{6, 0, 5, Drifting},
		{-10, 5, 0, Unsettled},
		{-11, 5, 0, Drifting},
		{math.MinInt64, math.MaxInt64, 0, Unsettled},
		{math.MinInt64, math.MaxInt64 / 4, 0, Drifting},
		{-math.MaxInt64, math.MaxInt64, 0, Unsettled},
	} {
		require.Equal(t, test.want, judge(test.drift, test.withdrawals, test.deposits), "%+v", test)
	}
}
