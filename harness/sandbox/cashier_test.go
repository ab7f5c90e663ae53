package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// visit opens a page of the gateway, or presses a button on it.
func (b *testBundle) visit(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if form != nil {
		r = httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	b.gateway.ServeHTTP(w, r)
	return w
}

func button(action, paid string) url.Values { return url.Values{"action": {action}, "paid": {paid}} }

func TestCashier(t *testing.T) {
	t.Parallel()
	const shop = "http://shop.test/thanks"
	tests := []struct {
		action, paid string
		state        tarspay.State
		lands        string // "" is the page itself
		balance      string
	}{
		{"pay", "", tarspay.StateSucceeded, shop, "1001485"},
		{"part", "600", tarspay.StatePartial, shop, "1000594"},
		{"fail", "", tarspay.StateFailed, shop, "1000000"},
		{"expire", "", tarspay.StateTimedOut, "", "1000000"},
	}
	for _, test := range tests {
		b := setup(t, nil)
		created, err := b.client(t, pakistan).CreateDeposit(t.Context(), deposit("D-1", "1500", "cashier"))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(created.PayURL, "http://127.0.0.1/cashier/"), created.PayURL)
		path := strings.TrimPrefix(created.PayURL, "http://127.0.0.1")
		b.gateway.Advance(time.Hour)

		page := b.visit(path, nil)
		require.Equal(t, http.StatusOK, page.Code)
		require.Contains(t, page.Body.String(), `<span id="amount">1500</span> <small id="currency">PKR</small>`)
		done := b.visit(path, button(test.action, test.paid))
		require.Equal(t, http.StatusSeeOther, done.Code, done.Body.String())
		if test.lands == "" {
			test.lands = path
		}
		require.Equal(t, test.lands, done.Header().Get("Location"))
		b.gateway.Advance(0)

		o, err := b.gateway.Order(pakistan, "D-1")
		require.NoError(t, err)
		require.Equal(t, test.state, o.State)
		require.Equal(t, [2]string{test.balance, "0"}, b.balance(t, pakistan))
		callbacks, _ := b.callbacks()
		require.Len(t, callbacks, map[bool]int{true: 0, false: 1}[test.action == "expire"], "expiry is not called back")

		page = b.visit(path, nil)
		require.NotContains(t, page.Body.String(), "<form")
		require.Contains(t, page.Body.String(), `href="`+shop+`"`)
		again := b.visit(path, button("pay", ""))
		require.Equal(t, http.StatusUnprocessableEntity, again.Code)
		require.Contains(t, again.Body.String(), "Not done: the order has ended.")
		b.clean(t)
	}
}

func TestCashierMistakes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	request := deposit("D-1", "1500", "cashier")
	request.ReturnURL = ""
	created, err := b.client(t, pakistan).CreateDeposit(t.Context(), request)
	require.NoError(t, err)
	payout, err := b.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", "stuck"))
	require.NoError(t, err)

	path := "/cashier/" + created.GatewayID
	for _, part := range []string{"", "0", "-5", "1500", "1501", "10.5", "many"} {
		w := b.visit(path, button("part", part))
		require.Equal(t, http.StatusUnprocessableEntity, w.Code, part)
		require.Contains(t, w.Body.String(), "a part is more than nothing")
	}
	require.Equal(t, http.StatusUnprocessableEntity, b.visit(path, button("steal", "")).Code)
	require.Equal(t, http.StatusNotFound, b.visit("/cashier/P1", nil).Code)
	require.Equal(t, http.StatusNotFound, b.visit("/cashier/P1", button("pay", "")).Code)
	require.Equal(t, http.StatusNotFound, b.visit("/cashier/"+payout.GatewayID, nil).Code)
	require.Equal(t, http.StatusNotFound, b.visit("/cashier/"+payout.GatewayID, button("pay", "")).Code)
	o, err := b.gateway.Order(pakistan, "D-1")
	require.NoError(t, err)
	require.Equal(t, tarspay.StateInProgress, o.State)

	done := b.visit(path, button("pay", ""))
	require.Equal(t, path, done.Header().Get("Location"), "without a return URL the page itself says so")
	require.Contains(t, b.visit(path, nil).Body.String(), `<dd id="paid">1500 PKR</dd>`)
}

func TestCashierExpiresWithTheCountry(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *sandbox.Options) { o.DefaultScenario = "cashier" })
	_, err := b.client(t, pakistan).CreateDeposit(t.Context(), deposit("D-1", "1500", ""))
	require.NoError(t, err)
	_, err = b.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", ""))
	require.NoError(t, err)
	b.gateway.Advance(24*time.Hour - time.Second)
	state := func(number string) tarspay.State {
		o, err := b.gateway.Order(pakistan, number)
		require.NoError(t, err)
		return o.State
	}
	require.Equal(t, tarspay.StateInProgress, state("D-1"))
	require.Equal(t, tarspay.StateSucceeded, state("W-1"), "a withdrawal needs no cashier")
	b.gateway.Advance(time.Second)
	require.Equal(t, tarspay.StateTimedOut, state("D-1"))
}
