package tarspay

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// received is what a server saw of one call, its signature checked.
type received struct {
	path    string
	members string // the body as it came
}

// recorder answers each call with the next of its answers and records the
// calls, failing the test on a signature that does not verify.
type recorder struct {
	client  *Client
	calls   []received
	answers []string
}

func newRecorder(t *testing.T, options Options, answers ...string) *recorder {
	t.Helper()
	recorder := &recorder{answers: answers}
	signer := newSigner(t)
	verifier := newVerifier(t, signer.PublicKey())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		members := make(map[string]any)
		if len(body) > 0 {
			object, err := readObject(body)
			if err != nil {
				t.Errorf("body: %s", err)
			}
			for name, raw := range object {
				members[name] = raw
			}
		}
		signed, err := CanonicalString(r.Method, r.URL.Path, r.Header.Get(HeaderNonce), members)
		if err != nil || verifier.Verify([]byte(signed), r.Header.Get(HeaderSignature)) != nil {
			t.Errorf("%s is not signed: %v", r.URL.Path, err)
		}
		recorder.calls = append(recorder.calls, received{r.URL.Path, string(body)})
		next := recorder.answers[0]
		if len(recorder.answers) > 1 {
			recorder.answers = recorder.answers[1:]
		}
		_, _ = io.WriteString(w, next)
	}))
	t.Cleanup(server.Close)
	client, err := NewClient(server.URL, merchant, signer, options)
	require.NoError(t, err)
	recorder.client = client
	return recorder
}

// The answers below are the samples of the pages, with other people in them.

func TestCreateDepositWithBankDetails(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, Options{}, `{"code":0,"data":{"accountName":"NGUYEN VAN A","amount":"100000","countryCode":"vn","currency":"VND",
		"customerContact":"0900000000","expiredTime":1684291353,"mchOrderNo":"ORDER-1","orderState":1,"payData":"https://pay.example/qr?data=2|99",
		"payDataType":"payurl","payOrderId":"P1658662170384941058","payUrl":"https://pay.example/#/order/vn/P1658662170384941058",
		"payWays":{"ewallet":[{"countryCode":"vn","createdAt":0,"id":66,"payCode":"https://pay.example/qr","payWay":"MOMO",
		"payWayLogo":"https://pay.example/momo.png","payWayType":"ewallet","skipMode":1,"state":1,"updatedAt":0}]},"phone":"0911111111"},"msg":"SUCCESS","sign":"3045"}`)
	deposit, err := r.client.CreateDeposit(t.Context(), order)
	require.NoError(t, err)
	require.Equal(t, PathCreateDeposit, r.calls[0].path)
	require.Equal(t, Deposit{
		GatewayID: "P1658662170384941058", OrderNumber: "ORDER-1", Amount: "100000", Currency: "VND", State: StateInProgress,
		PayURL: "https://pay.example/#/order/vn/P1658662170384941058", PayData: "https://pay.example/qr?data=2|99", PayDataType: "payurl",
		ExpiresAt:   time.Date(2023, 5, 17, 2, 42, 33, 0, time.UTC),
		AccountName: "NGUYEN VAN A", Phone: "0911111111", CountryCode: "vn",
		PayWays: map[string][]PayWay{"ewallet": {{
			Way: "MOMO", Type: "ewallet", Code: "https://pay.example/qr", Logo: "https://pay.example/momo.png", CountryCode: "vn",
			Extra: map[string]json.RawMessage{
				"createdAt": json.RawMessage("0"), "updatedAt": json.RawMessage("0"), "id": json.RawMessage("66"),
				"skipMode": json.RawMessage("1"), "state": json.RawMessage("1"),
			},
		}}},
		Extra: map[string]json.RawMessage{"customerContact": json.RawMessage(`"0900000000"`)},
	}, deposit)
}

func TestCreateDepositAtTheCashier(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, Options{}, `{"code":0,"data":{"amount":"100","currency":"THA","orderState":0,"payOrderId":"P1","payUrl":"https://pay.example/P1",
		"payWays":{"bank":[],"EWALLET":null}},"msg":"SUCCESS"}`)
	deposit, err := r.client.CreateDeposit(t.Context(), order)
	require.NoError(t, err)
	require.Equal(t, "ORDER-1", deposit.OrderNumber, "without an echo the number is the one asked for")
	require.Equal(t, StateCreated, deposit.State)
	require.True(t, deposit.ExpiresAt.IsZero())
	require.Equal(t, map[string][]PayWay{"bank": {}, "EWALLET": {}}, deposit.PayWays)
	require.Nil(t, deposit.Extra)
}

func TestCreateDepositWithWaysAsAList(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, Options{}, `{"code":0,"data":{"payOrderId":"P1","payWays":[{"payWay":"UPI","payWayType":"UPI"},{"payWay":"X","payWayType":"bank"}]}}`)
	deposit, err := r.client.CreateDeposit(t.Context(), order)
	require.NoError(t, err)
	require.Equal(t, map[string][]PayWay{"UPI": {{Way: "UPI", Type: "UPI"}}, "bank": {{Way: "X", Type: "bank"}}}, deposit.PayWays)
}

func TestCreateDepositRefusesWrongTypes(t *testing.T) {
	t.Parallel()
	for name, member := range map[string]string{
		"number for id": `"payOrderId":{}`, "blank id": `"payOrderId":""`, "null id": `"payOrderId":null`,
		"boolean url": `"payUrl":true`, "milliseconds": `"expiredTime":1684291353000`, "text time": `"expiredTime":"soon"`, "negative time": `"expiredTime":-1`,
		"text ways": `"payWays":"bank"`, "ways of objects": `"payWays":{"bank":{}}`, "ways of numbers": `"payWays":{"bank":[1]}`,
		"way of objects": `"payWays":{"bank":[{"payWay":{}}]}`, "list of numbers": `"payWays":[1]`, "state": `"orderState":"x"`, "fraction": `"orderState":1.0`,
	} {
		body := `{"code":0,"data":{"mchOrderNo":"ORDER-1","payOrderId":"P1",` + member + `}}`
		if name == "number for id" || name == "blank id" || name == "null id" {
			body = `{"code":0,"data":{"mchOrderNo":"ORDER-1",` + member + `}}`
		}
		r := newRecorder(t, Options{}, body)
		_, err := r.client.CreateDeposit(t.Context(), order)
		require.Equal(t, ClassProtocol, ClassOf(err), name)
		require.True(t, asError(t, err).OutcomeUnknown(), name)
	}
}

func TestCreateWithdrawal(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, Options{}, `{"code":0,"data":{"mchOrderNo":"ORDER-1","payOrderId":"P1551409540398772225","new":true},"msg":"SUCCESS"}`)
	withdrawal, err := r.client.CreateWithdrawal(t.Context(), order)
	require.NoError(t, err)
	require.Equal(t, PathCreateWithdrawal, r.calls[0].path)
	require.Equal(t, Withdrawal{
		GatewayID: "P1551409540398772225", OrderNumber: "ORDER-1", Extra: map[string]json.RawMessage{"new": json.RawMessage("true")},
	}, withdrawal)
}

func TestQueries(t *testing.T) {
	t.Parallel()
	const sample = `{"code":0,"data":{"currency":"KES","fee":"0","mchNo":"M1696154848","mchOrderNo":"ORDER-1","orderAmount":"100","payAmount":"0","payOrderId":"P1","state":1},"msg":"SUCCESS"}`
	want := OrderStatus{
		GatewayID: "P1", Merchant: merchant, OrderNumber: "ORDER-1", OrderAmount: "100", PayAmount: "0", Currency: "KES", Fee: "0", State: StateInProgress,
	}
	r := newRecorder(t, Options{}, sample)
	status, err := r.client.QueryDeposit(t.Context(), Reference{OrderNumber: "ORDER-1"})
	require.NoError(t, err)
	require.Equal(t, want, status)
	status, err = r.client.QueryWithdrawal(t.Context(), Reference{GatewayID: "P1"})
	require.NoError(t, err)
	require.Equal(t, want, status)
	_, err = r.client.QueryWithdrawal(t.Context(), Reference{OrderNumber: "ORDER-1", GatewayID: "P1"})
	require.NoError(t, err)
	require.Equal(t, []received{
		{"/api/payInInfo", `{"mchNo":"M1696154848","mchOrderNo":"ORDER-1"}`},
		{"/api/payOutInfo", `{"mchNo":"M1696154848","payOrderId":"P1"}`},
		{"/api/payOutInfo", `{"mchNo":"M1696154848","mchOrderNo":"ORDER-1"}`},
	}, r.calls, "exactly one number is sent, ours when it is given")
}

func TestQueryReadsAllStatesAsNumberOrText(t *testing.T) {
	t.Parallel()
	for state := State(0); state <= 12; state++ {
		for _, form := range []string{"%d", `"%d"`} {
			r := newRecorder(t, Options{}, `{"code":0,"data":{"mchOrderNo":"","payOrderId":"P1","state":`+fmt.Sprintf(form, int(state))+`}}`)
			status, err := r.client.QueryDeposit(t.Context(), Reference{GatewayID: "P1"})
			require.NoError(t, err)
			require.Equal(t, state, status.State)
			require.Empty(t, status.OrderNumber, "the echo may be empty")
		}
	}
}

func TestAnswersForSomebodyElse(t *testing.T) {
	t.Parallel()
	both := Reference{OrderNumber: "ORDER-1", GatewayID: "P1"}
	for name, data := range map[string]string{
		"another merchant": `{"mchNo":"M2","mchOrderNo":"ORDER-1","payOrderId":"P1","state":2}`,
		"another number":   `{"mchNo":"M1696154848","mchOrderNo":"ORDER-2","payOrderId":"P1","state":2}`,
		"another id":       `{"mchNo":"M1696154848","mchOrderNo":"ORDER-1","payOrderId":"P2","state":2}`,
		"no state":         `{"mchNo":"M1696154848","mchOrderNo":"ORDER-1","payOrderId":"P1"}`,
		"state twice":      `{"mchNo":"M1696154848","mchOrderNo":"ORDER-1","payOrderId":"P1","state":2,"state":3}`,
	} {
		r := newRecorder(t, Options{}, `{"code":0,"data":`+data+`}`)
		_, err := r.client.QueryDeposit(t.Context(), both)
		require.Equal(t, ClassProtocol, ClassOf(err), name)
	}
}

func TestBalance(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, Options{}, `{"code":0,"data":{"availableAmount":"294876","frozenAmount":"1986","mchNo":"M1696154848"},"msg":"SUCCESS","sign":"3045"}`)
	balance, err := r.client.Balance(t.Context())
	require.NoError(t, err)
	require.Equal(t, Balance{Merchant: merchant, Available: "294876", Frozen: "1986"}, balance)
	require.Equal(t, []received{{"/api/balanceInfo", `{"mchNo":"M1696154848"}`}}, r.calls)

	for name, data := range map[string]string{
		"another merchant": `{"availableAmount":"1","frozenAmount":"1","mchNo":"M2"}`,
		"no frozen":        `{"availableAmount":"1"}`,
		"no data":          `null`,
		"text":             `"1"`,
	} {
		r := newRecorder(t, Options{}, `{"code":0,"data":`+data+`}`)
		_, err := r.client.Balance(t.Context())
		require.Equal(t, ClassProtocol, ClassOf(err), name)
	}
}

const historySample = `{"code":0,"data":{"current":%d,"hitCount":false,"optimizeCountSql":true,"orders":[],"pages":%d,"records":[%s],"searchCount":true,"size":3,"total":%d},"msg":"SUCCESS"}`

func historyRecord(id string, state int) string {
	return fmt.Sprintf(`{"amount":"190000","bankCard":"123456789","bankName":"","bizType":1,"createdAt":1683945480,"currency":"THA","mchFeeAmount":"10000",
		"mchName":"Test","mchNo":"M1696154848","mchOrderNo":"A-%s","mobilePhone":"17700000000","orderAmount":"200000","payOrderId":%q,"payWay":"bank",
		"payWayType":"bank","payerName":"DW","state":%d,"successTime":1683945670}`, id, id, state)
}

func TestHistory(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, Options{}, fmt.Sprintf(historySample, 1, 22, historyRecord("P1", 2), 66))
	page, err := r.client.History(t.Context(), HistoryRequest{
		Kind: HistoryDeposit, From: time.Unix(1656604800, 0), To: time.Unix(1667145600, 999), PageSize: 20,
	})
	require.NoError(t, err)
	require.Equal(t, []received{{"/api/transInfo", `{"bizType":1,"endTime":1667145600,"mchNo":"M1696154848","pageNumber":1,"pageSize":20,"startTime":1656604800}`}}, r.calls)
	require.Equal(t, []int{1, 22, 66}, []int{page.Page, page.Pages, page.Total})
	require.Len(t, page.Extra, 5)
	require.Equal(t, []HistoryRecord{{
		Kind: HistoryDeposit, GatewayID: "P1", OrderNumber: "A-P1", Merchant: merchant, State: StateSucceeded, Currency: "THA",
		OrderAmount: "200000", Amount: "190000", Fee: "10000",
		CreatedAt: time.Unix(1683945480, 0).UTC(), SucceededAt: time.Unix(1683945670, 0).UTC(),
		Way: "bank", WayType: "bank", PayerName: "DW", BankCard: "123456789", Phone: "17700000000",
		Extra: map[string]json.RawMessage{"mchName": json.RawMessage(`"Test"`)},
	}}, page.Records)

	_, err = r.client.History(t.Context(), HistoryRequest{})
	require.NoError(t, err)
	require.JSONEq(t, `{"mchNo":"M1696154848","pageNumber":1,"pageSize":50}`, r.calls[1].members, "what is not asked for is not sent")
	for _, bad := range []HistoryRequest{{PageSize: 51}, {PageSize: -1}, {Page: -1}, {Kind: 5}, {Kind: -1}} {
		_, err := r.client.History(t.Context(), bad)
		require.ErrorIs(t, err, ErrRequest)
	}
	require.Len(t, r.calls, 2)
}

func TestHistoryRefusesWrongShapes(t *testing.T) {
	t.Parallel()
	good := historyRecord("P1", 2)
	for name, data := range map[string]string{
		"no data": `null`, "text": `"x"`, "no records": `{"current":1,"pages":1,"total":1}`,
		"records null": `{"current":1,"pages":1,"total":1,"records":{}}`, "no total": `{"current":1,"pages":1,"records":[` + good + `]}`,
		"negative total": `{"current":1,"pages":1,"total":-1,"records":[]}`, "number": `{"current":1,"pages":1,"total":1,"records":[1]}`,
		"no id":            `{"current":1,"pages":1,"total":1,"records":[{"state":2}]}`,
		"no state":         `{"current":1,"pages":1,"total":1,"records":[{"payOrderId":"P1"}]}`,
		"another merchant": `{"current":1,"pages":1,"total":1,"records":[{"payOrderId":"P1","state":2,"mchNo":"M2"}]}`,
	} {
		r := newRecorder(t, Options{}, `{"code":0,"data":`+data+`}`)
		_, err := r.client.History(t.Context(), HistoryRequest{})
		require.Equal(t, ClassProtocol, ClassOf(err), name)
	}
}

func readHistory(t *testing.T, client *Client) (ids []string, last error) {
	t.Helper()
	for record, err := range client.HistoryAll(t.Context(), HistoryRequest{PageSize: 2}) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, record.GatewayID)
	}
	return ids, nil
}

func TestHistoryAll(t *testing.T) {
	t.Parallel()
	page := func(current, pages, total int, ids ...string) string {
		records := ""
		for i, id := range ids {
			if i > 0 {
				records += ","
			}
			records += historyRecord(id, 2)
		}
		return fmt.Sprintf(historySample, current, pages, records, total)
	}
	tests := []struct {
		name  string
		pages []string
		want  []string
		err   error
		class Class
	}{
		{"three pages", []string{page(1, 3, 5, "P5", "P4"), page(2, 3, 5, "P3", "P2"), page(3, 3, 5, "P1")}, []string{"P5", "P4", "P3", "P2", "P1"}, nil, ""},
		{"nothing", []string{page(1, 0, 0)}, nil, nil, ""},
		{"a newer record shifts the pages", []string{page(1, 2, 3, "P3", "P2"), page(2, 2, 4, "P2", "P1")}, []string{"P3", "P2", "P1"}, ErrHistoryShifted, ""},
		{"a page that is empty ends it", []string{page(1, 9, 3, "P3", "P2"), page(2, 9, 3)}, []string{"P3", "P2"}, nil, ""},
		{"the second page fails", []string{page(1, 2, 3, "P3"), `{"code":-1,"data":null}`}, []string{"P3"}, nil, ClassUnavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(t, Options{}, test.pages...)
			ids, err := readHistory(t, r.client)
			require.Equal(t, test.want, ids)
			if test.class == "" {
				require.ErrorIs(t, err, test.err)
			}
			require.Equal(t, test.class, ClassOf(err))
			require.Len(t, r.calls, len(test.pages))
		})
	}

	t.Run("a reader who stops asks no further", func(t *testing.T) {
		t.Parallel()
		r := newRecorder(t, Options{}, page(1, 3, 5, "P5", "P4"))
		for record := range r.client.HistoryAll(t.Context(), HistoryRequest{}) {
			require.Equal(t, "P5", record.GatewayID)
			break
		}
		require.Len(t, r.calls, 1)
	})
}

func TestCheckAccount(t *testing.T) {
	t.Parallel()
	ask := AccountCheckRequest{AccountNumber: "08491312411", Way: "MBB", UserName: "NGUYEN VAN"}
	r := newRecorder(t, Options{AccountCheckPath: "/api/accountCheck"},
		`{"code":0,"data":{"actualUserName":"NGUYEN VAN A","result":false},"msg":"SUCCESS"}`,
		`{"code":0,"data":{"result":true}}`, `{"code":0,"data":{"result":"true"}}`, `{"code":0,"data":null}`)
	check, err := r.client.CheckAccount(t.Context(), ask)
	require.NoError(t, err)
	require.Equal(t, AccountCheck{ActualName: "NGUYEN VAN A"}, check)
	require.Equal(t, []received{{"/api/accountCheck", `{"accountNumber":"08491312411","mchNo":"M1696154848","userName":"NGUYEN VAN","wayCode":"MBB"}`}}, r.calls)
	check, err = r.client.CheckAccount(t.Context(), ask)
	require.NoError(t, err)
	require.True(t, check.Matches)
	for range 2 {
		_, err = r.client.CheckAccount(t.Context(), ask)
		require.Equal(t, ClassProtocol, ClassOf(err))
	}
	_, err = r.client.CheckAccount(t.Context(), AccountCheckRequest{Way: "MBB", UserName: "x"})
	require.ErrorIs(t, err, ErrRequest)

	off := newRecorder(t, Options{}, "")
	_, err = off.client.CheckAccount(t.Context(), ask)
	require.ErrorIs(t, err, ErrNoPath)
	require.True(t, asError(t, err).NotSent)
}

func TestDepositByTrxID(t *testing.T) {
	t.Parallel()
	const id = "E0000000020231214031156667989769"
	r := newRecorder(t, Options{}, `{"code":0,"data":{"currency":"BRA","fee":"1","mchNo":"M1696154848","mchOrderNo":"A","orderAmount":"83","payAmount":"83","payOrderId":"P1","state":2}}`,
		`{"code":0,"data":null}`, `{"code":0,"data":{"mchNo":"M2","state":2}}`)
	status, err := r.client.DepositByTrxID(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, StateSucceeded, status.State)
	require.Equal(t, "83", status.PayAmount)
	require.Equal(t, []received{{"/api/orderInfo/trxId", `{"mchNo":"M1696154848","trxId":"` + id + `"}`}}, r.calls)
	_, err = r.client.DepositByTrxID(t.Context(), id)
	require.Equal(t, ClassNotFound, ClassOf(err))
	_, err = r.client.DepositByTrxID(t.Context(), id)
	require.Equal(t, ClassProtocol, ClassOf(err))
	_, err = r.client.DepositByTrxID(t.Context(), "")
	require.ErrorIs(t, err, ErrRequest)
}

func TestPayoutProof(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, Options{}, `{"code":0,"data":{"url":"https://pay.example/proof.pdf"}}`, `{"code":0,"data":"https://pay.example/proof.pdf"}`, `{"code":0}`)
	proof, err := r.client.PayoutProof(t.Context(), Reference{OrderNumber: "A"})
	require.NoError(t, err)
	require.JSONEq(t, `{"url":"https://pay.example/proof.pdf"}`, string(proof.Data))
	proof, err = r.client.PayoutProof(t.Context(), Reference{GatewayID: "P1"})
	require.NoError(t, err)
	require.Equal(t, `"https://pay.example/proof.pdf"`, string(proof.Data))
	_, err = r.client.PayoutProof(t.Context(), Reference{GatewayID: "P1"})
	require.Equal(t, ClassNotFound, ClassOf(err))
	require.Equal(t, []received{
		{"/api/payOutProof", `{"mchNo":"M1696154848","mchOrderNo":"A"}`},
		{"/api/payOutProof", `{"mchNo":"M1696154848","payOrderId":"P1"}`},
		{"/api/payOutProof", `{"mchNo":"M1696154848","payOrderId":"P1"}`},
	}, r.calls)
}

func TestTrxAndUTRQueries(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, Options{},
		`{"code":0,"data":{"message":"not paid","status":0,"trxId":"T1"}}`,
		`{"code":0,"data":{"message":"ok","status":"2","utr":"U1","amount":"100","mchOrderNo":"OTHER"}}`,
		`{"code":0,"data":{"message":"not paid","status":0,"trxId":"T2"}}`,
		`{"code":0,"data":{"message":"not paid","trxId":"T1"}}`,
		`{"code":0,"data":null}`)
	payment, err := r.client.QueryTrx(t.Context(), "T1")
	require.NoError(t, err)
	require.Equal(t, Payment{Supplement: SupplementImpossible, Message: "not paid", ID: "T1"}, payment)
	payment, err = r.client.QueryUTR(t.Context(), "U1", "A")
	require.NoError(t, err)
	require.Equal(t, Payment{Supplement: SupplementUnsupported, Message: "ok", ID: "U1", Amount: "100", UsedBy: "OTHER"}, payment)
	for _, want := range []Class{ClassProtocol, ClassProtocol, ClassNotFound} {
		_, err = r.client.QueryTrx(t.Context(), "T1")
		require.Equal(t, want, ClassOf(err))
	}
	require.Equal(t, received{"/api/trxQuery", `{"mchNo":"M1696154848","trxId":"T1"}`}, r.calls[0])
	require.Equal(t, received{"/api/utrQuery", `{"mchNo":"M1696154848","mchOrderNo":"A","utr":"U1"}`}, r.calls[1])
	_, err = r.client.QueryTrx(t.Context(), "")
	require.ErrorIs(t, err, ErrRequest)
}

func TestSupplements(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, Options{UTRSupplementPath: PathUTRSupplementGuess},
		`{"code":0,"data":{"mchOrderNo":"A","message":"done","payOrderId":"P1","status":1,"trxId":"T1"}}`,
		`{"code":0,"data":{"mchOrderNo":"A","message":"no","status":0,"utr":"U1"}}`,
		`{"code":0,"data":{"mchOrderNo":"B","status":1}}`,
		`{"code":0,"data":{"trxId":"T2","status":1}}`,
		`{"code":0,"data":{"mchOrderNo":"A"}}`,
		`{"code":0,"data":null}`,
		`{"code":42,"data":null}`)
	result, err := r.client.SupplementTrx(t.Context(), "T1", "A")
	require.NoError(t, err)
	require.Equal(t, SupplementResult{Done: true, Message: "done", OrderNumber: "A", GatewayID: "P1", ID: "T1"}, result)
	result, err = r.client.SupplementUTR(t.Context(), "U1", "A")
	require.NoError(t, err)
	require.False(t, result.Done)
	for _, want := range []Class{ClassProtocol, ClassProtocol, ClassProtocol, ClassProtocol, ClassAmbiguous} {
		_, err = r.client.SupplementTrx(t.Context(), "T1", "A")
		require.Equal(t, want, ClassOf(err))
		require.True(t, asError(t, err).OutcomeUnknown(), "a supplement can move money")
	}
	require.Equal(t, received{"/api/trxSupplement", `{"mchNo":"M1696154848","mchOrderNo":"A","trxId":"T1"}`}, r.calls[0])
	require.Equal(t, received{"/api/utrSupplement", `{"mchNo":"M1696154848","mchOrderNo":"A","utr":"U1"}`}, r.calls[1])

	off := newRecorder(t, Options{}, "")
	_, err = off.client.SupplementUTR(t.Context(), "U1", "A")
	require.ErrorIs(t, err, ErrNoPath)
	require.False(t, asError(t, err).OutcomeUnknown())
}

func TestSubmitTrx(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, Options{}, `{"code":0,"msg":"SUCCESS"}`, `{"code":-1}`)
	require.NoError(t, r.client.SubmitTrx(t.Context(), "P1742731237818892289", "ABC123"))
	require.Equal(t, []received{{"/api/bd/P1742731237818892289/ABC123", ""}}, r.calls)
	require.Equal(t, ClassUnavailable, ClassOf(r.client.SubmitTrx(t.Context(), "P1", "ABC123")))
	for _, bad := range []string{"", "a/b", "..", "a?b", "a b", "é"} {
		require.ErrorIs(t, r.client.SubmitTrx(t.Context(), "P1", bad), ErrRequest, bad)
		require.ErrorIs(t, r.client.SubmitTrx(t.Context(), bad, "T1"), ErrRequest, bad)
	}
	require.Len(t, r.calls, 2)
}

// Every method of the client turns every failure into an *Error of its own
// operation.
func TestEveryCallNamesItsOperation(t *testing.T) {
	t.Parallel()
	client := newTestClient(t, answer(500, ""), Options{AccountCheckPath: "/a", UTRSupplementPath: "/b"})
	ctx, reference := t.Context(), Reference{OrderNumber: "A"}
	calls := map[Operation]func() error{
		OperationCreateDeposit:    func() error { _, err := client.CreateDeposit(ctx, order); return err },
		OperationCreateWithdrawal: func() error { _, err := client.CreateWithdrawal(ctx, order); return err },
		OperationQueryDeposit:     func() error { _, err := client.QueryDeposit(ctx, reference); return err },
		OperationQueryWithdrawal:  func() error { _, err := client.QueryWithdrawal(ctx, reference); return err },
		OperationBalance:          func() error { _, err := client.Balance(ctx); return err },
		OperationHistory:          func() error { _, err := client.History(ctx, HistoryRequest{}); return err },
		OperationAccountCheck:     func() error { _, err := client.CheckAccount(ctx, AccountCheckRequest{"1", "2", "3"}); return err },
		OperationDepositByTrxID:   func() error { _, err := client.DepositByTrxID(ctx, "E1"); return err },
		OperationPayoutProof:      func() error { _, err := client.PayoutProof(ctx, reference); return err },
		OperationTrxQuery:         func() error { _, err := client.QueryTrx(ctx, "T1"); return err },
		OperationTrxSupplement:    func() error { _, err := client.SupplementTrx(ctx, "T1", "A"); return err },
		OperationTrxSubmit:        func() error { return client.SubmitTrx(ctx, "P1", "T1") },
		OperationUTRQuery:         func() error { _, err := client.QueryUTR(ctx, "U1", "A"); return err },
		OperationUTRSupplement:    func() error { _, err := client.SupplementUTR(ctx, "U1", "A"); return err },
	}
	require.ElementsMatch(t, declaredOperations(t), slices.Collect(maps.Keys(calls)))
	for operation, call := range calls {
		var failed *Error
		require.ErrorAs(t, call(), &failed, operation)
		require.Equal(t, operation, failed.Operation)
		require.Equal(t, ClassUnavailable, failed.Class)
		require.Equal(t, 500, failed.HTTPStatus)
	}
}
