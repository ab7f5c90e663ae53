package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// visit is what one payer does on the cashier page, and what must come of it.
type visit struct {
	name                 string
	country, way, amount string
	button               string // its id
	part                 string // what is typed beside the button, "" nothing
	asks                 string // amount and currency that the payer reads
	returns              bool   // to the shop
	shown                string // the state on the page afterwards
	state                order.State
	paid                 string // in the country's currency
}

// TestCashier pays deposits the way a payer does, from the page that the payUrl
// opens to our ledger.
func TestCashier(t *testing.T) {
	t.Parallel()
	b := setup(t, stack.Options{})
	shop := openShop(t)
	t.Run("Payers", func(t *testing.T) {
		for i, v := range []visit{
			{name: "InFull", country: "PK", way: "jazzcash", amount: "1500", button: "#pay", asks: "1500 PKR", returns: true,
				shown: "succeeded", state: order.Succeeded, paid: "1500"},
			{name: "APart", country: "BR", way: "CASHIER", amount: "250.75", button: "#part", part: "100.25", asks: "250.75 BRL", returns: true,
				shown: "partially paid", state: order.PartiallyPaid, paid: "100.25"},
			{name: "Fails", country: "TH", way: "CASHIER", amount: "900", button: "#fail", asks: "900 THB", returns: true,
				shown: "failed", state: order.Failed, paid: "0"},
			{name: "Expires", country: "BD", way: "EWALLET_BKASH", amount: "2500", button: "#expire", asks: "2500 BDT",
				shown: "timed out", state: order.Expired, paid: "0"},
		} {
			number := fmt.Sprintf("CART-%d", i+1)
			t.Run(v.name, func(t *testing.T) {
				t.Parallel()
				request := b.request(t, order.Deposit, v.country, v.way, number, v.amount, "cashier")
				request.ReturnURL = shop + "/thanks/" + number
				b.pay(t, v, request)
				b.credited(t, v, request)
			})
		}
	})
	b.weigh(t)
}

// openShop serves the page to which payers return.
func openShop(t *testing.T) (address string) {
	t.Helper()
	routes := http.NewServeMux()
	routes.HandleFunc("GET /thanks/{number}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><title>Shop</title><h1 id="thanks">Back from %s</h1>`, r.PathValue("number"))
	})
	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)
	return server.URL
}

// pay opens the payUrl and does what the visit says.
func (b *testBundle) pay(t *testing.T, v visit, request order.Request) {
	t.Helper()
	begun, _, err := b.Orders.StartDeposit(b.ctx, request)
	require.NoError(t, err)
	require.NotNil(t, begun.Instructions, "%s %s", begun.State, begun.Reason.Text)

	p := b.open(t, begun.Instructions.PayURL)
	require.Equal(t, v.asks, p.text("#amount")+" "+p.text("#currency"))
	if v.part != "" {
		p.fill("#part-amount", v.amount)
		p.click(v.button)
		require.Contains(t, p.text("#mistake"), "less than the whole amount")
		p.fill("#part-amount", v.part)
	}
	p.click(v.button)
	if v.returns {
		require.Equal(t, "Back from "+request.Number, p.text("#thanks"))
		require.Equal(t, request.ReturnURL, p.address())
		p.visit(begun.Instructions.PayURL) // again, as with the browser's history
	}
	p.gone("form")
	require.Equal(t, v.shown, p.text("#state"))
	require.Equal(t, "Back to the shop", p.text("#return"))
}

// credited waits for our order's end, and demands that the ledger moved what
// was paid, and no more.
func (b *testBundle) credited(t *testing.T, v visit, request order.Request) {
	t.Helper()
	view, err := b.Orders.Wait(b.ctx, request.Key())
	require.NoError(t, err)
	require.Equal(t, v.state, view.State, view.Reason.Text)
	paid, err := order.ParseAmount(v.paid, v.country)
	require.NoError(t, err)
	booked, err := b.Gateway.Orders(b.ctx, request.Merchant, request.Number)
	require.NoError(t, err)
	require.Len(t, booked, 1)

	moved := make(map[ledger.TransferReason]money.Amount)
	transfers, err := b.books.Transfers(b.ctx, request.Key())
	require.NoError(t, err)
	for _, transfer := range transfers {
		moved[transfer.Reason] = transfer.Amount
	}
	if paid.IsZero() {
		require.Empty(t, moved)
		return
	}
	require.Equal(t, paid, view.Paid)
	require.Equal(t, booked[0].Fee, view.Fee)
	require.Equal(t, map[ledger.TransferReason]money.Amount{ledger.ReasonPayment: paid, ledger.ReasonFee: booked[0].Fee}, moved)
}

// weigh demands that the ledger agrees with itself and with the gateway.
func (b *testBundle) weigh(t *testing.T) {
	t.Helper()
	verified, err := b.books.Verify(b.ctx)
	require.NoError(t, err)
	require.Empty(t, verified.Violations)
	report, err := b.Orders.ReconcileBalances(b.ctx)
	require.NoError(t, err)
	require.Empty(t, report.Unreachable)
	require.Len(t, report.Snapshots, len(b.Merchants))
	for _, s := range report.Snapshots {
		require.True(t, s.Drift.IsZero(), "%s drifts by %s", s.Merchant, s.Drift)
	}
}
