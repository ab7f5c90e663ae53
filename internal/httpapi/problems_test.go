package httpapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/statement"
	"github.com/tarspay-payouts/orchestrator/order"
)

// sending is a request of a caller. before is the path of a
// request that is sent before it, as desk and with the same body.
type sending struct {
	who, path, body, before string
	headers                 []string
	err, fault              error // of Temporal; of reaching it or the ledger
}

// operationTest is a request that succeeds, and requests that are refused with a status.
// A request of these has what is set of it, and the rest of the one that succeeds.
type operationTest struct {
	sending
	headers []string
	refused map[int]sending
	// persons: an API key never does; without a roster everybody does.
	persons bool
	once    bool // it is refused the second time
	streams bool // it answers for a minute: another test has what
}

var (
	late    = order.Refuse(client.CodeNoAnswer, "no worker answers")
	settled = order.Refuse(order.CodeTerminal, "the order has ended")
	ruled   = order.Refuse(codes.FeeUnconfirmed, "the fee is as large as what was paid")
)

// signedRejection is the body of a rejection of an order of everything, by a person who signs.
func signedRejection(t *testing.T, merchant, number, by string) string {
	t.Helper()
	return signedAction(t, merchant, number, order.Rejection{By: by, Why: "not ours"}, by)
}

// signedAction is the body of an action on an order of everything, by a person who signs.
func signedAction(t *testing.T, merchant, number string, action order.Action, by string) string {
	t.Helper()
	r := requestOf(t, merchant, number)
	e, refusal := envelope.Of(action, order.Order{Request: r, Fingerprint: r.Fingerprint()}, origin, noon, time.Hour)
	require.Nil(t, refusal)
	message, refusal := e.Bytes()
	require.Nil(t, refusal)
	key, err := ssh.NewSignerFromKey(keyOf(by))
	require.NoError(t, err)
	signature, err := sshsig.Sign(bytes.NewReader(message), key, sshsig.HashSHA512, roster.Namespace)
	require.NoError(t, err)
	text, err := json.Marshal(envelope.Signed{Envelope: e, Signature: string(sshsig.Armor(signature))})
	require.NoError(t, err)
	return string(text)
}

// operationTests returns the requests of every operation. id is of a batch, endpoint of a
// webhook endpoint and discrepancy of a discrepancy: all of merchant.
func operationTests(t *testing.T, id, endpoint, discrepancy string) map[string]operationTest {
	at, theirs := "/v1/orders/"+merchant+"/INV-1", "/v1/orders/"+merchantVN+"/VN-1"
	desk := func(path, body string, refused map[int]sending) operationTest {
		return operationTest{sending: sending{who: "desk", path: path, body: body}, refused: refused}
	}
	foreign := func(path string) map[int]sending {
		return map[int]sending{422: {who: "watcher", path: path + "?merchant=" + merchantVN}}
	}
	read := func(path string) operationTest {
		return desk(at+path, "", map[int]sending{404: {who: "watcher", path: theirs + path}})
	}
	act := func(name, body string) operationTest {
		return desk(at+name, body, map[int]sending{
			403: {who: "watcher"}, 404: {who: "clerk", path: theirs + name}, 409: {err: settled}, 422: {err: ruled}, 504: {err: late},
		})
	}
	personal := func(name, body string) operationTest { // for nobody with an API key
		test := act(name, body)
		test.persons = true
		test.refused[404] = sending{err: order.Refuse(order.CodeOrderNotFound, "there is no such order")}
		return test
	}
	batches := func(name, body string, more map[int]sending) operationTest {
		refused := map[int]sending{404: {path: "/v1/batches/0000000000000000" + name}}
		maps.Copy(refused, more)
		return desk("/v1/batches/"+id+name, body, refused)
	}
	hooks := func(name, body string) operationTest {
		return desk("/v1/webhook-endpoints/"+endpoint+name, body, map[int]sending{403: {who: "watcher"}, 404: {path: "/v1/webhook-endpoints/we_0" + name}})
	}
	hook := func(name string) operationTest {
		test := hooks(name, "")
		delete(test.refused, 403)
		return test
	}
	deposit := `{"merchant":"M1700000001","number":"CART-1","way":"jazzcash","amount":{"value":"900","currency":"PKR"},"details":{"customerContact":"03001234567"}}`
	upload := desk(batchesPath, salaries, map[int]sending{
		403: {who: "watcher"}, 409: {err: order.Refuse(ledger.CodeBatchDifferent, "the id has other content")},
		422: {who: "billing", path: strings.Replace(batchesPath, merchant, merchantVN, 1)}, 504: {err: late},
	})
	upload.headers = []string{"Content-Type", typeCSV}
	importing := desk(statementsPath, exported, map[int]sending{
		403: {who: "watcher"}, 409: {err: order.Refuse(ledger.CodeStatementConflict, "the id has other content")},
		422: {who: "clerk", path: strings.Replace(statementsPath, merchant, merchantVN, 1)}, 504: {err: late},
	})
	importing.headers = []string{"Content-Type", typeCSV}
	reconcile := desk("/v1/reconciliations", `{"merchant":"M1700000001"}`, map[int]sending{403: {who: "watcher"}, 422: {body: `{"merchant":"M9"}`}, 504: {err: late}})
	comparing := desk(comparisonsPath, `{"merchant":"M1700000001","from":"2026-05-01T00:00:00Z"}`, map[int]sending{
		403: {who: "watcher"}, 409: {err: order.Refuse(client.CodeReconciliationUnderWay, "another span is under way")},
		422: {body: `{"merchant":"M9"}`}, 504: {err: late},
	})
	creating := map[int]sending{
		403: {who: "watcher"}, 409: {err: order.Refuse(order.CodeOrderConflict, "the number has other content")},
		422: {who: "billing", body: strings.Replace(sound, merchant, merchantVN, 1)},
	}
	const dayPath = "/v1/reports/day?day="
	soFar := dayPath + today() + "&so_far=true"
	closing := desk("/v1/discrepancies/"+discrepancy+"/close", `{"why":"seen"}`, map[int]sending{
		403: {who: "watcher"}, 404: {path: "/v1/discrepancies/999/close"}, 409: {}, 504: {err: late},
	})
	closing.once = true
	working := desk("/v1/discrepancies/"+discrepancy+"/steps", `{"step":"assign","to":"bilal","why":"your merchant"}`, map[int]sending{
		403: {who: "watcher"}, 404: {path: "/v1/discrepancies/999/steps"}, 409: {err: order.Refuse(codes.AlreadyClosed, "it is closed")}, 504: {err: late},
	})
	onBooks := desk("/v1/book-actions", `{"why":"they broke in","stop":{"country":"PK"}}`, map[int]sending{
		403: {who: "clerk"}, 404: {body: `{"why":"w","set_aside":{"callback":"f00d"}}`}, 409: {err: order.Refuse(ledger.CodeStopEnded, "it has ended")},
		422: {body: `{"why":"w","stop":{"merchant":"M9"}}`, who: "clerk"}, 504: {err: late},
	})
	stream := desk("/v1/events/stream", "", with(foreign("/v1/events/stream"), 409, sending{headers: []string{"Last-Event-ID", "9-evt_000000000000"}}))
	stream.streams = true
	return map[string]operationTest{
		"list-adjustments":  desk("/v1/adjustments", "", foreign("/v1/adjustments")),
		"list-audit":        desk("/v1/audit?merchant="+merchant, "", with(foreign("/v1/audit"), 403, sending{who: "watcher", path: "/v1/audit"})),
		"list-stops":        desk("/v1/stops", "", map[int]sending{403: {who: "watcher"}}),
		"act-on-books":      onBooks,
		"create-withdrawal": desk("/v1/withdrawals", sound, creating),
		"create-deposit":    desk("/v1/deposits", deposit, with(creating, 504, sending{err: late})),
		"get-order":         read(""),
		"get-order-story":   read("/story"),
		"get-order-audit":   read("/audit"),
		"list-orders":       desk("/v1/orders", "", foreign("/v1/orders")),
		"list-orders-csv":   desk("/v1/orders.csv", "", foreign("/v1/orders.csv")),
		"approve-order":     personal("/approve", `{"fingerprint":"f00df00d"}`),
		"reject-order":      personal("/reject", `{"why":"not ours"}`),
		"resolve-order":     personal("/resolve", `{"state":"failed","why":"seen","evidence":"ticket 4711"}`),
		"cancel-order":      act("/cancel", `{"why":"not ours"}`),
		"poll-order":        act("/poll", ""),
		"note-order":        act("/notes", `{"text":"seen"}`),
		"act-signed": desk("/v1/signed-actions", signedRejection(t, merchant, "INV-1", "sana"), map[int]sending{
			403: {body: signedRejection(t, merchant, "INV-1", "amina")}, 404: {who: "clerk", body: signedRejection(t, merchantVN, "VN-1", "sana")},
			409: {err: settled}, 422: {err: ruled}, 504: {err: late},
		}),
		"upload-batch":           upload,
		"list-batches":           desk("/v1/batches", "", foreign("/v1/batches")),
		"get-batch":              batches("", "", nil),
		"list-batch-rows":        batches("/rows", "", nil),
		"get-batch-result":       batches("/result", "", map[int]sending{403: {who: "watcher"}}),
		"pause-batch":            batches("/pause", `{"why":"look"}`, map[int]sending{403: {who: "watcher"}, 409: {before: "/v1/batches/" + id + "/cancel"}, 504: {err: late}}),
		"resume-batch":           batches("/resume", `{"why":"right"}`, map[int]sending{403: {who: "watcher"}, 409: {before: "/v1/batches/" + id + "/cancel"}, 504: {err: late}}),
		"cancel-batch":           batches("/cancel", `{"why":"wrong"}`, map[int]sending{403: {who: "watcher"}, 409: {err: order.Refuse(ledger.CodeBatchEnded, "it has ended")}, 504: {err: late}}),
		"import-statement":       importing,
		"list-statements":        desk("/v1/statements", "", foreign("/v1/statements")),
		"get-statement":          desk("/v1/statements/"+exportedID(), "", map[int]sending{404: {path: "/v1/statements/0000000000000000"}}),
		"get-batch-template":     desk("/v1/countries/PK/batch-template", "", map[int]sending{400: {path: "/v1/countries/XX/batch-template"}}),
		"list-balances":          desk("/v1/balances", "", foreign("/v1/balances")),
		"reconcile-balances":     reconcile,
		"reconcile-transactions": comparing,
		"get-transaction-reconciliation": desk(comparisonsPath+"/"+merchant+"/"+comparison, "", map[int]sending{
			404: {who: "watcher", path: comparisonsPath + "/" + merchantVN + "/" + comparison}, 504: {err: late},
		}),
		"get-day-report": desk(soFar, "", map[int]sending{
			404: {path: dayPath + "2020-01-01&merchant=" + merchant}, 409: {path: strings.TrimSuffix(soFar, "&so_far=true")}, 422: {who: "watcher", path: soFar + "&merchant=" + merchantVN},
		}),
		"list-discrepancies":       desk("/v1/discrepancies", "", foreign("/v1/discrepancies")),
		"get-discrepancy":          desk("/v1/discrepancies/"+discrepancy, "", map[int]sending{404: {path: "/v1/discrepancies/999"}}),
		"work-discrepancy":         working,
		"close-discrepancy":        closing,
		"list-queue":               desk("/v1/queue", "", map[int]sending{403: {who: "watcher"}}),
		"list-events":              desk("/v1/events", "", with(foreign("/v1/events"), 409, sending{path: "/v1/events?cursor=9-evt_000000000000"})),
		"stream-events":            stream,
		"list-merchants":           desk("/v1/merchants", "", nil),
		"list-countries":           desk("/v1/countries", "", nil),
		"get-ways":                 desk("/v1/countries/PK/ways", "", map[int]sending{400: {path: "/v1/countries/XX/ways"}}),
		"get-banks":                desk("/v1/countries/TH/banks", "", map[int]sending{400: {path: "/v1/countries/XX/banks"}}),
		"list-webhook-endpoints":   desk("/v1/webhook-endpoints", "", nil),
		"create-webhook-endpoint":  desk("/v1/webhook-endpoints", `{"url":"http://127.0.0.1:9/hook"}`, map[int]sending{403: {who: "watcher"}, 422: {fault: order.Refuse(ledger.CodeWebhookTooMany, "there are as many as there may be")}}),
		"get-webhook-endpoint":     hook(""),
		"list-webhook-deliveries":  hook("/deliveries"),
		"rotate-webhook-secret":    hooks("/rotate", ""),
		"disable-webhook-endpoint": hooks("/disable", ""),
		"enable-webhook-endpoint":  hooks("/enable", ""),
		"replay-webhook-endpoint":  hooks("/replay", `{"since":"2026-05-01T00:00:00Z"}`),
		"test-webhook-endpoint":    hooks("/test", ""),
	}
}

func with(all map[int]sending, status int, one sending) map[int]sending {
	more := maps.Clone(all)
	more[status] = one
	return more
}

// Every operation succeeds, also again, and is refused with every status that it documents
// and no other: without a key, with a parameter that it does not have, to a caller without
// the role, about what is another merchant's, with a body that is too large or of another
// type, too often, and when the ledger and Temporal are away, late, or have a fault.
func TestEveryProblemOfEveryOperation(t *testing.T) {
	t.Parallel()
	text, err := Document("test")
	require.NoError(t, err)
	var document struct {
		Paths map[string]map[string]documented
	}
	require.NoError(t, json.Unmarshal(text, &document))
	known := operationTests(t, "", "", "")
	for _, methods := range document.Paths {
		for method, o := range methods {
			require.Contains(t, known, o.OperationID, "it needs a test")
			delete(known, o.OperationID)
			t.Run(o.OperationID, func(t *testing.T) {
				t.Parallel()
				requireProblems(t, strings.ToUpper(method), o)
			})
		}
	}
	require.Empty(t, known, "no such operations")
}

// documented is an operation of the document.
type documented struct {
	OperationID string `json:"operationId"`
	RequestBody any    `json:"requestBody"`
	Responses   map[string]any
}

func requireProblems(t *testing.T, method string, o documented) {
	t.Helper()
	keyed, id, endpoint, discrepancy := everything(t)
	test, h := operationTests(t, id, endpoint, discrepancy)[o.OperationID], keyed
	if test.persons {
		h, _, _, _ = everything(t, func(o *Options) { o.Access = Anybody{} })
		test.headers = []string{ByHeader, "amina"}
	}
	seen := map[int]bool{}
	refuse := func(h *house, a sending, status int, headers ...string) {
		t.Helper()
		h.orders.err, h.fault = a.err, a.fault
		got := h.as(t, a.who, method, a.path, a.body, slices.Concat(test.headers, a.headers, headers)...)
		h.orders.err, h.fault = nil, nil
		require.Equal(t, status, got.status, got.text)
		require.NotEmpty(t, got.problem(t).Code)
		seen[status] = true
	}
	right := test.sending
	for again := range 2 {
		if again == 1 && test.once || test.streams { // TestStreamEvents
			break
		}
		got := h.as(t, right.who, method, right.path, right.body, test.headers...)
		require.Less(t, got.status, http.StatusBadRequest, got.text)
	}
	for _, status := range slices.Sorted(maps.Keys(test.refused)) {
		a := test.refused[status]
		if a.before != "" {
			require.Equal(t, http.StatusOK, h.as(t, "desk", http.MethodPost, a.before, test.body).status)
		}
		a.who, a.path, a.body = cmp.Or(a.who, right.who), cmp.Or(a.path, right.path), cmp.Or(a.body, right.body)
		if status == http.StatusForbidden {
			refuse(keyed, a, status)
			continue
		}
		refuse(h, a, status)
	}
	surprising, unknown := right, right
	surprising.path += map[bool]string{true: "&", false: "?"}[strings.Contains(right.path, "?")] + "surprise=1"
	refuse(h, surprising, http.StatusBadRequest)
	unknown.who = "nobody"
	refuse(keyed, unknown, http.StatusUnauthorized)
	if o.RequestBody != nil {
		large, most := right, maxBody
		if o.OperationID == "upload-batch" {
			most = batch.MaxBytes
		}
		if o.OperationID == "import-statement" {
			most = statement.MaxUpload
		}
		large.body = strings.Repeat(" ", most+1)
		refuse(h, large, http.StatusRequestEntityTooLarge)
		refuse(h, right, http.StatusUnsupportedMediaType, "Content-Type", "text/html")
	}
	for status, fault := range map[int]error{
		http.StatusInternalServerError: errors.New("planted"), http.StatusServiceUnavailable: order.Refuse(ledger.CodeUnreachable, "the database does not answer"),
	} {
		h.fault = fault
		got := h.as(t, right.who, method, right.path, right.body, test.headers...)
		h.fault = nil
		require.NotContains(t, got.text, "planted")
		if got.status >= http.StatusInternalServerError {
			require.Equal(t, status, got.status, got.text)
			seen[status] = true
		}
	}
	busy := setup(t, func(o *Options) { o.Rate = 1 })
	busy.as(t, right.who, http.MethodGet, "/v1/countries", "")
	refuse(busy, right, http.StatusTooManyRequests)
	told := map[int]bool{}
	for text := range o.Responses {
		if status, err := strconv.Atoi(text); err == nil && status >= http.StatusBadRequest {
			told[status] = true
		}
	}
	require.Equal(t, sorted(told), sorted(seen), "the document has other statuses than there are")
}

func sorted(set map[int]bool) []int { return slices.Sorted(maps.Keys(set)) }

// everything is a house with an order of each merchant, a batch, an endpoint and a
// discrepancy of merchant.
func everything(t *testing.T, change ...func(*Options)) (h *house, id, endpoint, discrepancy string) {
	t.Helper()
	h = setup(t, change...)
	h.opened(t, merchant, "INV-1")
	h.opened(t, merchantVN, "VN-1")
	var stored payouts.Batch
	if len(change) > 0 {
		return h, "", "", ""
	}
	got := h.as(t, "desk", http.MethodPost, batchesPath, salaries, "Content-Type", typeCSV)
	require.Equal(t, http.StatusCreated, got.status, got.text)
	require.NoError(t, json.Unmarshal([]byte(got.text), &stored))
	kept := h.as(t, "desk", http.MethodPost, statementsPath+"", exported, "Content-Type", typeCSV)
	require.Equal(t, http.StatusCreated, kept.status, kept.text)
	made := h.register(t, "desk", `{"url":"http://127.0.0.1:9/hook","merchants":["`+merchant+`"]}`)
	require.NoError(t, h.ledger.OpenDiscrepancy(t.Context(), order.Key{Merchant: merchant, Number: "INV-1"}, "RECORD_WITHOUT_ORDER", "something"))
	found, err := h.ledger.Discrepancies(t.Context(), ledger.DiscrepancyFilter{})
	require.NoError(t, err)
	return h, stored.ID, made.ID, fmt.Sprint(found[0].ID)
}
