package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// workerAway stops the worker while orders are in every state. Then it changes
// orders at the gateway and starts another worker, which finishes all orders.
func workerAway(t *testing.T, h *house) {
	waiting := h.withdrawal(t, "VN", "stuck", succeeds)
	refunded := h.withdrawal(t, "PK", "stuck", refunds)
	turned := h.withdrawal(t, "BD", "stuck,silent", refunds)
	h.stands(t, order.Submitted, waiting, refunded, turned)
	require.NoError(t, h.Terminate(stack.Worker))

	h.addressTaken(t)
	underWay := h.drain(t)
	unopened := h.withdrawal(t, "BR", "success", succeeds)
	h.move(t, waiting, tarspay.StateSucceeded, "")
	h.inbox(t, waiting, ledger.Signalled)
	h.refund(t, refunded)
	h.refundTurned(t, turned)

	require.NoError(t, h.Launch(h.ctx, stack.Worker))
	h.ended(t, append(underWay, waiting, refunded, turned, unopened)...)
	for _, p := range underWay {
		require.Equal(t, 1, h.booked(t, p)[0].CreatesReceived, p.request.Number)
	}
}

// drain stops a worker during creates with slow answers. The worker must wait for
// the answers, record them and end with status 0.
func (h *house) drain(t *testing.T) []payment {
	t.Helper()
	stop := begin(t, h.workerSettings(t), "worker")
	underWay := []payment{
		h.withdrawal(t, "PK", "slow-answer", succeeds),
		h.withdrawal(t, "TH", "slow-answer,silent", succeeds),
	}
	h.reaches(t, len(underWay), underWay...)
	r := stop()
	require.Zero(t, r.exit, r.err)
	require.Contains(t, r.err, "Worker drains")
	for _, secret := range h.secrets(t) {
		require.NotContains(t, r.err, secret)
	}
	for _, p := range underWay {
		attempts, err := h.books.Submissions(h.ctx, p.key())
		require.NoError(t, err)
		require.Len(t, attempts, 1)
		require.Equal(t, ledger.Ambiguous, attempts[0].Outcome, "the outcome of %s was waited for and written down", p.request.Number)
	}
	return underWay
}

// addressTaken starts a worker with an address that is in use.
func (h *house) addressTaken(t *testing.T) {
	t.Helper()
	taken := strings.TrimPrefix(h.Addresses.Admin, "http://")
	r := run(t, append(h.workerSettings(t), "PAYOUTS_HEALTH_LISTEN="+taken), "worker")
	require.Positive(t, r.exit)
	require.Contains(t, r.err, "(ADDRESS_IN_USE)")
	require.Contains(t, r.err, "PAYOUTS_HEALTH_LISTEN")
}

// refund pays and refunds an order while no worker runs. The next worker finds
// both callbacks. The first ends the order, and the second must not be lost.
func (h *house) refund(t *testing.T, p payment) {
	t.Helper()
	h.move(t, p, tarspay.StateSucceeded, "")
	h.heard(t, p)
	h.move(t, p, tarspay.StateRefunded, "")
	h.heard(t, p)
}

// refundTurned does the same, but the refund's callback comes first. The refund
// still waits for the gateway's confirmation when the payment's callback ends the
// order.
func (h *house) refundTurned(t *testing.T, p payment) {
	t.Helper()
	h.move(t, p, tarspay.StateSucceeded, "")
	paid := paidCallback(t, h.row(t, p))
	paid.Fee = h.booked(t, p)[0].Fee.Short()
	h.move(t, p, tarspay.StateRefunded, "")
	_, err := h.Gateway.Trigger(h.ctx, p.request.Merchant, p.request.Number, "")
	require.NoError(t, err)
	h.heard(t, p)
	body, signature := tarspay.EncodeCallback(paid, h.gatewaySigner(t))
	status, _ := h.post(t, badCallback{body: body, signature: signature})
	require.Equal(t, http.StatusOK, status)
}

// workerSettings returns the settings of a worker that the test starts in place of
// the stack's worker.
func (h *house) workerSettings(t *testing.T) []string {
	t.Helper()
	info, err := h.Gateway.Info(h.ctx)
	require.NoError(t, err)
	environment := append(append(h.Environment(), h.WorkerEnvironment()...),
		"PAYOUTS_DATABASE_URL="+h.DatabaseURL(),
		"PAYOUTS_GATEWAY_URL="+h.Addresses.Sandbox,
		"PAYOUTS_GATEWAY_PUBLIC_KEY="+info.PlatformKey,
		"PAYOUTS_GATEWAY_TIMEOUT=2s",
		"PAYOUTS_GATEWAY_RATE=1000",
		"PAYOUTS_NOT_FOUND_GRACE=2500ms",
		"PAYOUTS_NOTIFY_URL="+h.Addresses.Receiver,
		"PAYOUTS_KEY_DIR="+h.keyDir(),
		"PAYOUTS_HEALTH_LISTEN="+strings.TrimPrefix(h.Addresses.Worker, "http://"),
	)
	for name, value := range h.settings {
		environment = append(environment, name+"="+value)
	}
	return environment
}
