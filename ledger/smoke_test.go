package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

func TestSmoke(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		ctx := t.Context()
		require.NoError(t, b.Ping(ctx))
		r := request(order.Withdrawal, "W1", "100")
		_, opening, err := b.OpenOrder(ctx, r)
		require.NoError(t, err)
		require.Equal(t, BooksClosed, opening)
		b.books(t, "150", "20")
		o, opening, err := b.OpenOrder(ctx, r)
		require.NoError(t, err)
		require.Equal(t, Opened, opening)
		require.Equal(t, order.Reserved, o.State)
		_, opening, err = b.OpenOrder(ctx, r)
		require.NoError(t, err)
		require.Equal(t, Existing, opening)
		s, err := b.BeginSubmission(ctx, r.Key())
		require.NoError(t, err)
		o, err = b.CompleteSubmission(ctx, r.Key(), s.Attempt, Answer{Outcome: Accepted, GatewayID: "G1"})
		require.NoError(t, err)
		require.Equal(t, order.Submitted, o.State)
		b.clean(t)
		snap, err := b.TakeSnapshot(ctx, merchant, pkr("50"), pkr("120"))
		require.NoError(t, err)
		require.Equal(t, Agreed, snap.Verdict)
		settled, err := b.Settle(ctx, r.Key(), order.Finding{Source: order.FromQuery, Verdict: order.Paid, GatewayID: "G1", Paid: pkr("100"), Fee: pkr("2.5")})
		require.NoError(t, err)
		require.True(t, settled.Moved)
		b.clean(t)
		require.Equal(t, map[Account]string{AccountOpening: "-170", AccountAvailable: "47.5", AccountInFlight: "20", AccountPaidOut: "100", AccountFees: "2.5"}, b.balances(t))
		short, opening, err := b.OpenOrder(ctx, request(order.Withdrawal, "W2", "100"))
		require.NoError(t, err)
		require.Equal(t, Opened, opening)
		require.Equal(t, order.Failed, short.State)
		require.Equal(t, "the available balance of 47.50 PKR does not cover 100.00 PKR", short.Reason.Text)
		b.clean(t)
		orders, err := b.Orders(ctx, Filter{Open: true, NeedsReview: true, Limit: 5})
		require.NoError(t, err)
		require.Empty(t, orders)
		_, err = b.InboxCounts(ctx)
		require.NoError(t, err)
		_, err = b.PendingCallbacks(ctx, 5)
		require.NoError(t, err)
	})
}
