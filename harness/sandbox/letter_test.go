package sandbox_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// letter is a sandbox with Vietnam's account check.
func letter(t *testing.T, change func(*sandbox.Options)) *testBundle {
	t.Helper()
	return setup(t, func(o *sandbox.Options) {
		o.AccountCheckPath = "/api/accountCheck"
		if change != nil {
			change(o)
		}
	})
}

func members(number, way, amount, currency string, more map[string]any) map[string]any {
	all := map[string]any{
		"mchOrderNo": number, "wayCode": way, "amount": amount, "currency": currency, "notifyUrl": "http://receiver.test/callbacks",
	}
	maps.Copy(all, more)
	return all
}

// A way that is not on the list is 5003009, where the list is not complete, too;
// so is one that is closed.
func TestUnknownAndClosedWays(t *testing.T) {
	t.Parallel()
	b := letter(t, nil)
	payer := map[string]any{"customerName": "A"}
	for way, code := range map[string]int{"VIB": 5003009, "SHB": 5003009, "NEWWAY": 5003009, "momo": 5003009, "SEAB": 500327, "MOMO": 0} {
		got := b.sign(t, vietnam, tarspay.PathCreateDeposit, members("D-"+way, way, "50000", "VND", payer)).send(t, b.gateway)
		require.Equal(t, code, got.Code, "%s: %s", way, got.Msg)
	}
	payee := map[string]any{"customerAccountNumber": "1"}
	require.Equal(t, 5003009, b.sign(t, pakistan, tarspay.PathCreateWithdrawal, members("W-1", "JazzCash", "500", "PKR", payee)).send(t, b.gateway).Code)
}

// Thailand's page demands a returnUrl and amounts without decimals.
func TestThailandsPage(t *testing.T) {
	t.Parallel()
	b := letter(t, nil)
	payer := map[string]any{"body": "a thing"}
	create := func(number, amount string, more map[string]any) int {
		all := members(number, "BANK", amount, "THA", payer)
		maps.Copy(all, more)
		return b.sign(t, thailand, tarspay.PathCreateDeposit, all).send(t, b.gateway).Code
	}
	back := map[string]any{"returnUrl": "https://shop.test/thanks"}
	require.Equal(t, 5003001, create("D-1", "100", nil))
	require.Equal(t, 0, create("D-1", "100", back))
	for _, amount := range []string{"100.00", "100.0", "0100", "00"} {
		require.Equal(t, 500321, create("D-2", amount, back), amount)
	}
}

// Of all that speaks against a call, the lowest code is answered.
func TestTheOrderOfTheChecks(t *testing.T) {
	t.Parallel()
	b := letter(t, nil)
	payee := map[string]any{"customerAccountNumber": "03001234567"}
	send := func(m map[string]any) int {
		return b.sign(t, pakistan, tarspay.PathCreateWithdrawal, m).send(t, b.gateway).Code
	}
	require.Equal(t, 0, send(members("W-1", "easypaisa", "500", "PKR", payee)))
	wrong := members("W-1", "NOWAY", "5.5", "USD", map[string]any{"notifyUrl": "/x"})
	for _, step := range []struct {
		code  int
		right map[string]any
	}{
		{5003001, map[string]any{"currency": "PKR"}},
		{5003009, map[string]any{"wayCode": "easypaisa"}},
		{5003011, map[string]any{"mchOrderNo": "W-2"}},
		{5003012, map[string]any{"notifyUrl": "http://receiver.test/callbacks"}},
		{500321, map[string]any{"amount": "99999999"}},
		{5004006, map[string]any{"amount": "500"}},
		{0, nil},
	} {
		require.Equal(t, step.code, send(wrong))
		maps.Copy(wrong, step.right)
	}
}

// With a window a nonce of another day and a replay are refused, without none is.
func TestTheNonceWindow(t *testing.T) {
	t.Parallel()
	free := letter(t, nil)
	call := free.sign(t, pakistan, tarspay.PathBalance, map[string]any{})
	require.Equal(t, 0, call.send(t, free.gateway).Code)
	require.Equal(t, 0, call.send(t, free.gateway).Code, "a replay")

	b := letter(t, func(o *sandbox.Options) { o.NonceWindow = time.Minute })
	call = b.sign(t, pakistan, tarspay.PathBalance, map[string]any{})
	require.Equal(t, 0, call.send(t, b.gateway).Code)
	replay := call.send(t, b.gateway)
	require.Equal(t, 5003008, replay.Code)
	require.Equal(t, "sign error", replay.Msg, "as the page quotes it")
	for _, moved := range []time.Duration{2 * time.Minute, 24 * time.Hour} {
		call = b.sign(t, pakistan, tarspay.PathBalance, map[string]any{})
		b.gateway.Advance(moved)
		require.Equal(t, 5003008, call.send(t, b.gateway).Code, moved)
	}
}

// The account check answers the page's example.
func TestTheAccountChecksExample(t *testing.T) {
	t.Parallel()
	b := letter(t, nil)
	ask := func(name string) string {
		return string(b.sign(t, vietnam, "/api/accountCheck", map[string]any{
			"accountNumber": "08491312411", "userName": name, "wayCode": "MBB",
		}).send(t, b.gateway).Data)
	}
	require.JSONEq(t, `{"result":false,"actualUserName":"CHU KHANH DUY"}`, ask("CHU KHANH"))
	require.JSONEq(t, `{"result":true}`, ask("CHU KHANH DUY"))
}

// A direct deposit has the members of the page's sample.
func TestADirectDepositAsOnThePage(t *testing.T) {
	t.Parallel()
	b := letter(t, nil)
	answer := b.sign(t, vietnam, tarspay.PathCreateDeposit, members("D-1", "MOMO", "100000", "VND", map[string]any{
		"customerName": "xxxx", "customerContact": "0900000000",
	})).send(t, b.gateway)
	require.Equal(t, 0, answer.Code, answer.Msg)
	var data map[string]any
	require.NoError(t, json.Unmarshal(answer.Data, &data))
	for _, name := range []string{
		"accountName", "amount", "countryCode", "currency", "customerContact", "expiredTime", "mchOrderNo", "orderState", "payData", "payDataType",
		"payOrderId", "payUrl", "payWays", "phone",
	} {
		require.Contains(t, data, name)
	}
	way := data["payWays"].(map[string]any)["ewallet"].([]any)[0].(map[string]any)
	for _, name := range []string{"countryCode", "createdAt", "id", "payCode", "payWay", "payWayLogo", "payWayType", "skipMode", "state", "updatedAt"} {
		require.Contains(t, way, name)
	}
	require.Equal(t, "ewallet", way["payWayType"])
}

// What the pages list is called back (the older ones 2, 3 and 9 of all orders, S2
// and S3; Pakistan's 5 and 8 as well, S0), and what they do not list only when the
// order asks for it.
func TestCallbacksByCountry(t *testing.T) {
	t.Parallel()
	const succeeded, failed, refunded, rejected, partial = 2, 3, 5, 8, 9
	for _, c := range []struct {
		merchant  string
		deposit   bool
		scenario  string
		called    []tarspay.State
		surprised []tarspay.State // with undocumented-callback
	}{
		{thailand, false, "refund", []tarspay.State{succeeded}, []tarspay.State{succeeded, refunded}},
		{thailand, false, "out-of-order", []tarspay.State{succeeded}, []tarspay.State{refunded, succeeded}},
		{thailand, false, "reject", nil, []tarspay.State{rejected}},
		{thailand, false, "fail", []tarspay.State{failed}, []tarspay.State{failed}},
		{thailand, true, "partial:25", []tarspay.State{partial}, []tarspay.State{partial}},
		{thailand, true, "refund", []tarspay.State{succeeded}, []tarspay.State{succeeded, refunded}},
		{thailand, true, "expire", nil, nil},
		{vietnam, true, "refund", []tarspay.State{succeeded}, []tarspay.State{succeeded, refunded}},
		{pakistan, false, "refund", []tarspay.State{succeeded, refunded}, []tarspay.State{succeeded, refunded}},
		{pakistan, false, "reject", []tarspay.State{rejected}, []tarspay.State{rejected}},
	} {
		for scenario, want := range map[string][]tarspay.State{c.scenario: c.called, c.scenario + ",undocumented-callback": c.surprised} {
			require.Equal(t, want, calledBack(t, c.merchant, c.deposit, scenario), "%s %s, a deposit: %t", c.merchant, scenario, c.deposit)
		}
	}
}

// calledBack is what the callbacks of an order say, in the order in which they are
// sent.
func calledBack(t *testing.T, merchant string, deposit bool, scenario string) []tarspay.State {
	t.Helper()
	b := letter(t, nil)
	r := withdrawal("1", "2000", scenario)
	switch merchant {
	case thailand:
		r = thai("1", "2000", scenario)
	case vietnam:
		r.Way, r.Currency, r.Amount = "VCB", "VND", "200000"
	}
	if deposit && merchant == thailand {
		r.Way, r.Fields["body"], r.ReturnURL = "BANK", "a thing", "http://shop.test/thanks"
	}
	var err error
	if deposit {
		_, err = b.client(t, merchant).CreateDeposit(t.Context(), r)
	} else {
		_, err = b.client(t, merchant).CreateWithdrawal(t.Context(), r)
	}
	require.NoError(t, err)
	b.gateway.Advance(time.Hour)
	sent := b.gateway.Deliveries(merchant, "1")
	slices.SortStableFunc(sent, func(x, y sandbox.Delivery) int { return x.Sends[0].At.Compare(y.Sends[0].At) })
	var states []tarspay.State
	for _, d := range sent {
		states = append(states, d.State)
	}
	return states
}
