package e2e

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestTransactionsAreCompared compares all transactions with the gateway, as an
// operator does. First nothing differs. Then it books a refund that had no
// callback, and finds money that the merchant took out.
func TestTransactionsAreCompared(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		h := open(t, options{Options: stack.Options{DatabaseURL: databaseURL, Settings: map[string]string{
			"PAYOUTS_RECONCILE_LAG": "0s", "PAYOUTS_RECONCILE_RATE": "10000",
		}}})
		returned := h.withdrawal(t, "VN", "silent-success", refunds)
		h.ended(t,
			h.withdrawal(t, "VN", "success", succeeds), h.withdrawal(t, "PK", "fail", fails),
			h.withdrawal(t, "TH", "lost-answer", succeeds), h.deposit(t, "BD", "success", succeeds))
		h.stands(t, order.Succeeded, returned)
		h.starter(t, "reconcile").answers(t, 0) // which opens the books of who has no orders yet
		require.Empty(t, h.compared(t, 0))

		h.move(t, returned, tarspay.StateRefunded, "")
		_, err := h.Gateway.Fund(h.ctx, h.Merchant("VN"), "70000", true)
		require.NoError(t, err)
		require.Equal(t, map[string]int{codes.DiscrepancyOwnWithdrawal: 1}, h.compared(t, 4))
		h.stands(t, order.Refunded, returned)
		require.Equal(t, rules.FromQuery, h.lastStep(t, returned).Source)

		h.settles(t, "70000")
		require.Empty(t, h.compared(t, 0), "what two persons have booked is no finding")
	})
}

// settles books what the merchant of Vietnam took out, by two persons, with the
// gateway's id as evidence.
func (h *house) settles(t *testing.T, amount string) {
	t.Helper()
	h.discrepancies++
	found, err := h.books.Discrepancies(h.ctx, ledger.DiscrepancyFilter{Code: codes.DiscrepancyOwnWithdrawal, Open: true})
	require.NoError(t, err)
	require.Len(t, found, 1)
	merchant := "--merchant=" + h.Merchant("VN")
	h.starter(t, "adjust", "propose", "SETTLE-1", merchant, "--kind=settlement", "--amount="+amount, "--why=to our bank", "--evidence="+found[0].Mark, "--by=amina").answers(t, 0)
	h.starter(t, "adjust", "confirm", "SETTLE-1", merchant, "--by=dana").answers(t, 0)
}

// compared compares all transactions, requires an exit code, and returns the
// number of discrepancies by code.
func (h *house) compared(t *testing.T, exit int) map[string]int {
	t.Helper()
	r := h.starter(t, "reconcile", "--transactions")
	require.Equal(t, exit, r.exit, "%s%s", r.out, r.err)
	var report struct {
		Merchants []contract.MerchantTransactions
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &report), r.out)
	require.NotEmpty(t, report.Merchants)
	found := make(map[string]int)
	for _, m := range report.Merchants {
		require.Empty(t, m.Problem)
		for _, finding := range m.Findings {
			found[finding.Code] += finding.Open
		}
	}
	return found
}
