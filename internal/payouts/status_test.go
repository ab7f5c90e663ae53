package payouts

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The state is the ledger's. Temporal's answer says whether a workflow drives the
// order.
func TestStatusIsTheLedgers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.opened(t, "INV-1")
	key := row.Key()

	undriven, err := b.Status(t.Context(), Actor{}, key)
	require.NoError(t, err)
	require.Equal(t, FromLedger, undriven.Source)
	require.Equal(t, row.State, undriven.Order.State)
	require.Equal(t, codes.DiscrepancyOrphan, undriven.Problem.Code)
	require.Contains(t, undriven.Problem.Text, "let one go on with it: adopt of INV-1")

	b.orders.owners, b.orders.viewErr = []string{merchant}, errors.New("no worker")
	silent, err := b.Status(t.Context(), Actor{}, key)
	require.NoError(t, err)
	require.Nil(t, silent.Problem)
	require.Equal(t, "Not known: no worker answers for the order's workflow.", silent.Order.Next)

	b.orders.viewErr, b.orders.view = nil, order.View{Merchant: merchant, Number: "INV-1", Fingerprint: "another", Standing: order.Standing{State: order.Succeeded}}
	other, err := b.Status(t.Context(), Actor{}, key)
	require.NoError(t, err)
	require.Equal(t, row.State, other.Order.State, "a workflow with other content does not say where the order stands")
	require.Equal(t, order.CodeOrderConflict, other.Problem.Code)

	_, err = b.Poll(t.Context(), Actor{Name: "amina"}, order.Key{Merchant: merchant, Number: "INV-1"})
	require.Equal(t, order.CodeOrderConflict, order.CodeOf(err))
}

// An order that ends between the look into the ledger and the one into Temporal has lost no
// workflow.
func TestAnOrderThatEndsMeanwhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.opened(t, "INV-1")
	b.orders.finds = func() {
		_, _, _, err := b.ledger.Act(t.Context(), row.Key(), order.Cancellation{ID: "1", By: "amina", Why: "paid by hand"}, false)
		require.NoError(t, err)
	}
	ended, err := b.Status(t.Context(), Actor{}, row.Key())
	require.NoError(t, err)
	require.Equal(t, order.Cancelled, ended.Order.State)
	require.Nil(t, ended.Problem)

	row = b.opened(t, "INV-2")
	list, err := b.List(t.Context(), Actor{}, Filter{Filter: client.Filter{Open: true, Limit: 10}})
	require.NoError(t, err)
	require.Len(t, list.Orders, 1)
	require.Equal(t, order.Cancelled, list.Orders[0].State)
	require.Empty(t, list.Orders[0].Problem)
}

// Without an answer of the ledger, the state is the workflow's, and the source
// says so.
func TestStatusWithoutTheLedger(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.orders.owners = []string{merchant}
	b.orders.view = order.View{Merchant: merchant, Number: "INV-1", Fingerprint: "f00d", Standing: order.Standing{State: order.Submitted}}
	key := order.Key{Merchant: merchant, Number: "INV-1"}

	got, err := b.without(nil, errors.New("away")).Status(t.Context(), Actor{}, key)
	require.NoError(t, err)
	require.Equal(t, FromWorkflow, got.Source)
	require.Contains(t, got.Problem.Text, "the ledger, which decides, cannot be asked: away")

	got, err = b.without(nil, ErrNoLedger).Status(t.Context(), Actor{}, key)
	require.NoError(t, err)
	require.Nil(t, got.Problem)

	noted, err := b.without(nil, errors.New("away")).Note(t.Context(), Actor{Name: "amina"}, key, "text")
	require.NoError(t, err)
	require.True(t, noted.LedgerAway)
}

// A wait that is over says where the order stands, and what happens next. An order
// that has ended at that moment is the answer.
func TestAWaitThatIsOverSaysWhereTheOrderStands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.opened(t, "INV-1")
	b.orders.owners, b.orders.blocks = []string{merchant}, true
	b.orders.view = row.View(order.Standing{State: order.Reserved})
	b.orders.view.Next = "Waits for a second person."
	_, err := b.Wait(t.Context(), Actor{}, row.Key(), time.Millisecond)
	require.Equal(t, client.CodeNoAnswer, order.CodeOf(err))
	require.ErrorContains(t, err, "order "+row.Key().String()+" is still under way: it is reserved. Next: Waits for a second person. Look again with: wait of INV-1")

	_, err = b.StartDeposit(t.Context(), Actor{}, row.Request, time.Millisecond)
	require.Equal(t, client.CodeNoAnswer, order.CodeOf(err))
	require.ErrorContains(t, err, "has no instructions yet: it is reserved. Next: Waits for a second person. The same command again is safe")

	b.orders.owners = nil // no workflow drives it
	_, err = b.Await(t.Context(), Actor{}, row.Key(), time.Millisecond)
	require.ErrorContains(t, err, "it is reserved. Problem: no workflow drives the order")

	b.orders.owners, b.orders.view.State = []string{merchant}, order.Failed
	ended, err := b.without(nil, ErrNoLedger).Await(t.Context(), Actor{}, row.Key(), time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, order.Failed, ended.Order.State)

	b.orders.findErr = errors.New("away")
	_, err = b.without(nil, ErrNoLedger).Await(t.Context(), Actor{}, row.Key(), time.Millisecond)
	require.ErrorContains(t, err, "is still under way. Look again with: wait of INV-1")
}
