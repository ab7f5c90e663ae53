package payouts

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// What to do about an order that has ended follows from its reason. A code of the
// gateway can be looked up, and a refused way has others in its country.
func TestNextOfAnEndedOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const refused = "The order has ended. Correct what the gateway's code names, then request the payment again, under a new number; starter codes explains the code."
	for name, test := range map[string]struct {
		state  order.State
		reason order.Reason
		want   string
	}{
		"succeeded":           {order.Succeeded, order.Reason{}, orderEnded},
		"succeeded, resolved": {order.Succeeded, order.Reason{Code: order.CodeGatewayFailed}, orderEnded},
		"cancelled":           {order.Cancelled, order.Reason{Code: order.CodeCancelled}, orderEnded},
		"failed at the gateway": {order.Failed, order.Reason{Code: order.CodeGatewayFailed, Text: "the gateway says failed"},
			"The order has ended. Request the payment again, under a new number, if it is still wanted."},
		"refused": {order.Failed, order.Reason{Code: order.CodeGatewayRefused, Text: "the gateway refused it: code 5003001 (missing parameter)"},
			refused + " The gateway's code: codes of 5003001"},
		"refused way": {order.Failed, order.Reason{Code: order.CodeGatewayRefused, Text: "the gateway refused it: code 5003009 (wayCode not supported)"},
			refused + " The gateway's code: codes of 5003009. The country's ways: ways of PK"},
		"unknown reason": {order.Failed, order.Reason{Code: "NEVER_HEARD_OF"}, orderEnded},
	} {
		view := order.View{Country: "PK", Standing: order.Standing{State: test.state, Reason: test.reason}}
		require.Equal(t, test.want, b.withEnd(Order{Order: view}).Order.Next, name)
	}
	open := Order{Order: order.View{Next: "as it was", Standing: order.Standing{State: order.Submitted, Reason: order.Reason{Code: order.CodeGatewayFailed}}}}
	require.Equal(t, open, b.withEnd(open))
}

// The use cases that show an ended order say so.
func TestStatusOfAFailedOrderSaysWhatToDo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.opened(t, "INV-1")
	b.orders.view = row.View(order.Standing{State: order.Failed, Reason: order.Reason{Code: order.CodeGatewayFailed}})
	b.orders.owners = []string{merchant}
	const want = "The order has ended. Request the payment again, under a new number, if it is still wanted."
	got, err := b.without(nil, ErrNoLedger).Status(t.Context(), Actor{}, row.Key())
	require.NoError(t, err)
	require.Equal(t, want, got.Order.Next)
	got, err = b.without(nil, ErrNoLedger).Note(t.Context(), Actor{Name: "amina"}, row.Key(), "text")
	require.NoError(t, err)
	require.Equal(t, want, got.Order.Next)
}
