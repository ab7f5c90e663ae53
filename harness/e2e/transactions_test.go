package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
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
		booked, err := h.books.Discrepancies(h.ctx, ledger.DiscrepancyFilter{Code: codes.DiscrepancyOwnWithdrawal})
		require.NoError(t, err)
		require.Equal(t, order.DiscrepancyHealed, booked[0].State)
	})
}

// settles books what the merchant of Vietnam took out, by two persons, with the
// gateway's id as evidence.
func (h *house) settles(t *testing.T, amount string) {
	t.Helper()
	found, err := h.books.Discrepancies(h.ctx, ledger.DiscrepancyFilter{Code: codes.DiscrepancyOwnWithdrawal, Open: true})
	require.NoError(t, err)
	require.Len(t, found, 1)
	merchant := "--merchant=" + h.Merchant("VN")
	h.starter(t, "adjust", "propose", "SETTLE-1", merchant, "--kind=settlement", "--amount="+amount, "--why=to our bank", "--evidence="+found[0].Mark, "--by=amina").answers(t, 0)
	h.starter(t, "adjust", "confirm", "SETTLE-1", merchant, "--by=dana").answers(t, 0)
}

// compared compares all transactions, requires an exit code, and returns the
// number of discrepancies by code.
//
// Comparisons go from one whole second to another. One within the same second as the one
// before has nothing to compare, so it is done again.
func (h *house) compared(t *testing.T, exit int) map[string]int {
	t.Helper()
	var report struct {
		Merchants []contract.MerchantTransactions
	}
	var r ran
	for windows := 0; windows == 0; {
		require.NoError(t, h.ctx.Err())
		r = h.starter(t, "reconcile", "--transactions")
		require.NoError(t, json.Unmarshal([]byte(r.out), &report), r.out)
		require.NotEmpty(t, report.Merchants)
		for _, m := range report.Merchants {
			windows += m.Windows
		}
	}
	require.Equal(t, exit, r.exit, "%s%s", r.out, r.err)
	found := make(map[string]int)
	for _, m := range report.Merchants {
		require.Empty(t, m.Problem)
		for _, finding := range m.Findings {
			found[finding.Code] += finding.Open
		}
	}
	return found
}

const comparisonsPath = "/v1/transaction-reconciliations"

// startsOneComparison starts a comparison of a merchant through the api while no worker
// runs: it is under way, and no second one begins.
func (h *house) startsOneComparison(t *testing.T, merchant string) {
	t.Helper()
	var first, again payouts.TransactionsRun
	require.NoError(t, json.Unmarshal(h.asks(t, http.StatusCreated, http.MethodPost, comparisonsPath, `{"merchant":"`+merchant+`"}`), &first))
	require.Equal(t, payouts.RunUnderWay, first.State)
	require.NoError(t, json.Unmarshal(h.asks(t, http.StatusOK, http.MethodPost, comparisonsPath, `{"merchant":"`+merchant+`"}`), &again))
	require.True(t, again.Existing)
	require.Equal(t, first.ID, again.ID)
	refused := h.asks(t, http.StatusConflict, http.MethodPost, comparisonsPath, `{"merchant":"`+merchant+`","from":"2026-05-01T00:00:00Z"}`)
	require.Contains(t, string(refused), "RECONCILIATION_UNDER_WAY")
	require.Contains(t, string(refused), first.ID)
}

// comparesTransactions starts a comparison through the api and reads its report, there and
// with starter.
func (h *house) comparesTransactions(t *testing.T, merchant string) {
	t.Helper()
	var run payouts.TransactionsRun
	require.NoError(t, json.Unmarshal(h.asks(t, http.StatusCreated, http.MethodPost, comparisonsPath, `{"merchant":"`+merchant+`"}`), &run))
	at := comparisonsPath + "/" + merchant + "/" + run.ID
	require.Eventually(t, func() bool {
		var now payouts.TransactionsRun
		require.NoError(t, json.Unmarshal(h.asks(t, http.StatusOK, http.MethodGet, at, ""), &now))
		run = now
		return run.State != payouts.RunUnderWay
	}, waitLimit, 100*time.Millisecond)
	require.Equal(t, payouts.RunDone, run.State)
	require.Equal(t, merchant, run.Report.Merchants[0].Merchant)
	require.Empty(t, run.Report.Merchants[0].Problem)
	h.asks(t, http.StatusNotFound, http.MethodGet, comparisonsPath+"/"+merchant+"/00000000-0000-4000-8000-000000000000", "")
	h.asks(t, http.StatusNotFound, http.MethodGet, comparisonsPath+"/M9/"+run.ID, "")

	var report payouts.TransactionReport
	desk := h.desk(t, "reconcile", "--transactions", "--merchant", merchant)
	require.NoError(t, json.Unmarshal([]byte(desk.out), &report), desk.err)
	require.Len(t, report.Merchants, 1)
	require.Equal(t, exitDone, desk.exit, desk.out+desk.err)
}
