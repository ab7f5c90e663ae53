package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A fee that was learned late is shown with its order, and in the day in which it was
// booked; it changes no figure and no hash.
func TestLateFees(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.clock(t, "2026-03-10 12:00:00.000")
		b.books(t, "1000", "0")
		for _, number := range []string{"W1", "W2"} {
			r := request(order.Withdrawal, number, "200")
			open(t, b, r)
			submit(t, b, r.Key(), Answer{Outcome: Accepted, GatewayID: "G" + number})
			settle(t, b, r.Key(), found("G"+number, rules.Paid, "200", "4"))
			require.NoError(t, b.OpenDifference(t.Context(), reconcile.Difference{
				Key: r.Key(), Code: codes.DiscrepancyRecord, Mark: "G" + number + " fee", Detail: "d", Currency: "PKR", Stake: 300, Delta: 300,
			}))
		}
		b.clock(t, "2026-03-11 12:00:00.000")
		first := b.discrepancyOf(t, order.Key{Merchant: merchant, Number: "W1"})
		second := b.discrepancyOf(t, order.Key{Merchant: merchant, Number: "W2"})
		propose(t, b, adjustment(BookingRef(second.ID), AdjustFee, "3"))
		adjusted(t, b, adjustment(BookingRef(first.ID), AdjustFee, "3"))
		adjusted(t, b, adjustment("by-hand", AdjustFee, "1"))
		b.clock(t, "2026-03-14 09:00:00.000")

		want := []LateFee{{
			Number: "W1", Kind: AdjustFee, Amount: pkr("3"), Ref: BookingRef(first.ID), By: "amina and bilal", At: time.Date(2026, 3, 11, 7, 0, 0, 0, time.UTC),
		}}
		got, err := b.LateFees(t.Context(), order.Key{Merchant: merchant, Number: "W1"})
		require.NoError(t, err)
		require.Equal(t, want, got)
		story, err := b.Story(t.Context(), order.Key{Merchant: merchant, Number: "W1"})
		require.NoError(t, err)
		require.Equal(t, want, story.LateFees)
		got, err = b.LateFees(t.Context(), order.Key{Merchant: merchant, Number: "W2"})
		require.NoError(t, err)
		require.Empty(t, got, "it is proposed only")

		require.Empty(t, b.day(t, "2026-03-10").OfOrders)
		day := b.day(t, "2026-03-11")
		require.Equal(t, want, day.OfOrders)
		require.Equal(t, "4", day.LateFees.Amount.Short(), "with the one that belongs to no order")
		_, hash, err := canonicalDay(day.DayFigures)
		require.NoError(t, err)
		require.Equal(t, hash, day.Hash)
		b.closes(t, "2026-03-11", "amina", "")
		require.Equal(t, want, b.day(t, "2026-03-11").OfOrders)
		b.clean(t)
	})
}
