package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/order"
)

// crowd is the orders during a kill of the worker: both kinds, all countries, and
// most of the gateway's faults.
var crowd = []struct {
	kind     order.Kind
	country  string
	scenario string
	end      end
}{
	{order.Withdrawal, "PK", "success", succeeds},
	{order.Deposit, "PK", "success", succeeds},
	{order.Withdrawal, "VN", "silent-success", succeeds},
	{order.Withdrawal, "TH", "lost-answer", succeeds},
	{order.Deposit, "BD", "lost-answer", succeeds},
	{order.Withdrawal, "BR", "lost-request", succeeds},
	{order.Deposit, "PK", "partial:40", partly},
	{order.Withdrawal, "BD", "fail", fails},
	{order.Withdrawal, "PK", "refuse", refused},
	{order.Withdrawal, "VN", "late-booking", succeeds},
	{order.Withdrawal, "BR", "refund", refunds},
	{order.Deposit, "BD", "expire", expires},
	{order.Withdrawal, "BR", "lost-answer,silent-fail", fails},
	{order.Deposit, "PK", "silent-success", succeeds},
	{order.Withdrawal, "BD", "http-503-unbooked", succeeds},
	{order.Withdrawal, "PK", "system-error", succeeds},
	{order.Withdrawal, "VN", "early-callback", succeeds},
	{order.Deposit, "BD", "lost-request", succeeds},
	{order.Withdrawal, "TH", "duplicate-callback:5", succeeds},
	{order.Withdrawal, "BR", "lost-answer,hidden:2", succeeds},
}

// TestWorkerIsKilled kills the worker twice during creates. Every order must end
// as without the kill, and none is paid twice.
func TestWorkerIsKilled(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		h := open(t, options{Options: stack.Options{DatabaseURL: databaseURL}})
		first := h.killAmidst(t)
		require.NoError(t, h.Launch(h.ctx, stack.Worker))
		second := h.killAmidst(t)
		require.NoError(t, h.Launch(h.ctx, stack.Worker))
		require.NoError(t, first())
		require.NoError(t, second())
	})
}

// killAmidst starts many orders. When a third of the orders has reached the
// gateway, it kills the worker during one more create, which has no answer yet.
// The other orders are in every state then. The rest of the orders is started
// without a worker. Deposits among them wait for the next worker, and so does the
// returned function.
func (h *house) killAmidst(t *testing.T) (started func() error) {
	t.Helper()
	var payments []payment
	for _, c := range crowd {
		payments = append(payments, h.expect(t, c.kind, c.country, c.scenario, c.end))
	}
	started = h.startAll(payments)
	h.reaches(t, len(crowd)/3, payments...)
	for !h.killedUnanswered(t) {
		require.NoError(t, h.Launch(h.ctx, stack.Worker))
	}
	return started
}

// killedUnanswered kills the worker while a create has no answer, and says whether
// it did. It did not if the worker gave up waiting for the answer before the kill
// came, as on a machine so busy that the kill takes longer than a gateway call may.
func (h *house) killedUnanswered(t *testing.T) bool {
	t.Helper()
	slow := h.withdrawal(t, "PK", "slow-answer", succeeds)
	h.reaches(t, 1, slow)
	require.NoError(t, h.Kill(stack.Worker))
	attempts, err := h.books.Submissions(h.ctx, slow.key())
	require.NoError(t, err)
	require.NotEmpty(t, attempts)
	return attempts[len(attempts)-1].Outcome == ""
}
