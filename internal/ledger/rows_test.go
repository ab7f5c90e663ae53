package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// A transfer that is there already is left alone, and no balance moves by it:
// money follows from rows that were added, never from what was asked for.
func TestMoneyFollowsFromRowsThatWereAdded(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "100")
		open(t, b, r)
		payout := Transfer{Reason: ReasonPayout, From: AccountInFlight, To: AccountPaidOut, Amount: pkr("1")}
		for _, added := range []int{1, 0} { // the payout, then nothing
			require.NoError(t, b.inTx(t.Context(), func(x tx) error {
				h, err := x.lockOrder(t.Context(), r.Key())
				if err != nil {
					return err
				}
				booked, err := x.bookAs(t.Context(), transferRow{OrderID: &h.id, Merchant: h.Merchant, Currency: "PKR"}, h, append(reservation(h.Order), payout))
				require.Equal(t, added, booked)
				return err
			}))
			require.Equal(t, map[Account]string{
				AccountOpening: "-1000", AccountAvailable: "900", AccountInFlight: "99", AccountPaidOut: "1",
			}, b.balances(t))
		}
		require.Equal(t, []string{
			"reserve available -> in_flight 100.00 PKR", "payout in_flight -> paid_out 1.00 PKR",
		}, b.transfers(t, r.Key()))

		// Whoever needs all of them to be new is told, and nothing is kept.
		err := b.inTx(t.Context(), func(x tx) error {
			h, err := x.lockOrder(t.Context(), r.Key())
			if err != nil {
				return err
			}
			return x.bookAll(t.Context(), h, reservation(h.Order))
		})
		require.ErrorContains(t, err, "has booked 1 of these 1 transfers before")
	})
}
