package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Adopting writes an order down from what its workflow was started with, which
// anybody may have started: it is no way around the limit or the rule of one
// payee.
func TestAdoptingIsNoWayAroundTheRules(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*order.Request){
		"above the limit": func(r *order.Request) { r.Amount = pkr(1001) },
		"two payees":      func(r *order.Request) { r.Amount, r.Details["walletId"] = pkr(900), "03119999999" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := order.Limits{"PKR": pkr(1000)}
			w := newWorld(t, func(s *activities.Settings) { s.Limits = limits })
			require.NoError(t, w.books.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))
			r := request(t, order.Withdrawal, "success")
			change(&r)
			books := activities.NewBooks(w.books, activities.Settings{Merchants: map[string]string{merchant: "PK"}, Limits: limits})
			acted, err := books.Act(t.Context(), r.Key(), contract.Action{Action: order.Adoption{By: "mallory", Run: "any", Request: &r}})
			require.NoError(t, err)
			require.Equal(t, order.CodeInvalidRequest, acted.Refusal.Code)
			_, err = w.books.Order(t.Context(), r.Key())
			require.Error(t, err, "nothing is written down")
			require.Equal(t, order.Rejected, w.drive(r).State)
			require.Empty(t, w.gateway.Book().Orders)
		})
	}
}

// Two causes that hold an order back in turn are told, and asked about with a
// rest that grows.
func TestCausesThatComeAndGoAreNoHotLoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.books.OpenBooks(t.Context(), merchant, pkr(1_000_000), pkr(0)))
	require.NoError(t, w.gateway.Switch(merchant, "key-expired", true))
	r := request(t, order.Withdrawal, "success")
	asked := 0
	w.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if name := info.ActivityType.Name; name == "FindOut" || name == "Submit" {
			asked++
			w.cut = asked%2 == 0
		}
	})
	w.RegisterDelayedCallback(func() {
		require.Less(t, asked, 200, "in an hour")
		require.NoError(t, w.gateway.Switch(merchant, "key-expired", false))
		w.SetOnActivityStartedListener(func(*activity.Info, context.Context, converter.EncodedValues) { w.cut = false })
		w.cut = false
	}, time.Hour)
	require.Equal(t, order.Succeeded, w.drive(r).State)
	w.balanced()
}
