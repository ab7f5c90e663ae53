package e2e

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Money of the merchant leaves the gateway, and the ledger does not know of it.
// After one withdrawal (1500, and a fee of 15) the gateway's balance covers two
// more withdrawals, and the ledger's covers five.
const (
	opens   = "10000"
	leaves  = "5000"
	waiting = 5
)

// starved is the end of a withdrawal if the gateway never gets the funds.
var starved = end{order.Failed, order.CodeGatewayShort, 0}

// TestFundsComeAtTheGateway starts withdrawals that the ledger's balance covers
// and the gateway's does not. They wait. Then money is paid in at the gateway. The
// withdrawals are sent again under their numbers, and each is paid once.
func TestFundsComeAtTheGateway(t *testing.T) {
	t.Parallel()
	h := openPoorer(t, "1h")
	var payments []payment
	for range waiting {
		payments = append(payments, h.expect(t, order.Withdrawal, "PK", "success", succeeds))
	}
	h.startTogether(t, payments)
	held := h.hungry(t, waiting-2, payments)
	for _, p := range held {
		require.Empty(t, h.booked(t, p), "%s waits for funds", p.request.Number)
	}
	h.setAside(t, held)
	require.Equal(t, slices.Repeat([]string{"funds"}, len(held)), h.queued(t))

	h.fund(t, leaves, false)
	h.ended(t, payments...)
	require.Empty(t, h.queued(t))
	for _, p := range held {
		booked := h.booked(t, p)
		require.Len(t, booked, 1)
		require.GreaterOrEqual(t, booked[0].CreatesReceived, 2, "%s was sent again under its number", p.request.Number)
	}
	h.setAside(t, nil)
}

// TestFundsDoNotComeAtTheGateway lets the deadline pass. The order fails and its
// reservation is released. Funds that come later change nothing.
func TestFundsDoNotComeAtTheGateway(t *testing.T) {
	t.Parallel()
	h := openPoorer(t, "8s")
	h.fund(t, "3000", true)
	p := h.withdrawal(t, "PK", "success", starved)
	h.ended(t, p)
	trail, err := h.books.Audit(h.ctx, p.key())
	require.NoError(t, err)
	var actions []ledger.AuditAction
	for _, entry := range trail {
		actions = append(actions, entry.Action)
	}
	require.Contains(t, actions, ledger.ActionHold, "it waited first")
	h.setAside(t, nil)

	h.fund(t, "8000", false)
	h.completed(t, p)
	require.Empty(t, h.booked(t, p))
	next := h.withdrawal(t, "PK", "success", succeeds)
	h.ended(t, next)
}

// openPoorer opens a house whose gateway has less money than its ledger. Its
// orders wait for funds until a deadline.
func openPoorer(t *testing.T, deadline string) *house {
	t.Helper()
	h := openWaiting(t, "", opens, deadline)
	h.fund(t, leaves, true)
	return h
}

// openWaiting opens a house with one merchant, whose orders wait for funds until a
// deadline. Its opening balance is booked, and one withdrawal is paid.
func openWaiting(t *testing.T, databaseURL, balance, deadline string) *house {
	t.Helper()
	h := open(t, options{Options: stack.Options{
		DatabaseURL: databaseURL,
		Merchants:   []sandbox.Merchant{{Number: "M1700000001", Country: "PK", Balance: balance}},
		Settings: map[string]string{
			"PAYOUTS_SHORT_BALANCE":   "wait",
			"PAYOUTS_FUNDS_DEADLINE":  deadline,
			"PAYOUTS_RECONCILE_EVERY": "168h", // balances are compared when a test says so
		},
	}})
	h.ended(t, h.withdrawal(t, "PK", "success", succeeds))
	return h
}

// fund moves the merchant's own money into the gateway's balance, or out of the
// balance.
func (h *house) fund(t *testing.T, amount string, out bool) {
	t.Helper()
	_, err := h.Gateway.Fund(h.ctx, h.Merchant("PK"), amount, out)
	require.NoError(t, err)
}

// hungry waits until count payments wait for funds at the gateway and the others
// have ended. It returns the waiting payments.
func (h *house) hungry(t *testing.T, count int, payments []payment) []payment {
	t.Helper()
	return until(t, h, "orders to wait for funds", func(ctx context.Context) ([]payment, error) {
		var held []payment
		for _, p := range payments {
			row, err := h.books.Order(ctx, p.key())
			if err != nil {
				return nil, err
			}
			if row.State == order.Submitting && row.Reason.Code == order.CodeGatewayShort {
				held = append(held, p)
			} else if !row.State.Terminal() {
				return nil, nil
			}
		}
		return held, nil
	}, func(held []payment) bool { return len(held) == count })
}

// setAside requires that the funds of exactly these payments are reserved.
func (h *house) setAside(t *testing.T, payments []payment) {
	t.Helper()
	sum := int64(0)
	for _, p := range payments {
		sum += p.request.Amount.Minor()
	}
	accounts, err := h.books.Balances(h.ctx, h.Merchant("PK"), "PKR")
	require.NoError(t, err)
	require.Equal(t, sum, accounts[ledger.AccountInFlight].Minor(), "in flight")
}
