package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// plainly returns the only options that an SDK of another language must set.
func plainly(r order.Request) temporalclient.StartWorkflowOptions {
	return temporalclient.StartWorkflowOptions{ID: "order:" + r.Merchant + ":" + r.Number, TaskQueue: "payouts"}
}

// document returns a withdrawal's request as another language would write it.
func document(r order.Request) map[string]any {
	return map[string]any{
		"merchant": r.Merchant, "number": r.Number, "country": r.Country, "way": r.Way, "details": r.Details,
		"amount": map[string]any{"value": r.Amount.Short(), "currency": r.Amount.Currency()},
	}
}

// anySDKMayStart starts an order by the workflow's name, without search attributes
// and memo. The worker adds them. Our client recognizes the order before and after
// its end.
func anySDKMayStart(t *testing.T, h *house) {
	p := h.expect(t, order.Withdrawal, "BR", "stuck", succeeds)
	run, err := h.Temporal.ExecuteWorkflow(h.ctx, plainly(p.request), "Withdrawal", document(p.request))
	require.NoError(t, err)
	h.stands(t, order.Submitted, p)

	other := p.request
	other.Amount, err = other.Amount.Add(other.Amount)
	require.NoError(t, err)
	for _, state := range []order.State{order.Created, order.Succeeded} {
		listed, err := h.Orders.Find(h.ctx, p.key())
		require.NoError(t, err)
		require.Equal(t, order.Withdrawal, listed.Kind)
		require.Equal(t, "BR", listed.Country)
		require.Equal(t, p.request.Amount, listed.Amount)
		require.Equal(t, p.request.Merchant, listed.Merchant)
		require.Equal(t, state, listed.State)

		again, err := h.Orders.Start(h.ctx, p.request)
		require.NoError(t, err)
		require.True(t, again.Existing)
		require.Equal(t, run.GetRunID(), again.RunID)
		_, err = h.Orders.Start(h.ctx, other)
		require.Equal(t, order.CodeOrderConflict, order.CodeOf(err), "%v", err)

		if state == order.Created {
			h.move(t, p, tarspay.StateSucceeded, "")
			h.ended(t, p)
			h.completed(t, p)
		}
	}
	var result map[string]any
	require.NoError(t, run.Get(h.ctx, &result))
	require.Equal(t, "succeeded", result["state"])
	require.Equal(t, map[string]any{"value": "250.75", "currency": "BRL"}, result["paid"])
}

// theWorkerChecksAgain starts invalid orders without our client. The worker
// refuses them before anything is recorded or sent.
func theWorkerChecksAgain(t *testing.T, h *house) {
	for number, bad := range map[string]struct {
		country string
		member  string
		value   any
		code    string
	}{
		"PAST-COUNTRY":  {"TH", "country", "XX", order.CodeUnknownMerchant},
		"PAST-CURRENCY": {"TH", "amount", map[string]string{"value": "1800", "currency": "USD"}, order.CodeInvalidRequest},
		"PAST-ZERO":     {"TH", "amount", map[string]string{"value": "0", "currency": "THB"}, order.CodeInvalidRequest},
		"PAST-NEGATIVE": {"TH", "amount", map[string]string{"value": "-5", "currency": "THB"}, order.CodeInvalidRequest},
		"PAST-DECIMALS": {"TH", "amount", map[string]string{"value": "5.50", "currency": "THB"}, order.CodeInvalidRequest},
		"PAST-LIMIT":    {"VN", "amount", map[string]string{"value": "3000001", "currency": "VND"}, order.CodeInvalidRequest},
		"PAST-BANK":     {"TH", "way", "NOBANK", order.CodeInvalidRequest},
		"PAST-DETAILS":  {"TH", "details", nil, order.CodeInvalidRequest},
		"PAST-MERCHANT": {"TH", "merchant", "M9999999999", order.CodeUnknownMerchant},
	} {
		request := h.request(t, order.Withdrawal, bad.country, number, "success")
		asked := document(request)
		asked[bad.member] = bad.value
		start := plainly(request)
		if bad.member == "merchant" {
			start.ID = fmt.Sprintf("order:%s:%s", bad.value, number)
		}
		run, err := h.Temporal.ExecuteWorkflow(h.ctx, start, "Withdrawal", asked)
		require.NoError(t, err)
		var view order.View
		require.NoError(t, run.Get(h.ctx, &view), number)
		require.Equal(t, order.Rejected, view.State, number)
		require.True(t, view.Unrecorded, number)
		require.Equal(t, bad.code, view.Reason.Code, "%s: %s", number, view.Reason.Text)
	}
	// An input that is not a request is refused too. The error names the member,
	// and the number may be used again.
	for number, bad := range map[string]struct {
		member string
		value  any
		says   string
	}{
		"PAST-TEXT":    {"amount", map[string]string{"value": "a lot", "currency": "THB"}, "member amount cannot be read"},
		"PAST-SHAPE":   {"amount", 1800, "member amount cannot be read: not an amount such as"},
		"PAST-FLOAT":   {"amount", map[string]any{"value": 1800.5, "currency": "THB"}, "member amount.value must be a text"},
		"PAST-UNKNOWN": {"beneficiary", "somebody", "member beneficiary is unknown"},
		"PAST-KIND":    {"kind", "deposit", "member kind must be withdrawal"},
		"PAST-LIST":    {"details", []string{"x"}, "member details must be a JSON object"},
	} {
		p := h.expect(t, order.Withdrawal, "TH", "success", succeeds)
		asked := document(p.request)
		asked[bad.member] = bad.value
		run, err := h.Temporal.ExecuteWorkflow(h.ctx, plainly(p.request), "Withdrawal", asked)
		require.NoError(t, err)
		var view order.View
		require.NoError(t, run.Get(h.ctx, &view), number)
		require.Equal(t, order.Rejected, view.State, number)
		require.Equal(t, order.CodeInvalidRequest, view.Reason.Code, number)
		require.Contains(t, view.Reason.Text, bad.says, number)
		require.True(t, view.Unrecorded, number)
		_, err = h.books.Order(h.ctx, p.key())
		require.ErrorIs(t, err, ledger.ErrNotFound, number)

		again, err := h.Orders.Start(h.ctx, p.request)
		require.NoError(t, err, number)
		require.False(t, again.Existing, number)
		h.ended(t, p)
		again, err = h.Orders.Start(h.ctx, p.request)
		require.NoError(t, err, number)
		require.True(t, again.Existing, number)
	}
	trail, err := h.books.Audit(h.ctx, order.Key{Merchant: h.Merchant("TH")})
	require.NoError(t, err)
	tried := 0
	for _, entry := range trail {
		if entry.Action == ledger.ActionRefuseStart {
			tried++
		}
	}
	require.GreaterOrEqual(t, tried, 6, "each is on record of the merchant")
}
