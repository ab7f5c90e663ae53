package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

func TestRefuseAbsent(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(t *testing.T) *testBundle) {
		reason := order.Reason{Code: order.CodeGatewayShort, Text: "no money"}

		t.Run("releases", func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			o := b.at(t, order.Withdrawal, order.Unknown)
			refused, err := b.RefuseAbsent(t.Context(), o.Key(), 1, reason)
			require.NoError(t, err)
			require.Equal(t, order.Failed, refused.State)
			require.Equal(t, reason, refused.Reason)
			require.NotContains(t, b.balancesOf(t, o.Merchant), AccountInFlight)
			b.clean(t)
		})

		// Somebody has sent it again since: what was asked proves nothing any more.
		t.Run("not after another attempt", func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			o := b.at(t, order.Withdrawal, order.Unknown)
			_, err := b.NextSubmission(t.Context(), o.Key(), 1)
			require.NoError(t, err)
			_, err = b.RefuseAbsent(t.Context(), o.Key(), 1, reason)
			require.ErrorIs(t, err, ErrState)
			now, err := b.Order(t.Context(), o.Key())
			require.NoError(t, err)
			require.Equal(t, order.Submitting, now.State)
			require.Equal(t, "100", b.balancesOf(t, o.Merchant)[AccountInFlight])
		})

		// What was said of it once does not touch an order that has moved on.
		t.Run("not once it has moved on", func(t *testing.T) {
			t.Parallel()
			for _, state := range []order.State{order.Submitted, order.Succeeded, order.InReview} {
				b := setup(t)
				o := b.at(t, order.Withdrawal, state)
				attempts, err := b.Submissions(t.Context(), o.Key())
				require.NoError(t, err)
				_, err = b.RefuseAbsent(t.Context(), o.Key(), len(attempts), reason)
				require.ErrorIs(t, err, ErrState, state)
				require.Empty(t, b.discrepancies(t, o.Key()), state)
			}
		})
	})
}
