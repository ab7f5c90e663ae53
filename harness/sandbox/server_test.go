package sandbox_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// rawCall is a request put together by hand, so that every part can be wrong.
type rawCall struct {
	method  string
	path    string
	members map[string]any
	body    string // "" is the members as JSON
	headers map[string]string
}

// sign makes a correct call: what is changed afterwards makes it a wrong one.
func (b *testBundle) sign(t *testing.T, merchant, path string, members map[string]any) *rawCall {
	t.Helper()
	members["mchNo"] = merchant
	nonce := strconv.FormatInt(start.UnixMilli(), 10)
	text, err := tarspay.CanonicalString(http.MethodPost, path, nonce, members)
	require.NoError(t, err)
	return &rawCall{
		method: http.MethodPost, path: path, members: members,
		headers: map[string]string{
			"Content-Type": tarspay.ContentType, tarspay.HeaderKey: b.signers[merchant].PublicKey(),
			tarspay.HeaderNonce: nonce, tarspay.HeaderSignature: b.signers[merchant].Sign([]byte(text)),
		},
	}
}

// answer is the gateway's envelope as it came.
type answer struct {
	Status int             `json:"-"`
	Code   int             `json:"code"`
	Msg    string          `json:"msg"`
	Data   json.RawMessage `json:"data"`
	Sign   string          `json:"sign"`
}

func (c *rawCall) send(t *testing.T, handler http.Handler) answer {
	t.Helper()
	body := c.body
	if body == "" {
		encoded, err := json.Marshal(c.members)
		require.NoError(t, err)
		body = string(encoded)
	}
	r := httptest.NewRequest(c.method, c.path, strings.NewReader(body))
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	var a answer
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a), w.Body.String())
	}
	a.Status = w.Code
	return a
}

// payout is the body of a good withdrawal.
func payout(number string) map[string]any {
	return map[string]any{
		"mchOrderNo": number, "wayCode": "easypaisa", "amount": "1500", "currency": "PKR", "notifyUrl": "http://receiver.test/callbacks",
		"customerName": "A Beneficiary", "customerAccountNumber": "03001234567", "customerContact": "03001234567",
	}
}

func TestSignatureCoversEveryPart(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	members := payout("W-1")
	members["note"] = "a & b = c # ü 한"
	members["empty"] = ""
	members["step"] = 0
	good := b.sign(t, pakistan, tarspay.PathCreateWithdrawal, members)

	changes := map[string]func(c *rawCall){
		"an added member":     func(c *rawCall) { c.members["more"] = "x" },
		"an added empty one":  func(c *rawCall) { c.members["more"] = "" },
		"another path":        func(c *rawCall) { c.path = tarspay.PathCreateDeposit },
		"another nonce":       func(c *rawCall) { c.headers[tarspay.HeaderNonce] = "1772366400001" },
		"a short nonce":       func(c *rawCall) { c.headers[tarspay.HeaderNonce] = "1772366400" },
		"another signature":   func(c *rawCall) { c.headers[tarspay.HeaderSignature] = b.signers[pakistan].Sign([]byte("else")) },
		"somebody else's key": func(c *rawCall) { c.headers[tarspay.HeaderSignature] = b.signers[vietnam].Sign([]byte("else")) },
		"no hex":              func(c *rawCall) { c.headers[tarspay.HeaderSignature] = "signature" },
		"text for a number":   func(c *rawCall) { c.members["step"] = "1" },
		"null":                func(c *rawCall) { c.members["note"] = nil },
	}
	for name := range members {
		if name != "mchNo" {
			changes["without "+name] = func(c *rawCall) { delete(c.members, name) }
			changes["another "+name] = func(c *rawCall) { c.members[name] = "x1" }
		}
	}
	for name, change := range changes {
		c := *good
		c.members, c.headers = maps.Clone(good.members), maps.Clone(good.headers)
		change(&c)
		a := c.send(t, b.gateway)
		require.Equal(t, http.StatusOK, a.Status, name)
		require.Equal(t, 5003008, a.Code, name)
		require.JSONEq(t, "null", string(a.Data), name)
	}
	require.Empty(t, b.gateway.Book().Orders)

	a := good.send(t, b.gateway)
	require.Equal(t, 0, a.Code, a.Msg)
	require.Equal(t, "SUCCESS", a.Msg)
	require.NoError(t, b.verifier.Verify(a.Data, a.Sign), "sign covers data")
	var data map[string]string
	require.NoError(t, json.Unmarshal(a.Data, &data))
	require.Equal(t, "W-1", data["mchOrderNo"])
	require.Len(t, data, 2)
}

func TestDoorway(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	tests := []struct {
		name   string
		change func(c *rawCall)
		status int
		code   int
	}{
		{"GET", func(c *rawCall) { c.method = http.MethodGet }, http.StatusMethodNotAllowed, 0},
		{"another content type", func(c *rawCall) { c.headers["Content-Type"] = "text/plain" }, http.StatusUnsupportedMediaType, 0},
		{"no content type", func(c *rawCall) { delete(c.headers, "Content-Type") }, http.StatusUnsupportedMediaType, 0},
		{"an unknown path", func(c *rawCall) { c.path = "/api/pay/query" }, http.StatusNotFound, 0},
		{"a long body", func(c *rawCall) { c.body = `{"x":"` + strings.Repeat("x", 1<<20) + `"}` }, http.StatusRequestEntityTooLarge, 0},
		{"not JSON", func(c *rawCall) { c.body = "mchNo=" + pakistan }, http.StatusOK, 5003001},
		{"not an object", func(c *rawCall) { c.body = `["mchNo"]` }, http.StatusOK, 5003001},
		{"a member twice", func(c *rawCall) { c.body = `{"mchNo":"` + pakistan + `","mchNo":"` + vietnam + `"}` }, http.StatusOK, 5003001},
		{"no merchant", func(c *rawCall) { delete(c.members, "mchNo") }, http.StatusOK, 5003001},
		{"an unknown merchant", func(c *rawCall) { c.members["mchNo"] = "M0" }, http.StatusOK, 5003002},
		{"another merchant's key", func(c *rawCall) { c.headers[tarspay.HeaderKey] = b.signers[vietnam].PublicKey() }, http.StatusOK, 5003005},
		{"no key", func(c *rawCall) { delete(c.headers, tarspay.HeaderKey) }, http.StatusOK, 5003001},
		{"no nonce", func(c *rawCall) { delete(c.headers, tarspay.HeaderNonce) }, http.StatusOK, 5003001},
		{"no signature", func(c *rawCall) { delete(c.headers, tarspay.HeaderSignature) }, http.StatusOK, 5003001},
	}
	for _, test := range tests {
		c := b.sign(t, pakistan, tarspay.PathBalance, map[string]any{})
		test.change(c)
		a := c.send(t, b.gateway)
		require.Equal(t, test.status, a.Status, test.name)
		require.Equal(t, test.code, a.Code, test.name)
	}
}

func TestRefusedCreates(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	tests := []struct {
		name   string
		change func(m map[string]any)
		code   int
	}{
		{"no number", func(m map[string]any) { delete(m, "mchOrderNo") }, 5003001},
		{"an empty number", func(m map[string]any) { m["mchOrderNo"] = "" }, 5003001},
		{"a long number", func(m map[string]any) { m["mchOrderNo"] = strings.Repeat("9", 65) }, 5003001},
		{"no way", func(m map[string]any) { delete(m, "wayCode") }, 5003001},
		{"no amount", func(m map[string]any) { delete(m, "amount") }, 5003001},
		{"no currency", func(m map[string]any) { delete(m, "currency") }, 5003001},
		{"another currency", func(m map[string]any) { m["currency"] = "USD" }, 5003001},
		{"no notifyUrl", func(m map[string]any) { delete(m, "notifyUrl") }, 5003001},
		{"a notifyUrl without host", func(m map[string]any) { m["notifyUrl"] = "/callbacks" }, 5003012},
		{"a notifyUrl of another kind", func(m map[string]any) { m["notifyUrl"] = "ftp://receiver.test/x" }, 5003012},
		{"a bad returnUrl", func(m map[string]any) { m["returnUrl"] = "shop" }, 5003012},
		{"an amount as number", func(m map[string]any) { m["amount"] = 1500 }, 500321},
		{"an amount in words", func(m map[string]any) { m["amount"] = "a lot" }, 500321},
		{"an amount of nothing", func(m map[string]any) { m["amount"] = "0" }, 500321},
		{"an amount below zero", func(m map[string]any) { m["amount"] = "-1500" }, 500321},
		{"an amount with decimals", func(m map[string]any) { m["amount"] = "1500.5" }, 500321},
		{"an amount beyond all bounds", func(m map[string]any) { m["amount"] = "99999999999999999" }, 500321},
		{"more than there is", func(m map[string]any) { m["amount"] = "1000000" }, 5004006},
		{"an unknown scenario", func(m map[string]any) { m[sandbox.ScenarioMember] = "miracle" }, 5003001},
		{"a deposit's scenario", func(m map[string]any) { m[sandbox.ScenarioMember] = "expire" }, 5003001},
		{"an argument where there is none", func(m map[string]any) { m[sandbox.ScenarioMember] = "fail:3" }, 5003001},
		{"an argument that is none", func(m map[string]any) { m[sandbox.ScenarioMember] = "hidden:many" }, 5003001},
	}
	for _, test := range tests {
		members := payout("W-" + test.name)
		test.change(members)
		a := b.sign(t, pakistan, tarspay.PathCreateWithdrawal, members).send(t, b.gateway)
		require.Equal(t, test.code, a.Code, "%s: %s", test.name, a.Msg)
		require.JSONEq(t, "null", string(a.Data), test.name)
	}
	require.Empty(t, b.gateway.Book().Orders)
	require.Equal(t, [2]string{opening, "0"}, b.balance(t, pakistan))
}

func TestWaysAndCurrenciesOfTheCountry(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	create := func(merchant, path, way, currency, amount string, more map[string]any) int {
		members := map[string]any{
			"mchOrderNo": way + currency + amount + path, "wayCode": way, "amount": amount, "currency": currency,
			"notifyUrl": "https://receiver.test/callbacks",
		}
		maps.Copy(members, more)
		return b.sign(t, merchant, path, members).send(t, b.gateway).Code
	}
	payee := map[string]any{
		"customerName": "A B", "customerContact": "66812345678", "customerAccountNumber": "123", "customerEmail": "a@b.test",
	}
	require.Equal(t, 0, create(thailand, tarspay.PathCreateWithdrawal, "KBANK", "THA", "300", payee))
	require.Equal(t, 5003001, create(thailand, tarspay.PathCreateWithdrawal, "KBANK", "THB", "300", payee), "the gateway calls it THA")
	require.Equal(t, 5003009, create(thailand, tarspay.PathCreateWithdrawal, "NOBANK", "THA", "300", payee))
	require.Equal(t, 500327, create(thailand, tarspay.PathCreateWithdrawal, "PROMPTPAY", "THA", "300", payee), "a way of deposits")
	require.Equal(t, 500321, create(bangladesh, tarspay.PathCreateDeposit, "EWALLET_BKASH", "BDT", "99", nil), "below the least")
	require.Equal(t, 0, create(bangladesh, tarspay.PathCreateDeposit, "EWALLET_BKASH", "BDT", "100", nil))
	require.Equal(t, 5003001, create(bangladesh, tarspay.PathCreateWithdrawal, "EWALLET_BKASH", "BDT", "100", nil), "walletId is missing")
	require.Equal(t, 0, create(bangladesh, tarspay.PathCreateWithdrawal, "EWALLET_BKASH", "BDT", "100", map[string]any{"walletId": "01712345678"}))
}

func TestOneNumberOneOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	client := b.client(t, pakistan)
	_, err := client.CreateWithdrawal(t.Context(), withdrawal("N-1", "1500", "stuck"))
	require.NoError(t, err)
	_, err = client.CreateWithdrawal(t.Context(), withdrawal("N-1", "1500", ""))
	require.Equal(t, tarspay.ClassDuplicate, tarspay.ClassOf(err))
	_, err = client.CreateDeposit(t.Context(), deposit("N-1", "1500", ""))
	require.Equal(t, tarspay.ClassDuplicate, tarspay.ClassOf(err), "a number is unique over both directions")
	_, err = client.QueryDeposit(t.Context(), tarspay.Reference{OrderNumber: "N-1"})
	require.Equal(t, tarspay.ClassNotFound, tarspay.ClassOf(err), "it is a withdrawal")

	o, err := b.gateway.Order(pakistan, "N-1")
	require.NoError(t, err)
	require.Equal(t, 3, o.CreatesReceived)
	require.Equal(t, 1, o.CreatesBooked)

	// Another merchant may use the same number.
	request := withdrawal("N-1", "1500000", "")
	request.Way, request.Currency = "VCB", "VND"
	request.Amount = "150000"
	_, err = b.client(t, vietnam).CreateWithdrawal(t.Context(), request)
	require.NoError(t, err)
}

func TestWithoutTheGuardADoublePaymentIsCounted(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	require.NoError(t, b.gateway.Switch(pakistan, "no-duplicate-guard", true))
	for range 3 {
		_, err := b.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal("N-1", "1500", ""))
		require.NoError(t, err)
	}
	require.Zero(t, b.gateway.Audit().DoublePayments, "nothing has left yet")
	b.gateway.Advance(time.Minute)
	audit := b.gateway.Audit()
	require.Equal(t, 2, audit.DoublePayments)
	require.Equal(t, []string{pakistan + "/N-1"}, audit.Doubles)
	require.Empty(t, audit.Problems)
	require.Equal(t, [2]string{"995455", "0"}, b.balance(t, pakistan))
}

func TestSwitches(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	client := b.client(t, pakistan)
	code := func() string {
		_, err := client.Balance(t.Context())
		var failed *tarspay.Error
		if err == nil {
			return "0"
		}
		require.ErrorAs(t, err, &failed)
		if failed.Code == "" {
			return strconv.Itoa(failed.HTTPStatus)
		}
		return failed.Code
	}
	for name, want := range map[string]string{
		"merchant-disabled": "5003003", "not-certified": "5003004", "key-expired": "5003006", "ip-refused": "5003007",
		"signature-refused": "5003008", "outage": "0", "rate-limited": "429",
	} {
		i := slices.IndexFunc(sandbox.Switches(), func(s sandbox.Switch) bool { return s.Name == name })
		require.Contains(t, sandbox.Switches()[i].Sentence, strings.TrimPrefix(want, "0"), "the sentence names another code")
		require.NoError(t, b.gateway.Switch(pakistan, name, true))
		if name == "outage" {
			_, err := client.Balance(t.Context())
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		} else {
			require.Equal(t, want, code(), name)
		}
		_, err := b.client(t, vietnam).Balance(t.Context())
		require.NoError(t, err, "another merchant does not notice")
		require.NoError(t, b.gateway.Switch(pakistan, name, false))
		require.Equal(t, "0", code())
	}
	require.ErrorContains(t, b.gateway.Switch(pakistan, "miracle", true), `"miracle"`)
	require.ErrorContains(t, b.gateway.Switch("M0", "outage", true), `"M0"`)
	require.NoError(t, b.gateway.Switch("", "outage", true), "all merchants")
	_, err := b.client(t, vietnam).Balance(t.Context())
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestLyingBalance(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	require.NoError(t, b.gateway.Switch(pakistan, "lying-balance", true))
	require.Equal(t, [2]string{"1000001", "0"}, b.balance(t, pakistan))
	require.Equal(t, "1000000.00", b.gateway.Book().Merchants[0].Available.Number(), "the book does not lie")
}

func TestKeyWithoutAddressWorksFifteenDays(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	client := b.client(t, pakistan)
	require.NoError(t, b.gateway.Switch(pakistan, "key-unbound", true))
	b.gateway.Advance(sandbox.DocumentedKeyLife)
	_, err := client.Balance(t.Context())
	require.NoError(t, err)
	b.gateway.Advance(time.Second)
	_, err = client.Balance(t.Context())
	require.Equal(t, tarspay.ClassAuth, tarspay.ClassOf(err))
	require.ErrorContains(t, err, "5003006")
	require.NoError(t, b.gateway.Switch(pakistan, "key-unbound", false), "an address is bound")
	_, err = client.Balance(t.Context())
	require.NoError(t, err)
}

func TestAddressesBoundToTheKey(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *sandbox.Options) {
		for i := range o.Merchants {
			o.Merchants[i].Addresses = []string{"192.0.2.1"}
			if o.Merchants[i].Number == vietnam {
				o.Merchants[i].Addresses = []string{"203.0.113.9"}
			}
		}
	})
	// httptest.NewRequest comes from 192.0.2.1.
	require.Equal(t, 0, b.sign(t, pakistan, tarspay.PathBalance, map[string]any{}).send(t, b.gateway).Code)
	require.Equal(t, 5003007, b.sign(t, vietnam, tarspay.PathBalance, map[string]any{}).send(t, b.gateway).Code)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *sandbox.Options) { o.RateLimit = 2 })
	client := b.client(t, pakistan)
	call := func() tarspay.Class {
		_, err := client.Balance(t.Context())
		return tarspay.ClassOf(err)
	}
	require.Equal(t, []tarspay.Class{"", "", tarspay.ClassRateLimited}, []tarspay.Class{call(), call(), call()})
	b.gateway.Advance(500 * time.Millisecond)
	require.Equal(t, []tarspay.Class{"", tarspay.ClassRateLimited}, []tarspay.Class{call(), call()})
	b.gateway.Advance(time.Hour)
	require.Equal(t, []tarspay.Class{"", "", tarspay.ClassRateLimited}, []tarspay.Class{call(), call(), call()})
}

func TestFullBook(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *sandbox.Options) { o.MaxOrders = 1 })
	client := b.client(t, pakistan)
	_, err := client.CreateWithdrawal(t.Context(), withdrawal("W-1", "1500", ""))
	require.NoError(t, err)
	_, err = client.CreateWithdrawal(t.Context(), withdrawal("W-2", "1500", ""))
	require.Equal(t, tarspay.ClassUnavailable, tarspay.ClassOf(err))
	require.Len(t, b.gateway.Book().Orders, 1)
}

func TestDepositInstructions(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *sandbox.Options) { o.PublicURL = "https://pay.sandbox.test/" })
	direct, err := b.client(t, pakistan).CreateDeposit(t.Context(), deposit("D-1", "1500", ""))
	require.NoError(t, err)
	require.Equal(t, tarspay.StateInProgress, direct.State)
	require.Equal(t, "https://pay.sandbox.test/cashier/"+direct.GatewayID, direct.PayURL)
	require.Equal(t, start.Add(24*time.Hour), direct.ExpiresAt, "Pakistan's time to pay")
	require.Equal(t, "pk", direct.CountryCode)
	require.Equal(t, "payurl", direct.PayDataType)
	require.NotEmpty(t, direct.PayData)
	require.Equal(t, "PKR", direct.Currency)
	require.JSONEq(t, `"http://shop.test/thanks"`, string(direct.Extra["requestUrl"]))
	require.JSONEq(t, `"3001234567"`, string(direct.Extra["customerContact"]), "Pakistan's loses its zero")

	cashier, err := b.client(t, brazil).CreateDeposit(t.Context(), tarspay.CreateRequest{
		OrderNumber: "D-1", Way: "CASHIER", Amount: "12.50", Currency: "BRA", NotifyURL: "http://receiver.test/callbacks",
		Fields: map[string]string{"body": "a thing", "customerName": "Maria"},
	})
	require.NoError(t, err)
	require.Equal(t, tarspay.StateCreated, cashier.State)
	require.True(t, cashier.ExpiresAt.IsZero())
	require.Empty(t, cashier.PayData)
	var ways []string
	for _, list := range cashier.PayWays {
		for _, way := range list {
			ways = append(ways, way.Way)
		}
	}
	require.Equal(t, []string{"PIX"}, ways)
	b.gateway.Advance(time.Minute)
	o, err := b.gateway.Order(brazil, "D-1")
	require.NoError(t, err)
	require.Equal(t, "0.13", o.Fee.Short(), "one percent, rounded up to a centavo")
	require.Equal(t, [2]string{"1000012.37", "0"}, b.balance(t, brazil))
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, public, err := tarspay.GenerateKey()
	require.NoError(t, err)
	good := sandbox.Merchant{Number: "M1", Country: "PK", PublicKey: public}
	tests := map[string]func(o *sandbox.Options){
		"no merchant":            func(o *sandbox.Options) { o.Merchants = nil },
		"twice":                  func(o *sandbox.Options) { o.Merchants = append(o.Merchants, good) },
		"country":                func(o *sandbox.Options) { o.Merchants[0].Country = "XX" },
		"public key must be":     func(o *sandbox.Options) { o.Merchants[0].PublicKey = "02" },
		"number is missing":      func(o *sandbox.Options) { o.Merchants[0].Number = "" },
		"balance":                func(o *sandbox.Options) { o.Merchants[0].Balance = "1.234" },
		"fixed fee":              func(o *sandbox.Options) { o.Merchants[0].FeeFixed = "-1" },
		"half of the amount":     func(o *sandbox.Options) { o.Merchants[0].FeeBasisPoints = 5001 },
		"platform key":           func(o *sandbox.Options) { o.PlatformKey = "00" },
		"public URL":             func(o *sandbox.Options) { o.PublicURL = "pay.test" },
		"19 digits":              func(o *sandbox.Options) { o.StartAt = time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC) },
		"default scenario":       func(o *sandbox.Options) { o.DefaultScenario = "miracle" },
		`no fault "miracle"`:     func(o *sandbox.Options) { o.Faults = sandbox.Faults{Rates: map[string]int{"miracle": 1}} },
		"0 to 1000":              func(o *sandbox.Options) { o.Faults = sandbox.Faults{Rates: map[string]int{"fail": 1001}} },
		"schedule is empty":      func(o *sandbox.Options) { o.CallbackSchedule = []time.Duration{} },
		"must not be below zero": func(o *sandbox.Options) { o.Delay = -1 },
		"must start with /api/":  func(o *sandbox.Options) { o.AccountCheckPath = "check" },
		"state file":             func(o *sandbox.Options) { o.StateFile = t.TempDir() },
	}
	for want, change := range tests {
		options := sandbox.Options{Merchants: []sandbox.Merchant{good}}
		change(&options)
		_, err := sandbox.New(options)
		require.ErrorContains(t, err, want)
	}
}
