package httpapi

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// bodies are a right body of each operation that has a JSON body, by path.
var bodies = map[string]string{
	"/v1/withdrawals":                      sound,
	"/v1/deposits":                         `{"merchant":"M1700000001","number":"CART-1","way":"jazzcash","amount":{"value":"900","currency":"PKR"},"details":{"customerContact":"03001234567"}}`,
	"/v1/reconciliations":                  `{"merchant":"M1700000001"}`,
	comparisonsPath:                        `{"merchant":"M1700000001","from":"2026-05-01T00:00:00Z"}`,
	"/v1/orders/M1700000001/INV-1/cancel":  `{"why":"not ours"}`,
	"/v1/orders/M1700000001/INV-1/notes":   `{"text":"seen"}`,
	"/v1/orders/M1700000001/INV-1/approve": `{"fingerprint":"f00df00d"}`,
	"/v1/orders/M1700000001/INV-1/reject":  `{"why":"not ours"}`,
	"/v1/orders/M1700000001/INV-1/resolve": `{"state":"failed","why":"seen","evidence":"ticket 4711"}`,
	"/v1/discrepancies/1/close":            `{"why":"seen"}`,
	"/v1/book-actions":                     `{"why":"they broke in","stop":{"country":"PK"}}`,
	"/v1/discrepancies/1/steps":            `{"step":"wait","days":3,"why":"ticket 4711"}`,
	"/v1/webhook-endpoints":                `{"url":"http://127.0.0.1:9/hook"}`,
	"/v1/signed-actions":                   `{"envelope":{"format":"payouts/1"},"signature":"none"}`,
}

// breaks are ways to make a right body wrong for every reader.
var breaks = map[string]func(r *rand.Rand, body string) string{
	"another type": func(r *rand.Rand, body string) string {
		return changed(r, body, func(any) any { return pick(r, []any{12, 1.5e300, true, []any{"x"}, map[string]any{"x": "y"}}) })
	},
	"a member that is not known": func(r *rand.Rand, body string) string {
		return `{"` + pick(r, []string{"Merchant ", "amout", "", "__proto__", "why\u0000"}) + `":"x",` + body[1:]
	},
	"a member twice": func(_ *rand.Rand, body string) string {
		name, _, _ := strings.Cut(body[2:], `"`)
		return body[:len(body)-1] + `,"` + name + `":"x"}`
	},
	"broken off": func(r *rand.Rand, body string) string { return body[:r.IntN(len(body))] },
	"something more": func(r *rand.Rand, body string) string {
		return body + pick(r, []string{"{}", "x", "\x00", "]", ",", body})
	},
	"too deep": func(_ *rand.Rand, body string) string {
		return `{"x":` + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000) + "," + body[1:]
	},
	"no UTF-8": func(_ *rand.Rand, body string) string { return strings.Replace(body, `":"`, "\":\"\xff\xfe", 1) },
	"another kind": func(r *rand.Rand, _ string) string {
		return pick(r, []string{"null", "[]", `"x"`, "12", "true", "", "<a/>", "number=INV-1"})
	},
	"too large": func(_ *rand.Rand, body string) string { return body + strings.Repeat(" ", maxBody) },
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// changed replaces the value of a member.
func changed(r *rand.Rand, body string, to func(any) any) string {
	var members map[string]any
	if json.Unmarshal([]byte(body), &members) != nil {
		panic(body)
	}
	name := pick(r, slices.Sorted(maps.Keys(members)))
	was := members[name]
	for members[name] = to(was); sameKind(was, members[name]); {
		members[name] = to(was)
	}
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// sameKind reports whether two values have the same type in JSON.
func sameKind(a, b any) bool { return kindOf(a) == kindOf(b) }

func kindOf(value any) reflect.Kind {
	if kind := reflect.TypeOf(value).Kind(); kind != reflect.Int {
		return kind
	}
	return reflect.Float64 // as a number is read
}

// amounts are texts that are no amount of a withdrawal in PKR.
var amounts = []string{
	`{"value":1500,"currency":"PKR"}`, `{"value":"1.5E+3","currency":"PKR"}`, `1.5e3`, `"1500"`, `{"value":"1,500","currency":"PKR"}`, `{"value":"-500","currency":"PKR"}`,
	`{"value":"0","currency":"PKR"}`, `{"value":"500.001","currency":"PKR"}`, `{"value":"500","currency":"USD"}`, `{"value":"500"}`, `{"value":"NaN","currency":"PKR"}`,
	`{"value":"٥٠٠","currency":"PKR"}`, `{"value":" 500","currency":"PKR"}`, `{"value":"500","currency":"PKR","value":"900"}`, `{"value":"99999999999999999999","currency":"PKR"}`,
}

// queries are parameters that no list takes.
var queries = []string{
	"limit=0", "limit=501", "limit=x", "limit=1e2", "cursor=x", "cursor=" + newCursor("another", nil).write(1), "surprise=1", "state=paid", "created_from=yesterday",
	"amount_min=1500", "amount_min=1,500&currency=PKR", "metadata=x", "kind=refund", "open=perhaps", "ended_before=2026-13-01",
}

// A thousand requests that are wrong are each refused with a code, and leave nothing.
func TestAThousandBadRequests(t *testing.T) {
	t.Parallel()
	const requests = 1000
	h, _, _, _ := everything(t)
	h.orders.started = nil
	before := h.remains(t)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for range requests {
		method, path, body := http.MethodPost, pick(r, slices.Sorted(maps.Keys(bodies))), ""
		kind := "a query"
		switch r.IntN(4) {
		case 0:
			method, path = http.MethodGet, "/v1/orders?"+pick(r, queries)
		case 1:
			kind, path = "an amount", "/v1/withdrawals"
			body = strings.Replace(sound, `{"value":"500","currency":"PKR"}`, pick(r, amounts), 1)
			require.NotEqual(t, sound, body)
		default:
			kind = pick(r, slices.Sorted(maps.Keys(breaks)))
			body = breaks[kind](r, bodies[path])
		}
		got := h.as(t, "desk", method, path, body)
		about := kind + ": " + method + " " + path + " " + body[:min(len(body), 300)]
		require.GreaterOrEqual(t, got.status, http.StatusBadRequest, about)
		require.Less(t, got.status, http.StatusInternalServerError, about+got.text)
		require.NotEmpty(t, got.problem(t).Code, about)
	}
	require.Equal(t, before, h.remains(t))
	require.Empty(t, h.orders.started)
	require.Zero(t, h.orders.acted)
	require.NotContains(t, h.logs.String(), "panic")
}

// remains returns everything that a request could leave in the ledger.
func (h *house) remains(t *testing.T) (all struct {
	orders      []order.Order
	batches     []ledger.BatchRecord
	endpoints   []payouts.Webhook
	differences []ledger.Discrepancy
	entries     int
}) {
	t.Helper()
	var err error
	all.orders, err = h.ledger.Orders(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	all.batches, err = h.ledger.Batches(t.Context(), ledger.BatchFilter{})
	require.NoError(t, err)
	all.endpoints, err = h.ledger.Webhooks(t.Context())
	require.NoError(t, err)
	all.differences, err = h.ledger.Discrepancies(t.Context(), ledger.DiscrepancyFilter{})
	require.NoError(t, err)
	report, err := h.ledger.VerifyAudit(t.Context(), ledger.AuditEvidence{})
	require.NoError(t, err)
	all.entries = report.Entries
	return all
}

// FuzzBody sends bodies to every operation that takes JSON: what is wrong with one is never
// our fault.
func FuzzBody(f *testing.F) {
	paths := slices.Sorted(maps.Keys(bodies))
	for i, path := range paths {
		f.Add(uint8(i), bodies[path])
	}
	for i, amount := range amounts {
		f.Add(uint8(slices.Index(paths, "/v1/withdrawals")), strings.Replace(sound, `{"value":"500","currency":"PKR"}`, amounts[i], 1))
		f.Add(uint8(slices.Index(paths, "/v1/signed-actions")), amount)
	}
	var options Options
	setup(f, func(o *Options) { options = *o })
	options.Rate = 1_000_000
	door := New(options)
	f.Fuzz(func(t *testing.T, at uint8, body string) {
		request := httptest.NewRequest(http.MethodPost, paths[int(at)%len(paths)], strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+tokenOf("desk"))
		answer := httptest.NewRecorder()
		door.ServeHTTP(answer, request)
		require.NotEqual(t, http.StatusInternalServerError, answer.Code, answer.Body.String())
		require.True(t, json.Valid(answer.Body.Bytes()), answer.Body.String())
		if answer.Code >= http.StatusBadRequest {
			reply{answer.Code, answer.Header(), answer.Body.String()}.problem(t)
		}
	})
}
