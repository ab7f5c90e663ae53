package payouts

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// nextStep has a text for every state in which an order can be adopted.
func TestNextStep(t *testing.T) {
	t.Parallel()
	for _, state := range order.States() {
		require.Equal(t, !state.Terminal(), nextStep[state] != "", state)
	}
}

// The next step of an open order is what its workflow tells, or that of its state; and
// how to approve an order that waits for it.
func TestTheNextStepIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	view := order.View{Merchant: merchant, Number: "INV-1", Standing: order.Standing{State: order.Submitting}}
	require.Equal(t, "told", b.next(view, "told"))
	require.Equal(t, nextStep[order.Submitting], b.next(view, ""))
	view.State = order.AwaitingApproval
	require.Equal(t, "told Look at it, and approve it: "+b.parts.Ask(UseApprove, view.Key()), b.next(view, "told"))
}
