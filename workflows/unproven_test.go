package workflows_test

import (
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// everybody is an authority that permits all actions. Starts are not signed.
type everybody struct{ ledger.Authority }

func (everybody) Refresh() {}

func (everybody) Permit(order.Action, order.Order, time.Time) (envelope.Kept, *order.Refusal) {
	return envelope.Kept{}, nil
}

// An order that waits for approvals is set to `reserved` in its row. Its workflow sends nothing:
// the order is in review, and goes on when a person has resolved it.
func TestAnOrderOfItsRowAloneIsReviewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.books.SetAuthority(everybody{})
	r := request(t, order.Withdrawal, "paid")
	w.RegisterDelayedCallback(func() {
		database, err := sqlx.Open("sqlite", w.file+"?_pragma=busy_timeout(10000)")
		require.NoError(t, err)
		_, err = database.ExecContext(t.Context(), "UPDATE orders SET state = 'reserved' WHERE state = 'awaiting_approval'")
		require.NoError(t, err)
		require.NoError(t, database.Close())
	}, time.Minute)
	w.RegisterDelayedCallback(func() {
		value, err := w.QueryWorkflow(contract.OrderQuery)
		require.NoError(t, err)
		var view order.View
		require.NoError(t, value.Get(&view))
		require.Equal(t, order.InReview, view.State)
		require.Equal(t, codes.OrderUnproven, view.Reason.Code)
		w.update(t, order.ActionResolve, "", resolution(order.Failed))
	}, 80*time.Hour)
	require.Equal(t, order.Failed, w.drive(r).State)

	attempts, err := w.books.Submissions(t.Context(), r.Key())
	require.NoError(t, err)
	require.Empty(t, attempts)
	require.Empty(t, w.gateway.Book().Orders, "the gateway has heard of no order")
	balances, err := w.books.Balances(t.Context(), merchant, "PKR")
	require.NoError(t, err)
	require.True(t, balances[ledger.AccountInFlight].IsZero())
}
