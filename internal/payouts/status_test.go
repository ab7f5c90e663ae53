package payouts

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

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
	require.Equal(t, order.DiscrepancyOrphan, undriven.Problem.Code)
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

	_, err = b.Poll(t.Context(), Actor{"amina"}, order.Key{Merchant: merchant, Number: "INV-1"})
	require.Equal(t, order.CodeOrderConflict, order.CodeOf(err))
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

	noted, err := b.without(nil, errors.New("away")).Note(t.Context(), Actor{"amina"}, key, "text")
	require.NoError(t, err)
	require.True(t, noted.LedgerAway)
}
