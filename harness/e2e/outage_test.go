package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/harness/proxy"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestOutages stops every dependency of an order, one after the other. Accepted
// orders are not polled for an hour, so orders that end before were ended by a
// callback.
func TestOutages(t *testing.T) {
	t.Parallel()
	database := dbtest.Server(t)
	line := newProxy(t, database)
	h := open(t, options{proxy: line, Options: stack.Options{
		DatabaseURL: database,
		Settings: map[string]string{
			"PAYOUTS_CALLBACK_GRACE":     "1h",
			"PAYOUTS_WITHDRAWAL_HORIZON": "24h",
			"PAYOUTS_DEPOSIT_HORIZON":    "24h",
		},
	}})
	// Not parallel: each test stops something that the next needs.
	t.Run("TemporalAndReceiverAway", func(t *testing.T) { temporalAndReceiverAway(t, h) })
	t.Run("DatabaseAway", func(t *testing.T) { databaseAway(t, h, line) })
	t.Run("GatewayAway", func(t *testing.T) { gatewayAway(t, h) })
}

// temporalAndReceiverAway sends callbacks while Temporal is stopped, and while the
// receiver is killed. When Temporal runs again on its data, a new receiver must
// pass on all callbacks.
func temporalAndReceiverAway(t *testing.T, h *house) {
	payments := []payment{
		h.withdrawal(t, "PK", "stuck", succeeds),
		h.withdrawal(t, "BR", "stuck", fails),
		h.deposit(t, "PK", "stuck", succeeds),
		h.deposit(t, "BD", "stuck", partly),
		h.withdrawal(t, "VN", "stuck", succeeds),
	}
	h.stands(t, order.Submitted, payments...)
	require.NoError(t, h.Terminate(stack.Temporal))

	stored, unheard := payments[:4], payments[4]
	h.move(t, stored[0], tarspay.StateSucceeded, "")
	h.move(t, stored[1], tarspay.StateFailed, "")
	h.move(t, stored[2], tarspay.StateSucceeded, "")
	h.move(t, stored[3], tarspay.StatePartial, "700")
	for _, p := range stored {
		h.heard(t, p)
		h.inbox(t, p, ledger.Stored)
	}
	require.NoError(t, h.Kill(stack.Receiver))
	h.move(t, unheard, tarspay.StateSucceeded, "")
	h.sent(t, unheard, func(s sandbox.Send) bool { return s.Status == 0 && s.Error != "" })
	require.NoError(t, h.Launch(h.ctx, stack.Receiver), "the receiver starts without Temporal")
	h.heard(t, unheard)
	for _, p := range payments {
		require.Equal(t, order.Submitted, h.row(t, p).State, "nobody could be told of %s", p.request.Number)
	}

	require.NoError(t, h.Launch(h.ctx, stack.Temporal))
	h.ended(t, payments...)
	for _, p := range payments {
		entry := h.inbox(t, p, ledger.Done)
		if p.end == fails {
			continue // what releases money is settled on the gateway's word, asked for because of the callback
		}
		step := h.lastStep(t, p)
		require.Equal(t, rules.FromCallback, step.Source, p.request.Number)
		require.Equal(t, entry.ID, step.Evidence, p.request.Number)
	}
}

// databaseAway cuts every connection to the database while one order waits for its
// callback, the create of a second is running, and a third is started.
func databaseAway(t *testing.T, h *house, line *proxy.Proxy) {
	waiting := h.withdrawal(t, "PK", "stuck", succeeds)
	h.stands(t, order.Submitted, waiting)
	underWay := h.withdrawal(t, "VN", "slow-answer", succeeds)
	h.reaches(t, 1, underWay)
	before := h.counter(t, callback.CodeStore)
	line.Set(proxy.Refusing)

	withdrawal := h.withdrawal(t, "BD", "success", succeeds)
	deposit := h.expect(t, order.Deposit, "PK", "success", succeeds)
	started := h.startAll([]payment{deposit})
	h.move(t, waiting, tarspay.StateSucceeded, "")
	h.sent(t, waiting, func(s sandbox.Send) bool {
		return s.Status == http.StatusServiceUnavailable && strings.Contains(s.Answer, callback.CodeStore)
	})
	require.Greater(t, h.counter(t, callback.CodeStore), before)
	for _, door := range []string{h.Addresses.Admin, h.Addresses.Worker} {
		status, _ := h.get(t, door+"/readyz")
		require.Equal(t, http.StatusServiceUnavailable, status, "nobody is ready without the database")
	}
	require.Equal(t, order.Submitted, h.row(t, waiting).State)
	h.asked(t, underWay, 2) // its answer has come to nothing, and that could not be written down
	_, err := h.books.Order(h.ctx, withdrawal.key())
	require.ErrorIs(t, err, ledger.ErrNotFound, "it waits to be written down")
	require.Empty(t, h.booked(t, withdrawal), "nothing is sent before it is written down")

	line.Set(proxy.Passing)
	require.NoError(t, started())
	h.ended(t, waiting, underWay, withdrawal, deposit)
	require.Equal(t, rules.FromCallback, h.lastStep(t, waiting).Source)
	require.Equal(t, 1, h.booked(t, underWay)[0].CreatesReceived, "what is known to be on its way is asked for, not sent again")
}

// gatewayAway stops the gateway before one create and in the middle of another.
func gatewayAway(t *testing.T, h *house) {
	underWay := h.withdrawal(t, "TH", "slow-answer", succeeds)
	h.reaches(t, 1, underWay)
	require.NoError(t, h.Kill(stack.Sandbox))
	unsent := h.withdrawal(t, "PK", "success", succeeds)

	h.heldUp(t, underWay, order.Unknown, order.CodeGatewayUnknown)
	h.heldUp(t, unsent, order.Submitting, order.CodeGatewayAway)
	listed := until(t, h, "the list to show the unknown order", func(ctx context.Context) ([]client.Row, error) {
		return h.Orders.List(ctx, client.Filter{State: order.Unknown})
	}, func(rows []client.Row) bool { return len(rows) == 1 })
	require.Equal(t, underWay.key(), listed[0].Key())

	require.NoError(t, h.Launch(h.ctx, stack.Sandbox))
	h.ended(t, underWay, unsent)
	for _, p := range []payment{underWay, unsent} {
		require.Equal(t, 1, h.booked(t, p)[0].CreatesReceived, p.request.Number)
	}
}

// heldUp waits until an order is held up for a reason, and requires that its funds
// stay reserved. No other order of its merchant may be open.
func (h *house) heldUp(t *testing.T, p payment, state order.State, code string) {
	t.Helper()
	now := until(t, h, p.request.Number+" to be held up", h.standing(p), func(now order.Standing) bool { return now.Reason.Code != "" })
	require.Equal(t, state, now.State, p.request.Number)
	require.Equal(t, code, now.Reason.Code, p.request.Number)
	accounts, err := h.books.Balances(h.ctx, p.request.Merchant, p.request.Amount.Currency())
	require.NoError(t, err)
	require.Equal(t, p.request.Amount, accounts[ledger.AccountInFlight], "the reservation of %s stays", p.request.Number)
}
