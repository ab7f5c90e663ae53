package httpapi

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

var update = flag.Bool("update", false, "write docs/openapi.json anew")

// sound is the body of a withdrawal that is right.
const sound = `{"merchant":"M1700000001","number":"INV-1","way":"easypaisa","amount":{"value":"500","currency":"PKR"},
	"details":{"customerName":"A Khan","customerAccountNumber":"03007654321","customerContact":"03007654321"}}`

// A start is signed by the door, in the name of who has the API key.
func TestCreateWithdrawal(t *testing.T) {
	t.Parallel()
	h := setup(t)
	got := h.as(t, "billing", http.MethodPost, "/v1/withdrawals", sound, "Idempotency-Key", "INV-1")
	require.Equal(t, http.StatusCreated, got.status, got.text)
	require.Equal(t, "/v1/orders/M1700000001/INV-1", got.header.Get("Location"))
	require.Len(t, h.orders.started, 1)
	request := h.orders.started[0]
	require.Equal(t, "billing", request.RequestedBy)
	require.Equal(t, "PK", request.Country, "the merchant's country")
	text, err := json.Marshal(request.Proof)
	require.NoError(t, err)
	signed, refusal := envelope.ReadSigned(text)
	require.Nil(t, refusal)
	acted, refusal := signed.Verify(h.holder.Current(), origin, noon)
	require.Nil(t, refusal)
	require.Equal(t, "billing", acted.Actor.Name)
	require.Equal(t, "api", acted.Door)
	require.Nil(t, acted.Fits(order.Order{Request: request, Fingerprint: request.Fingerprint()}))

	var answer payouts.Order
	require.NoError(t, json.Unmarshal([]byte(got.text), &answer))
	require.Equal(t, order.Created, answer.Order.State)
	require.Equal(t, request.Fingerprint(), answer.Order.Fingerprint)

	h.opened(t, merchant, "INV-1") // a worker has it now
	h.orders.existing = true
	got = h.as(t, "billing", http.MethodPost, "/v1/withdrawals", sound)
	require.Equal(t, http.StatusOK, got.status, got.text)
	require.NoError(t, json.Unmarshal([]byte(got.text), &answer))
	require.Equal(t, order.Reserved, answer.Order.State, "the ledger's")
	got = h.as(t, "billing", http.MethodPost, "/v1/withdrawals", strings.Replace(sound, "easypaisa", "easypaissa", 1))
	require.Equal(t, http.StatusOK, got.status, "an order that is there is not judged by today's rules: %s", got.text)
	require.Nil(t, h.orders.started[2].Proof)
}

// Amounts that the ledger would refuse are refused before anything is started.
func TestAmountsAboveALimit(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for name, test := range map[string]struct{ system, amount, code string }{
		"above what a door may sign": {"desk", "100001", roster.CodeOwnSignatureNeeded},
		"above the system's limit":   {"small", "501", roster.CodeAboveActorLimit},
	} {
		got := h.as(t, test.system, http.MethodPost, "/v1/withdrawals", strings.Replace(sound, `"500"`, `"`+test.amount+`"`, 1))
		require.Equal(t, http.StatusForbidden, got.status, name)
		require.Equal(t, test.code, got.problem(t).Code, name)
	}
	require.Empty(t, h.orders.started)
}

// Metadata goes with the request, is shown, and lists are filtered by it.
func TestMetadata(t *testing.T) {
	t.Parallel()
	h := setup(t)
	got := h.as(t, "billing", http.MethodPost, "/v1/withdrawals", strings.Replace(sound, `"way"`, `"metadata":{"run":"a:b, c","team":"x"},"way"`, 1))
	require.Equal(t, http.StatusCreated, got.status, got.text)
	request := h.orders.started[0]
	require.Equal(t, map[string]string{"run": "a:b, c", "team": "x"}, request.Metadata)
	_, _, err := h.ledger.OpenOrder(t.Context(), request, ledger.Terms{})
	require.Error(t, err, "the door's signature is not for a ledger without a roster")
	request.Proof = nil
	_, _, err = h.ledger.OpenOrder(t.Context(), request, ledger.Terms{})
	require.NoError(t, err)
	h.opened(t, merchant, "INV-2")

	for query, numbers := range map[string][]string{
		"metadata=run:" + url.QueryEscape("a:b, c"):                      {"INV-1"},
		"metadata=run:" + url.QueryEscape("a:b, c") + "&metadata=team:x": {"INV-1"},
		"metadata=team:y": {},
		"amount_min=500&amount_max=500.00&currency=PKR": {"INV-2", "INV-1"},
		"amount_min=500.01&merchant=" + merchant:        {},
		"currency=VND":                                  {},
		"ended_from=2020-01-01T00:00:00Z":               {},
		"ended_before=" + "2020-01-01T00:00:00Z":        {},
	} {
		got := h.as(t, "billing", http.MethodGet, "/v1/orders?"+query, "")
		require.Equal(t, http.StatusOK, got.status, got.text)
		var list orderList
		require.NoError(t, json.Unmarshal([]byte(got.text), &list))
		found := []string{}
		for _, o := range list.Orders {
			found = append(found, o.Number)
		}
		require.Equal(t, numbers, found, query)
		if len(found) == 1 {
			require.Equal(t, request.Metadata, list.Orders[0].Metadata)
		}
	}
}

// A list as a file has the address of its next page.
func TestListAsFile(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, number := range []string{"INV-1", "INV-2", "INV-3"} {
		h.opened(t, merchant, number)
	}
	h.opened(t, merchantVN, "VN-1")
	next, found := "/v1/orders.csv?limit=2&state=reserved", []string{}
	for pages := 0; next != ""; pages++ {
		require.Less(t, pages, 2)
		got := h.as(t, "billing", http.MethodGet, next, "")
		require.Equal(t, http.StatusOK, got.status, got.text)
		require.Equal(t, "text/csv; charset=utf-8", got.header.Get("Content-Type"))
		lines, err := csv.NewReader(strings.NewReader(got.text)).ReadAll()
		require.NoError(t, err)
		require.Equal(t, "number", lines[0][4])
		for _, line := range lines[1:] {
			found = append(found, line[4])
		}
		address, _, _ := strings.Cut(got.header.Get("Link"), `>; rel="next"`)
		next = strings.TrimPrefix(address, "<")
	}
	require.Equal(t, []string{"INV-3", "INV-2", "INV-1"}, found)
	got := h.as(t, "billing", http.MethodGet, "/v1/orders.csv?merchant="+merchantVN, "")
	require.Equal(t, "UNKNOWN_MERCHANT", got.problem(t).Code)
}

// A scheduled order is answered with 201, and read as scheduled once it is opened.
func TestNotBefore(t *testing.T) {
	t.Parallel()
	h := setup(t)
	with := func(at string) string { return strings.Replace(sound, `"way"`, `"not_before":`+at+`,"way"`, 1) }
	at := time.Now().UTC().Add(24 * time.Hour).Truncate(time.Second)
	got := h.as(t, "billing", http.MethodPost, "/v1/withdrawals", with(`"`+at.Format(time.RFC3339)+`"`))
	require.Equal(t, http.StatusCreated, got.status, got.text)
	request := h.orders.started[0]
	require.True(t, at.Equal(request.NotBefore))
	request.Proof = nil
	_, _, err := h.ledger.OpenOrder(t.Context(), request, ledger.Terms{})
	require.NoError(t, err)
	got = h.as(t, "billing", http.MethodGet, "/v1/orders/M1700000001/INV-1", "")
	require.Equal(t, http.StatusOK, got.status, got.text)
	var answer payouts.Order
	require.NoError(t, json.Unmarshal([]byte(got.text), &answer))
	require.Equal(t, order.Scheduled, answer.Order.State)
	require.True(t, at.Equal(answer.Order.NotBefore))
	got = h.as(t, "billing", http.MethodGet, "/v1/orders?state=scheduled", "")
	require.Contains(t, got.text, `"INV-1"`)

	for text, code := range map[string]string{
		`"2999-01-01T00:00:00Z"`: order.ProblemNotBefore, `"2026-12-24"`: tarspay.ViolationMalformed, `1766566800`: tarspay.ViolationMalformed,
	} {
		refused := h.as(t, "billing", http.MethodPost, "/v1/withdrawals", with(text))
		require.Equal(t, http.StatusBadRequest, refused.status, text)
		require.Equal(t, order.CodeInvalidRequest, refused.problem(t).Code)
		require.Equal(t, code+" not_before", refused.problem(t).Errors[0].Code+" "+refused.problem(t).Errors[0].Field, text)
	}
	require.Len(t, h.orders.started, 1)
}

// A caller has a bounded number of requests that wait, and others are not held up.
func TestWaits(t *testing.T) {
	t.Parallel()
	l := newLimiter(1)
	for range mostWaits {
		require.True(t, l.wait("billing"))
	}
	require.False(t, l.wait("billing"))
	require.True(t, l.wait("desk"))
	l.waited("billing")
	require.True(t, l.wait("billing"))
	for range mostWaits {
		l.waited("billing")
	}
	l.waited("desk")
	require.Empty(t, l.waits)
}

// Whatever is wrong with a request is a problem with a code and a field, and starts
// nothing.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	h := setup(t)
	with := func(from, to string) string {
		require.Contains(t, sound, from)
		return strings.Replace(sound, from, to, 1)
	}
	const post, path = http.MethodPost, "/v1/withdrawals"
	for name, test := range map[string]struct {
		method, path, body string
		status             int
		code, field, each  string // each: the code of the problem about the field
	}{
		"unknown member":         {post, path, with(`"way"`, `"colour":"red","way"`), 400, order.CodeInvalidRequest, "colour", tarspay.ViolationUnknownField},
		"missing member":         {post, path, with(`"number":"INV-1",`, ``), 400, order.CodeInvalidRequest, "number", tarspay.ViolationMissing},
		"repeated member":        {post, path, with(`"way"`, `"number":"INV-2","way"`), 400, order.CodeInvalidRequest, "", tarspay.ViolationMalformed},
		"another type":           {post, path, with(`"INV-1"`, `5`), 400, order.CodeInvalidRequest, "number", tarspay.ViolationMalformed},
		"amount with exponent":   {post, path, with(`{"value":"500","currency":"PKR"}`, `5e2`), 400, order.CodeInvalidRequest, "amount", tarspay.ViolationMalformed},
		"value as number":        {post, path, with(`"500"`, `500`), 400, order.CodeInvalidRequest, "amount.value", tarspay.ViolationMalformed},
		"thousands":              {post, path, with(`"500"`, `"1,500"`), 400, order.CodeInvalidRequest, "amount", order.ProblemAmountText},
		"a text with exponent":   {post, path, with(`"500"`, `"5E+2"`), 400, order.CodeInvalidRequest, "amount", order.ProblemAmountText},
		"decimals of nobody":     {post, path, with(`"500"`, `"500.001"`), 400, order.CodeInvalidRequest, "amount", order.ProblemAmountDigits},
		"beyond all bounds":      {post, path, with(`"500"`, `"99999999999999999999"`), 400, order.CodeInvalidRequest, "amount", order.ProblemAmountRange},
		"currency of nobody":     {post, path, with(`"PKR"`, `"XQX"`), 400, order.CodeInvalidRequest, "amount", tarspay.ViolationCurrency},
		"currency of no country": {post, path, with(`"PKR"`, `"VND"`), 400, order.CodeInvalidRequest, "currency", tarspay.ViolationCurrency},
		"unknown way":            {post, path, with(`easypaisa`, `easypaissa`), 400, order.CodeInvalidRequest, "way", tarspay.ViolationBank},
		"no JSON":                {post, path, `number=5`, 400, order.CodeInvalidRequest, "", tarspay.ViolationMalformed},
		"broken off":             {post, path, sound[:40], 400, order.CodeInvalidRequest, "", tarspay.ViolationMalformed},
		"null":                   {post, path, `null`, 400, order.CodeInvalidRequest, "", tarspay.ViolationMalformed},
		"a list":                 {post, path, `[]`, 400, order.CodeInvalidRequest, "", tarspay.ViolationMalformed},
		"no UTF-8":               {post, path, with(`A Khan`, "A \xff"), 400, order.CodeInvalidRequest, "", tarspay.ViolationMalformed},
		"deep":                   {post, path, strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000), 400, order.CodeInvalidRequest, "", tarspay.ViolationMalformed},
		"large":                  {post, path, with(`A Khan`, strings.Repeat("A", maxBody)), 413, CodeTooLarge, "", ""},
		"no body":                {post, path, ``, 400, order.CodeInvalidRequest, "", ""},
		"unknown parameter":      {http.MethodGet, "/v1/orders?colour=red", "", 400, order.CodeInvalidRequest, "colour", tarspay.ViolationMalformed},
		"unknown state":          {http.MethodGet, "/v1/orders?state=sleeping", "", 400, order.CodeInvalidRequest, "state", tarspay.ViolationMalformed},
		"a limit of 0":           {http.MethodGet, "/v1/orders?limit=0", "", 400, order.CodeInvalidRequest, "limit", tarspay.ViolationMalformed},
		"a time that is none":    {http.MethodGet, "/v1/orders?created_from=today", "", 400, order.CodeInvalidRequest, "created_from", tarspay.ViolationMalformed},
		"metadata with a blank":  {post, path, with(`"way"`, `"metadata":{"pay run":"7"},"way"`), 400, order.CodeInvalidRequest, "metadata", tarspay.ViolationMalformed},
		"a number as metadata":   {post, path, with(`"way"`, `"metadata":{"run":7},"way"`), 400, order.CodeInvalidRequest, "metadata.run", tarspay.ViolationMalformed},
		"metadata without value": {http.MethodGet, "/v1/orders?metadata=run", "", 400, order.CodeInvalidRequest, "metadata", tarspay.ViolationMalformed},
		"two values of a key":    {http.MethodGet, "/v1/orders?metadata=run:7&metadata=run:8", "", 400, order.CodeInvalidRequest, "metadata", tarspay.ViolationMalformed},
		"an amount of what":      {http.MethodGet, "/v1/orders?amount_min=5", "", 400, order.CodeInvalidRequest, "amount_min", tarspay.ViolationMalformed},
		"an amount that is none": {http.MethodGet, "/v1/orders?amount_max=1,5&currency=PKR", "", 400, order.CodeInvalidRequest, "amount_max", tarspay.ViolationMalformed},
		"no cursor":              {http.MethodGet, "/v1/orders?cursor=abc", "", 400, CodeCursor, "", ""},
		"a long wait":            {http.MethodGet, "/v1/orders/M1700000001/INV-1?wait=2h", "", 400, order.CodeInvalidRequest, "wait", tarspay.ViolationMalformed},
		"a number that is none":  {http.MethodGet, "/v1/orders/M1700000001/%2e%2e", "", 400, order.CodeInvalidRequest, "number", order.ProblemNumber},
		"no such path":           {http.MethodGet, "/v1/nothing", "", 404, CodeNoPath, "", ""},
		"no such method":         {http.MethodDelete, "/v1/orders", "", 405, CodeNoMethod, "", ""},
		"no such country":        {http.MethodGet, "/v1/countries/XX/ways", "", 400, tarspay.ViolationCountry, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := h.as(t, "desk", test.method, test.path, test.body)
			require.Equal(t, test.status, got.status, got.text)
			p := got.problem(t)
			require.Equal(t, test.code, p.Code, got.text)
			if test.each != "" {
				require.Contains(t, codesOf(p), test.each+" "+test.field, got.text)
			}
			require.NotContains(t, got.text, "Khan", "personal data is not repeated")
		})
	}
	t.Cleanup(func() { require.Empty(t, h.orders.started) })
}

func codesOf(p problem) (found []string) {
	for _, e := range p.Errors {
		found = append(found, e.Code+" "+e.Field)
	}
	return found
}

func TestOtherMedia(t *testing.T) {
	t.Parallel()
	h := setup(t)
	got := h.as(t, "desk", http.MethodPost, "/v1/withdrawals", sound, "Content-Type", "text/plain")
	require.Equal(t, http.StatusUnsupportedMediaType, got.status, got.text)
	require.Equal(t, CodeMediaType, got.problem(t).Code)
	got = h.as(t, "desk", http.MethodPost, "/v1/withdrawals", sound, "Idempotency-Key", "INV-2")
	require.Equal(t, CodeKeyDiffers, got.problem(t).Code)
	require.Empty(t, h.orders.started)
}

func TestWhoCalls(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for name, test := range map[string]struct{ header, code string }{
		"no key":      {"", CodeKeyMissing},
		"no bearer":   {"Basic YTpi", CodeKeyMissing},
		"unknown key": {"Bearer " + tokenOf("nobody"), roster.CodeKeyUnknown},
		"expired key": {"Bearer " + tokenOf("old"), roster.CodeKeyExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := h.send(t, http.MethodPost, "/v1/withdrawals", sound, "Authorization", test.header)
			require.Equal(t, http.StatusUnauthorized, got.status, got.text)
			require.Equal(t, test.code, got.problem(t).Code)
			require.Equal(t, `Bearer realm="payouts"`, got.header.Get("WWW-Authenticate"))
			require.NotContains(t, got.text, tokenOf("old")[:30])
		})
	}
	t.Cleanup(func() {
		require.Empty(t, h.orders.started)
		require.NotContains(t, h.logs.String(), tokenOf("nobody"))
	})
}

// What a caller's roles do not allow is refused. What is another merchant's is not there.
func TestWhatCallersMayDo(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.opened(t, merchant, "PK-1")
	h.opened(t, merchantVN, "VN-1")
	foreign := strings.Replace(sound, merchant, merchantVN, 1)
	foreign = strings.Replace(foreign, `"way":"easypaisa"`, `"country":"PK","way":"easypaisa"`, 1)
	for name, test := range map[string]struct {
		system, method, path, body string
		status                     int
		code                       string
	}{
		"reads its own":             {"watcher", "GET", "/v1/orders/M1700000001/PK-1", "", 200, ""},
		"whoever requests reads":    {"billing", "GET", "/v1/orders/M1700000001/PK-1/story", "", 200, ""},
		"audit":                     {"watcher", "GET", "/v1/orders/M1700000001/PK-1/audit", "", 200, ""},
		"all of all":                {"desk", "GET", "/v1/orders/M1700000002/VN-1", "", 200, ""},
		"another's order":           {"watcher", "GET", "/v1/orders/M1700000002/VN-1", "", 404, order.CodeOrderNotFound},
		"another's story":           {"watcher", "GET", "/v1/orders/M1700000002/VN-1/story", "", 404, order.CodeOrderNotFound},
		"another's audit":           {"watcher", "GET", "/v1/orders/M1700000002/VN-1/audit", "", 404, order.CodeOrderNotFound},
		"no such order":             {"watcher", "GET", "/v1/orders/M1700000001/NONE", "", 404, order.CodeOrderNotFound},
		"another's list":            {"watcher", "GET", "/v1/orders?merchant=M1700000002", "", 422, order.CodeUnknownMerchant},
		"another's balance":         {"watcher", "GET", "/v1/balances?merchant=M1700000002", "", 422, order.CodeUnknownMerchant},
		"request without role":      {"watcher", "POST", "/v1/withdrawals", sound, 403, roster.CodeRoleMissing},
		"request for another":       {"billing", "POST", "/v1/withdrawals", foreign, 422, order.CodeUnknownMerchant},
		"note without role":         {"billing", "POST", "/v1/orders/M1700000001/PK-1/notes", `{"text":"x"}`, 403, roster.CodeRoleMissing},
		"poll without role":         {"billing", "POST", "/v1/orders/M1700000001/PK-1/poll", "", 403, roster.CodeRoleMissing},
		"cancel another's":          {"billing", "POST", "/v1/orders/M1700000002/VN-1/cancel", `{"why":"x"}`, 404, order.CodeOrderNotFound},
		"cancel without role":       {"watcher", "POST", "/v1/orders/M1700000001/PK-1/cancel", `{"why":"x"}`, 403, roster.CodeRoleMissing},
		"another's country":         {"billing", "POST", "/v1/withdrawals", strings.Replace(sound, merchant, merchantVN, 1), 422, order.CodeUnknownMerchant},
		"nobody's country":          {"billing", "POST", "/v1/withdrawals", strings.Replace(sound, merchant, "M9", 1), 422, order.CodeUnknownMerchant},
		"the whole queue":           {"watcher", "GET", "/v1/queue", "", 403, roster.CodeMerchantNotAllowed},
		"queue":                     {"desk", "GET", "/v1/queue", "", 200, ""},
		"discrepancies":             {"watcher", "GET", "/v1/discrepancies", "", 200, ""},
		"close without role":        {"watcher", "POST", "/v1/discrepancies/1/close", `{"why":"x"}`, 403, roster.CodeRoleMissing},
		"compare without role":      {"watcher", "POST", "/v1/reconciliations", `{"merchant":"M1700000001"}`, 403, roster.CodeRoleMissing},
		"compare another's":         {"watcher", "POST", "/v1/reconciliations", `{"merchant":"M1700000002"}`, 403, roster.CodeRoleMissing},
		"transactions without role": {"watcher", "POST", comparisonsPath, `{"merchant":"M1700000001"}`, 403, roster.CodeRoleMissing},
		"transactions of another":   {"clerk", "POST", comparisonsPath, `{"merchant":"M1700000002"}`, 422, order.CodeUnknownMerchant},
		"transactions backwards":    {"desk", "POST", comparisonsPath, `{"merchant":"M1700000001","from":"2026-05-02T00:00:00Z","to":"2026-05-01T00:00:00Z"}`, 400, order.CodeInvalidRequest},
		"its own comparison":        {"watcher", "GET", comparisonsPath + "/M1700000001/" + comparison, "", 200, ""},
		"another's comparison":      {"watcher", "GET", comparisonsPath + "/M1700000002/" + comparison, "", 404, client.CodeReconciliationNotFound},
		"no such comparison":        {"watcher", "GET", comparisonsPath + "/M1700000001/" + strings.Replace(comparison, "1", "2", 1), "", 404, client.CodeReconciliationNotFound},
		"no id of a comparison":     {"watcher", "GET", comparisonsPath + "/M1700000001/x", "", 400, order.CodeInvalidRequest},
		"balances of all":           {"desk", "GET", "/v1/balances", "", 200, ""},
		"countries":                 {"watcher", "GET", "/v1/countries", "", 200, ""},
		"ways":                      {"watcher", "GET", "/v1/countries/PK/ways", "", 200, ""},
		"banks":                     {"watcher", "GET", "/v1/countries/TH/banks", "", 200, ""},
		"an envelope of nothing":    {"watcher", "POST", "/v1/signed-actions", `{}`, 400, order.CodeInvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := h.as(t, test.system, test.method, test.path, test.body)
			require.Equal(t, test.status, got.status, got.text)
			if test.code != "" {
				require.Equal(t, test.code, got.problem(t).Code)
			}
		})
	}
	t.Cleanup(func() { require.Empty(t, h.orders.started) })
}

// Pages have every order of the caller's merchants once, also those that others are
// created between.
func TestPages(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for n := range 7 {
		h.opened(t, merchant, fmt.Sprint("PK-", n))
		h.opened(t, merchantVN, fmt.Sprint("VN-", n))
	}
	var seen []string
	next := ""
	for {
		got := h.as(t, "watcher", http.MethodGet, "/v1/orders?limit=3&state=reserved"+next, "")
		require.Equal(t, http.StatusOK, got.status, got.text)
		var list orderList
		require.NoError(t, json.Unmarshal([]byte(got.text), &list))
		for _, row := range list.Orders {
			seen = append(seen, row.Number)
		}
		if list.Next == "" {
			break
		}
		next = "&cursor=" + url.QueryEscape(list.Next)
		h.opened(t, merchant, fmt.Sprint("LATE-", len(seen)))
		for _, other := range []string{"/v1/orders?limit=3&state=created", "/v1/discrepancies?limit=3"} {
			refused := h.as(t, "watcher", http.MethodGet, other+next, "")
			require.Equal(t, CodeCursor, refused.problem(t).Code, "a cursor of another list")
		}
	}
	forged := newCursor("orders", listInput{State: []string{"reserved"}}).write(order.Key{Merchant: merchantVN, Number: "VN-3"})
	got := h.as(t, "watcher", http.MethodGet, "/v1/orders?limit=3&state=reserved&cursor="+url.QueryEscape(forged), "")
	require.Equal(t, CodeCursor, got.problem(t).Code, "a cursor at another merchant's order tells nothing of it")
	require.Equal(t, []string{"PK-6", "PK-5", "PK-4", "PK-3", "PK-2", "PK-1", "PK-0"}, seen)
}

func TestUnchangedOrders(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.opened(t, merchant, "PK-1")
	got := h.as(t, "watcher", http.MethodGet, "/v1/orders/M1700000001/PK-1", "")
	require.Equal(t, http.StatusOK, got.status, got.text)
	tag := got.header.Get("ETag")
	require.NotEmpty(t, tag)
	got = h.as(t, "watcher", http.MethodGet, "/v1/orders/M1700000001/PK-1", "", "If-None-Match", tag)
	require.Equal(t, http.StatusNotModified, got.status)
	require.Empty(t, got.text)
	got = h.as(t, "watcher", http.MethodGet, "/v1/orders/M1700000001/PK-1", "", "If-None-Match", `"other"`)
	require.Equal(t, http.StatusOK, got.status)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *Options) { o.Rate = 1 })
	require.Equal(t, http.StatusOK, h.as(t, "watcher", http.MethodGet, "/v1/countries", "").status)
	require.Equal(t, http.StatusOK, h.as(t, "billing", http.MethodGet, "/v1/countries", "").status, "another caller")
	var got reply
	for got.status != http.StatusTooManyRequests { // a slow machine is given one more each second
		got = h.as(t, "watcher", http.MethodGet, "/v1/countries", "")
	}
	require.Equal(t, CodeTooMany, got.problem(t).Code)
	require.Equal(t, "1", got.header.Get("Retry-After"))
}

// What goes wrong here is told without its text, and is in the log under the request's id.
func TestOurOwnErrors(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.orders.err = errors.New("secret detail")
	got := h.as(t, "billing", http.MethodPost, "/v1/withdrawals", sound, RequestID, "req-1")
	require.Equal(t, http.StatusInternalServerError, got.status)
	require.Equal(t, payouts.CodeUnexpected, got.problem(t).Code)
	require.NotContains(t, got.text, "secret detail")
	require.Equal(t, "req-1", got.header.Get(RequestID))
	require.Contains(t, h.logs.String(), "secret detail")
	require.Contains(t, h.logs.String(), "request_id=req-1")

	h.orders.books, h.orders.err = nil, nil
	got = h.as(t, "desk", http.MethodPost, "/v1/discrepancies/1/steps", `{"step":"explain","why":"seen"}`) // panics
	require.Equal(t, http.StatusInternalServerError, got.status)
	require.Equal(t, payouts.CodeUnexpected, got.problem(t).Code)
	require.Contains(t, h.logs.String(), "panic")

	h.orders.err = order.Refuse(client.CodeTemporalUnreachable, "nobody listens")
	got = h.as(t, "billing", http.MethodPost, "/v1/withdrawals", sound)
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.Equal(t, "1", got.header.Get("Retry-After"))
}

func TestWithoutARoster(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *Options) { o.Access = Anybody{} })
	got := h.send(t, http.MethodPost, "/v1/withdrawals", sound)
	require.Equal(t, http.StatusUnauthorized, got.status)
	require.Equal(t, CodeKeyMissing, got.problem(t).Code)
	got = h.send(t, http.MethodPost, "/v1/withdrawals", sound, ByHeader, "bilal")
	require.Equal(t, http.StatusCreated, got.status, got.text)
	require.Equal(t, "bilal", h.orders.started[0].RequestedBy)
	require.Nil(t, h.orders.started[0].Proof)
	for _, host := range []string{"attacker.example", "127.0.0.1.attacker.example", "192.0.2.1:8085"} { // a page whose name leads here
		got = h.send(t, http.MethodPost, "/v1/withdrawals", sound, ByHeader, "bilal", "Host", host)
		require.Equal(t, http.StatusMisdirectedRequest, got.status, host)
		require.Equal(t, CodeHost, got.problem(t).Code)
	}
	require.Equal(t, http.StatusCreated, h.send(t, http.MethodPost, "/v1/withdrawals", sound, ByHeader, "bilal", "Host", "localhost:8085").status)
	require.Len(t, h.orders.started, 2)
}

// The page and the document need no key, and load nothing from elsewhere.
func TestPage(t *testing.T) {
	t.Parallel()
	h := setup(t)
	got := h.send(t, http.MethodGet, "/", "")
	require.Equal(t, http.StatusOK, got.status)
	require.Contains(t, got.text, "POST /v1/withdrawals")
	require.NotContains(t, got.text, "//")
	got = h.send(t, http.MethodGet, "/openapi.json", "")
	require.Equal(t, http.StatusOK, got.status)
	require.Contains(t, got.text, `"openapi":"3.1.0"`)
}

// documentFile is the published document.
const documentFile = "../../docs/openapi.json"

func TestDocument(t *testing.T) {
	t.Parallel()
	made, err := Document("")
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(documentFile, made, 0o600))
	}
	published, err := os.ReadFile(documentFile)
	require.NoError(t, err)
	require.Equal(t, string(made), string(published), "docs/openapi.json differs from the code: run go test ./internal/httpapi -run TestDocument -update")
}

// A signed action that the roster does not permit is refused at the door.
func TestSignedActionsAreVerified(t *testing.T) {
	t.Parallel()
	h := setup(t)
	r := h.opened(t, merchant, "PK-1")
	o := order.Order{Request: r, Fingerprint: r.Fingerprint()}
	for name, test := range map[string]struct {
		action order.Action
		signer string
		status int
		code   string
	}{
		"by a stranger":    {order.Rejection{By: "amina", Why: "no"}, "mallory", 401, roster.CodeKeyUnknown},
		"for another":      {order.Rejection{By: "amina", Why: "no"}, "dana", 403, envelope.CodeSignerOther},
		"without the role": {order.Rejection{By: "amina", Why: "no"}, "amina", 403, roster.CodeRoleMissing},
		"an adoption":      {order.Adoption{By: "sana"}, "sana", 403, roster.CodeRoleMissing},
	} {
		e, refusal := envelope.Of(test.action, o, origin, noon, time.Hour)
		require.Nil(t, refusal, name)
		message, refusal := e.Bytes()
		require.Nil(t, refusal)
		key, err := ssh.NewSignerFromKey(keyOf(test.signer))
		require.NoError(t, err)
		signature, err := sshsig.Sign(bytes.NewReader(message), key, sshsig.HashSHA512, roster.Namespace)
		require.NoError(t, err)
		text, err := json.Marshal(envelope.Signed{Envelope: e, Signature: string(sshsig.Armor(signature))})
		require.NoError(t, err)
		got := h.as(t, "watcher", http.MethodPost, "/v1/signed-actions", string(text))
		require.Equal(t, test.status, got.status, "%s: %s", name, got.text)
		require.Equal(t, test.code, got.problem(t).Code, name)
	}
}

// What a person who operates has signed to adopt is done, and answered with the run. The
// merchant's order does not exist for the key of another's.
func TestSignedAdoption(t *testing.T) {
	t.Parallel()
	h := setup(t)
	r := h.opened(t, merchant, "PK-1")
	h.opened(t, merchantVN, "VN-1")
	adopt := func(who, merchant, number string) reply {
		return h.as(t, who, http.MethodPost, "/v1/signed-actions", signedAction(t, merchant, number, order.Adoption{By: "chen"}, "chen"))
	}
	got := adopt("watcher", merchant, "PK-1")
	require.Equal(t, http.StatusOK, got.status, got.text)
	var answer payouts.Order
	require.NoError(t, json.Unmarshal([]byte(got.text), &answer))
	require.Equal(t, &client.Started{WorkflowID: "order:1", RunID: "run-2"}, answer.Started)
	require.Equal(t, order.Reserved, answer.Order.State)
	require.Equal(t, payouts.FromLedger, answer.Source)
	require.Len(t, h.orders.started, 1)
	require.Equal(t, r.Fingerprint(), h.orders.started[0].Fingerprint())

	h.orders.err = order.Refuse(codes.WorkflowRunning, "a workflow drives it")
	again := adopt("watcher", merchant, "PK-1")
	require.Equal(t, http.StatusConflict, again.status, again.text)
	require.Equal(t, codes.WorkflowRunning, again.problem(t).Code)
	foreign := adopt("watcher", merchantVN, "VN-1")
	require.Equal(t, http.StatusNotFound, foreign.status, foreign.text)
	require.Len(t, h.orders.started, 1)
}

// What a person has signed about a discrepancy is verified before a worker hears of it. The
// caller acts for all merchants.
func TestSignedClosings(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.opened(t, merchant, "PK-1")
	require.NoError(t, h.ledger.OpenDiscrepancy(t.Context(), order.Key{Merchant: merchant, Number: "PK-1"}, codes.DiscrepancyNoRecord, "something"))
	found, err := h.ledger.Discrepancies(t.Context(), ledger.DiscrepancyFilter{})
	require.NoError(t, err)
	d := found[0]
	closing := func(by, signer string) string {
		who := order.Who{ID: "closing-" + signer, By: by, Why: "ticket 4711"}
		e := envelope.CloseDiscrepancy(who, d.Ref(), d.Stake, origin, noon, time.Hour)
		message, refusal := e.Bytes()
		require.Nil(t, refusal)
		key, err := ssh.NewSignerFromKey(keyOf(signer))
		require.NoError(t, err)
		signature, err := sshsig.Sign(bytes.NewReader(message), key, sshsig.HashSHA512, roster.Namespace)
		require.NoError(t, err)
		proof, err := envelope.Signed{Envelope: e, Signature: string(sshsig.Armor(signature))}.Proof()
		require.NoError(t, err)
		who.Proof = &proof
		text, err := json.Marshal(order.BookAction{Who: who, CloseDiscrepancy: &order.DiscrepancyRef{Discrepancy: d.ID}})
		require.NoError(t, err)
		return string(text)
	}
	for name, test := range map[string]struct {
		by, signer, caller string
		status             int
		code               string
	}{
		"by a stranger":             {"amina", "mallory", "desk", 401, roster.CodeKeyUnknown},
		"for another":               {"amina", "dana", "desk", 403, envelope.CodeSignerOther},
		"without the role":          {"amina", "amina", "desk", 403, roster.CodeRoleMissing},
		"by a caller of a merchant": {"amina", "amina", "clerk", 403, roster.CodeMerchantNotAllowed},
	} {
		got := h.as(t, test.caller, http.MethodPost, "/v1/book-actions", closing(test.by, test.signer))
		require.Equal(t, test.status, got.status, "%s: %s", name, got.text)
		require.Equal(t, test.code, got.problem(t).Code, name)
	}
	found, err = h.ledger.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Open: true})
	require.NoError(t, err)
	require.Equal(t, order.DiscrepancyOpen, found[0].State)
}
