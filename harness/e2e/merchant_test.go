package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestAMerchantIsAddedWorkerByWorker runs one worker that knows a merchant and one
// that does not. The merchant's orders wait for the first worker, and none is
// refused.
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

// TestAKeyAndALimitChangeWorkerByWorker rotates a merchant's key and lowers a
// limit while orders come in. The gateway accepts one key at a time, so it refuses
// the calls of the worker with the old key. Orders wait and none fails. Orders
// that were opened under the old limit are paid.
func TestAKeyAndALimitChangeWorkerByWorker(t *testing.T) {
	t.Parallel()
	h := open(t, options{Options: stack.Options{Settings: map[string]string{"PAYOUTS_MAX_AMOUNT": "PKR:1000"}}})
	require.NoError(t, h.Terminate(stack.Worker))
	pakistan := h.Merchant("PK")
	stopOld := begin(t, append(h.workerSettings(t), "PAYOUTS_MAX_AMOUNT=PKR:2000", "PAYOUTS_HEALTH_LISTEN=127.0.0.1:0"), "worker")
	h.ended(t, h.withdrawal(t, "PK", "success", succeeds))

	secret, public, err := tarspay.GenerateKey()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(h.keyDir(), pakistan+".key"), []byte(secret+"\n"), 0o600))
	require.NoError(t, h.Gateway.SetKey(h.ctx, pakistan, public))
	var waiting []payment
	for range 5 {
		waiting = append(waiting, h.withdrawal(t, "PK", "success", succeeds))
	}
	breaker := func(ctx context.Context) (bool, error) {
		_, open, err := h.books.Breaker(ctx, pakistan)
		return open, err
	}
	until(t, h, "the breaker to open", breaker, func(open bool) bool { return open })
	for _, p := range waiting {
		until(t, h, p.request.Number+" to be on record", h.standing(p), func(order.Standing) bool { return true })
	}

	require.NoError(t, h.Launch(h.ctx, stack.Worker))
	h.ended(t, h.withdrawal(t, "VN", "success", succeeds)) // another merchant's, with both workers
	stopOld()
	h.ended(t, waiting...)
	until(t, h, "the breaker to close", breaker, func(open bool) bool { return !open })

	above := h.request(t, order.Withdrawal, "PK", "E2E-ABOVE", "success")
	require.NoError(t, h.start(h.ctx, above))
	view := until(t, h, "an order above the new limit to end", func(ctx context.Context) (order.View, error) {
		return h.Orders.Order(ctx, above.Key())
	}, func(view order.View) bool { return view.State.Terminal() })
	require.Equal(t, order.Rejected, view.State)
	require.Contains(t, view.Reason.Text, "1000.00 PKR")
}
