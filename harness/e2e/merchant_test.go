package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestAMerchantIsAddedWorkerByWorker has one worker that knows a merchant and one
// that does not: its orders wait for the first and none is refused, whichever
// worker they come to.
func TestAMerchantIsAddedWorkerByWorker(t *testing.T) {
	t.Parallel()
	h := open(t, options{})
	require.NoError(t, h.Terminate(stack.Worker))
	var few []string
	for _, m := range h.Merchants {
		if m.Country != "VN" && m.Country != "BD" {
			few = append(few, m.Number+":"+m.Country)
		}
	}
	stop := begin(t, append(h.workerSettings(t), "PAYOUTS_MERCHANTS="+strings.Join(few, ","), "PAYOUTS_HEALTH_LISTEN=127.0.0.1:0"), "worker")
	known := h.withdrawal(t, "PK", "success", succeeds)
	lacking := []payment{h.withdrawal(t, "VN", "success", succeeds), h.expect(t, order.Deposit, "BD", "success", succeeds)}
	_, err := h.Orders.Start(h.ctx, lacking[1].request) // without waiting for instructions
	require.NoError(t, err)
	h.ended(t, known)
	for _, p := range lacking {
		until(t, h, p.request.Number+" to wait for another worker", func(ctx context.Context) (order.View, error) {
			return h.Orders.Order(ctx, p.key())
		}, func(view order.View) bool { return strings.Contains(view.Next, "waits for another worker") })
	}
	require.NoError(t, h.Launch(h.ctx, stack.Worker))
	for range 5 { // whichever worker takes them
		lacking = append(lacking, h.withdrawal(t, "VN", "success", succeeds))
	}
	h.ended(t, lacking...)
	stop()
}
