package openapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/openapi/generated"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// document is docs/openapi.json with its validator.
type document struct {
	validator.Validator
	operations []string
}

func read(t *testing.T) document {
	t.Helper()
	text, err := os.ReadFile("../../docs/openapi.json")
	require.NoError(t, err)
	parsed, err := libopenapi.NewDocument(text)
	require.NoError(t, err)
	checks, problems := validator.NewValidator(parsed)
	require.Empty(t, problems)
	model, err := parsed.BuildV3Model()
	require.NoError(t, err)
	d := document{Validator: checks}
	for path := range model.Model.Paths.PathItems.FromOldest() {
		item := model.Model.Paths.PathItems.GetOrZero(path)
		for _, operation := range item.GetOperations().FromOldest() {
			d.operations = append(d.operations, operation.OperationId)
		}
	}
	slices.Sort(d.operations)
	return d
}

func TestTheDocumentIsValid(t *testing.T) {
	t.Parallel()
	valid, problems := read(t).ValidateDocument()
	for _, p := range problems {
		t.Log(p.Message, p.Reason)
	}
	require.True(t, valid)
}

// checked sends requests, and requires that each request and each answer is as the
// document says.
type checked struct {
	t        *testing.T
	document document
	mutex    sync.Mutex
}

func (c *checked) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.Header.Get("Content-Type") == "text/event-stream" { // it goes on for a minute
		return response, nil
	}
	text, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(text))
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if valid, problems := c.document.ValidateHttpResponse(request, response); !valid {
		for _, p := range problems {
			c.t.Errorf("%s %s: %d: %s: %s: %+v: %s", request.Method, request.URL.Path, response.StatusCode, p.Message, p.Reason, p.SchemaValidationErrors, text)
		}
	}
	response.Body = io.NopCloser(bytes.NewReader(text))
	return response, nil
}

// TestEveryOperation calls every operation of the document against the whole stack, with
// the generated client.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	d := read(t)
	running, err := stack.Start(t.Context(), stack.Options{API: true, People: stack.People(""), Bin: "../../bin"})
	require.NoError(t, err, "the stack does not start; `make build bin/temporal` builds what it is made of")
	t.Cleanup(func() {
		if t.Failed() {
			running.Keep()
			t.Logf("logs and books stay in %s", running.Dir())
		}
		require.NoError(t, running.Stop())
	})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	token, err := running.Token()
	require.NoError(t, err)
	withKey := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	c, err := generated.NewClientWithResponses(running.Addresses.API, generated.WithRequestEditorFn(withKey),
		generated.WithHTTPClient(&http.Client{Transport: &checked{t: t, document: d}}))
	require.NoError(t, err)
	caller := caller{t, ctx, c, running.Merchant("PK")}
	calls := append(caller.calls(running.Addresses.API, token), append(caller.webhooks(t), append(caller.batches(), caller.statements()...)...)...)
	names := make([]string, 0, len(calls))
	for _, call := range calls {
		names = append(names, call.operation)
	}
	slices.Sort(names)
	require.Equal(t, d.operations, slices.Compact(names), "each operation of the document is called")
	for _, call := range calls {
		if !t.Run(call.operation, func(t *testing.T) {
			code, text := call.do(t)
			require.Equal(t, call.status, code, text)
		}) {
			return
		}
	}
}

type call struct {
	operation string
	status    int
	do        func(t *testing.T) (status int, text string)
}

type caller struct {
	t        *testing.T
	ctx      context.Context
	c        *generated.ClientWithResponses
	merchant string
}

// answered returns the status and the text of an answer.
func answered(t *testing.T, response *http.Response, text []byte, err error) (int, string) {
	t.Helper()
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func to[T any](value T) *T { return &value }

// calls are in the order in which they can be made.
func (c caller) calls(url, token string) []call {
	withdrawal := generated.Creation{
		Merchant: c.merchant, Number: "GEN-1", Way: "easypaisa", Amount: generated.AmountSchema{Value: "1500", Currency: "PKR"},
		Details: &map[string]string{"customerName": "Ayesha Khan", "customerAccountNumber": "03007654321", "customerContact": "03007654321"},
	}
	deposit := withdrawal
	deposit.Number, deposit.Way = "GEN-2", "jazzcash"
	deposit.Details = &map[string]string{"customerName": "Ayesha Khan", "customerContact": "03007654321"}
	wrong := withdrawal
	wrong.Way, wrong.Number = "", "GEN 3"
	var comparison string
	return []call{
		{"create-withdrawal", http.StatusCreated, func(t *testing.T) (int, string) {
			r, err := c.c.CreateWithdrawalWithResponse(c.ctx, &generated.CreateWithdrawalParams{}, withdrawal)
			require.NoError(t, err)
			require.NotNil(t, r.JSON201, string(r.Body))
			require.Equal(t, "GEN-1", r.JSON201.Order.Number)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"create-withdrawal", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.CreateWithdrawalWithResponse(c.ctx, &generated.CreateWithdrawalParams{IdempotencyKey: to("GEN-1")}, withdrawal)
			require.NoError(t, err)
			require.True(t, r.JSON200.Started.Existing)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"create-withdrawal", http.StatusBadRequest, func(t *testing.T) (int, string) {
			r, err := c.c.CreateWithdrawalWithResponse(c.ctx, &generated.CreateWithdrawalParams{}, wrong)
			require.NoError(t, err)
			require.Equal(t, "INVALID_REQUEST", r.ApplicationproblemJSON400.Code)
			require.Len(t, *r.ApplicationproblemJSON400.Errors, 2)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"create-deposit", http.StatusCreated, func(t *testing.T) (int, string) {
			r, err := c.c.CreateDepositWithResponse(c.ctx, &generated.CreateDepositParams{}, deposit)
			require.NoError(t, err)
			require.NotEmpty(t, r.JSON201.Order.Instructions, string(r.Body))
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-order", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.GetOrderWithResponse(c.ctx, c.merchant, "GEN-1", &generated.GetOrderParams{Wait: to("60s")})
			require.NoError(t, err)
			require.Equal(t, "succeeded", r.JSON200.Order.State)
			again, err := c.c.GetOrderWithResponse(c.ctx, c.merchant, "GEN-1", &generated.GetOrderParams{IfNoneMatch: to(r.HTTPResponse.Header.Get("ETag"))})
			require.NoError(t, err)
			require.Equal(t, http.StatusNotModified, again.StatusCode())
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-order", http.StatusNotFound, func(t *testing.T) (int, string) {
			r, err := c.c.GetOrderWithResponse(c.ctx, c.merchant, "GEN-9", nil)
			require.NoError(t, err)
			require.Equal(t, "ORDER_NOT_FOUND", r.ApplicationproblemJSON404.Code)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-order-story", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.GetOrderStoryWithResponse(c.ctx, c.merchant, "GEN-1")
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-order-audit", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.GetOrderAuditWithResponse(c.ctx, c.merchant, "GEN-1")
			require.NoError(t, err)
			require.Len(t, r.JSON200.Audit, 4)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-orders", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListOrdersWithResponse(c.ctx, &generated.ListOrdersParams{State: &[]string{"succeeded"}, Limit: to(int64(1))})
			require.NoError(t, err)
			require.NotEmpty(t, r.JSON200.Orders)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-orders-csv", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListOrdersCsvWithResponse(c.ctx, &generated.ListOrdersCsvParams{State: &[]string{"succeeded"}, Limit: to(int64(1))})
			require.NoError(t, err)
			require.Contains(t, string(r.Body), "succeeded")
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"note-order", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.NoteOrderWithResponse(c.ctx, c.merchant, "GEN-1", generated.NoteOrderJSONRequestBody{Text: "seen"})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"cancel-order", http.StatusConflict, func(t *testing.T) (int, string) {
			r, err := c.c.CancelOrderWithResponse(c.ctx, c.merchant, "GEN-1", generated.CancelOrderJSONRequestBody{Why: "late"})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"approve-order", http.StatusForbidden, func(t *testing.T) (int, string) { // an API key stands for no person
			r, err := c.c.ApproveOrderWithResponse(c.ctx, c.merchant, "GEN-1", generated.ApproveOrderJSONRequestBody{Fingerprint: "00000000"})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"reject-order", http.StatusForbidden, func(t *testing.T) (int, string) {
			r, err := c.c.RejectOrderWithResponse(c.ctx, c.merchant, "GEN-1", generated.RejectOrderJSONRequestBody{Why: "not ours"})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"resolve-order", http.StatusForbidden, func(t *testing.T) (int, string) {
			r, err := c.c.ResolveOrderWithResponse(c.ctx, c.merchant, "GEN-1", generated.ResolveOrderJSONRequestBody{State: "failed", Why: "seen", Evidence: "ticket 4711"})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-merchants", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListMerchantsWithResponse(c.ctx)
			require.NoError(t, err)
			require.NotEmpty(t, r.JSON200.Merchants)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"poll-order", http.StatusConflict, func(t *testing.T) (int, string) {
			r, err := c.c.PollOrderWithResponse(c.ctx, c.merchant, "GEN-1")
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"act-signed", http.StatusBadRequest, func(t *testing.T) (int, string) { // TestAPI of harness/e2e has one that is signed
			r, err := c.c.ActSignedWithBodyWithResponse(c.ctx, "application/json", strings.NewReader(`{"envelope":{},"signature":"none"}`))
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-events", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListEventsWithResponse(c.ctx, &generated.ListEventsParams{Type: &[]string{"withdrawal.succeeded"}, Wait: to("60s")})
			require.NoError(t, err)
			require.Equal(t, "GEN-1", *r.JSON200.Events[0].Number)
			require.Equal(t, "1500.00", r.JSON200.Events[0].Order.Paid.Value)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"stream-events", http.StatusOK, func(t *testing.T) (int, string) { return stream(t, c.ctx, url, token) }},
		{"list-balances", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListBalancesWithResponse(c.ctx, &generated.ListBalancesParams{})
			require.NoError(t, err)
			require.NotEmpty(t, r.JSON200.Balances)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-day-report", http.StatusOK, func(t *testing.T) (int, string) {
			profile, _ := tarspay.Country("PK")
			r, err := c.c.GetDayReportWithResponse(c.ctx, &generated.GetDayReportParams{
				Day: string(order.DateOf(time.Now(), profile.TimeZone)), SoFar: to(true), Merchant: to([]string{c.merchant}),
			})
			require.NoError(t, err)
			require.Len(t, r.JSON200.Days, 1)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"reconcile-balances", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ReconcileBalancesWithResponse(c.ctx, generated.ReconcileBalancesJSONRequestBody{Merchant: c.merchant})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"reconcile-transactions", http.StatusCreated, func(t *testing.T) (int, string) {
			r, err := c.c.ReconcileTransactionsWithResponse(c.ctx, generated.ReconcileTransactionsJSONRequestBody{Merchant: c.merchant})
			require.NoError(t, err)
			require.NotNil(t, r.JSON201, string(r.Body))
			require.Equal(t, c.merchant, r.JSON201.Merchant)
			comparison = r.JSON201.Id
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-transaction-reconciliation", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.GetTransactionReconciliationWithResponse(c.ctx, c.merchant, comparison)
			require.NoError(t, err)
			require.Equal(t, comparison, r.JSON200.Id)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-discrepancies", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListDiscrepanciesWithResponse(c.ctx, &generated.ListDiscrepanciesParams{Open: to(true)})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-adjustments", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListAdjustmentsWithResponse(c.ctx, &generated.ListAdjustmentsParams{Open: to(true)})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-audit", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListAuditWithResponse(c.ctx, &generated.ListAuditParams{Limit: to(int64(1))})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-stops", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListStopsWithResponse(c.ctx)
			require.NoError(t, err)
			require.Empty(t, r.JSON200.Stops)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"act-on-books", http.StatusNotFound, func(t *testing.T) (int, string) {
			r, err := c.c.ActOnBooksWithResponse(c.ctx, generated.ActOnBooksJSONRequestBody{Why: to("seen"), SetAside: to(map[string]any{"callback": "f00d"})})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-discrepancy", http.StatusNotFound, func(t *testing.T) (int, string) {
			r, err := c.c.GetDiscrepancyWithResponse(c.ctx, 999_999)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"work-discrepancy", http.StatusNotFound, func(t *testing.T) (int, string) {
			r, err := c.c.WorkDiscrepancyWithResponse(c.ctx, 999_999, generated.WorkDiscrepancyJSONRequestBody{Step: generated.Wait, Why: "ticket 4711"})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"close-discrepancy", http.StatusNotFound, func(t *testing.T) (int, string) {
			r, err := c.c.CloseDiscrepancyWithResponse(c.ctx, 999_999, generated.CloseDiscrepancyJSONRequestBody{Why: "seen"})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-queue", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListQueueWithResponse(c.ctx, &generated.ListQueueParams{})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-countries", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListCountriesWithResponse(c.ctx)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-ways", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.GetWaysWithResponse(c.ctx, "PK")
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-batch-template", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.GetBatchTemplateWithResponse(c.ctx, "PK", nil)
			require.NoError(t, err)
			require.Contains(t, string(r.Body), "customerAccountNumber")
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-banks", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.GetBanksWithResponse(c.ctx, "TH")
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
	}
}

// webhooks are the calls about an endpoint, in the order in which they can be made.
func (c caller) webhooks(t *testing.T) []call {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	var id string
	return []call{
		{"create-webhook-endpoint", http.StatusCreated, func(t *testing.T) (int, string) {
			r, err := c.c.CreateWebhookEndpointWithResponse(c.ctx, generated.CreateWebhookInputBody{Url: receiver.URL, Types: &[]string{"withdrawal.succeeded"}})
			require.NoError(t, err)
			require.NotNil(t, r.JSON201, string(r.Body))
			require.NotEmpty(t, r.JSON201.Secret)
			id = r.JSON201.Id
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-webhook-endpoint", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.GetWebhookEndpointWithResponse(c.ctx, id)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-webhook-endpoints", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListWebhookEndpointsWithResponse(c.ctx)
			require.NoError(t, err)
			require.Len(t, r.JSON200.Endpoints, 1)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"test-webhook-endpoint", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.TestWebhookEndpointWithResponse(c.ctx, id)
			require.NoError(t, err)
			require.True(t, r.JSON200.Delivered)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"rotate-webhook-secret", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.RotateWebhookSecretWithResponse(c.ctx, id)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"replay-webhook-endpoint", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ReplayWebhookEndpointWithResponse(c.ctx, id, generated.ReplayInputBody{Since: to(time.Now().Add(-time.Hour))})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-webhook-deliveries", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListWebhookDeliveriesWithResponse(c.ctx, id, &generated.ListWebhookDeliveriesParams{Limit: to(int64(10))})
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"disable-webhook-endpoint", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.DisableWebhookEndpointWithResponse(c.ctx, id)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"enable-webhook-endpoint", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.EnableWebhookEndpointWithResponse(c.ctx, id)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
	}
}

// batches are the calls about a file of payouts, in the order in which they can be made.
func (c caller) batches() []call {
	const file = "number,way,amount,customerName,customerAccountNumber,customerContact\n" +
		"FILE-1,easypaisa,1500,Ayesha Khan,03007654321,03007654321\nFILE-2,easypaisa,2500,Ayesha Khan,03007654321,03007654321\n"
	upload := func(t *testing.T, text string, params generated.UploadBatchParams) *generated.UploadBatchResponse {
		params.Merchant = c.merchant
		r, err := c.c.UploadBatchWithBodyWithResponse(c.ctx, &params, "text/csv", strings.NewReader(text))
		require.NoError(t, err)
		return r
	}
	later := "number,way,amount,customerName,customerAccountNumber,customerContact,not_before\n" +
		"FILE-3,easypaisa,1500,Ayesha Khan,03007654321,03007654321," + time.Now().AddDate(0, 1, 0).UTC().Format(time.RFC3339) + "\n"
	change := generated.ChangeInputBody{Why: "the run is wrong"}
	var id string
	return []call{
		{"upload-batch", http.StatusBadRequest, func(t *testing.T) (int, string) {
			r := upload(t, strings.ReplaceAll(file, "1500", "1,5e3"), generated.UploadBatchParams{})
			require.NotEmpty(t, *r.ApplicationproblemJSON400.Errors)
			return answered(t, r.HTTPResponse, r.Body, nil)
		}},
		{"upload-batch", http.StatusOK, func(t *testing.T) (int, string) {
			r := upload(t, file, generated.UploadBatchParams{Check: to(true), Rows: to(int64(2)), Total: &[]string{"PKR=4000.00"}})
			return answered(t, r.HTTPResponse, r.Body, nil)
		}},
		{"upload-batch", http.StatusCreated, func(t *testing.T) (int, string) {
			r := upload(t, file, generated.UploadBatchParams{Name: to("file.csv")})
			require.NotNil(t, r.JSON201, string(r.Body))
			id = r.JSON201.Id
			return answered(t, r.HTTPResponse, r.Body, nil)
		}},
		{"list-batches", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListBatchesWithResponse(c.ctx, &generated.ListBatchesParams{})
			require.NoError(t, err)
			require.Len(t, r.JSON200.Batches, 1)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-batch", http.StatusOK, func(t *testing.T) (int, string) {
			for _, number := range []string{"FILE-1", "FILE-2"} {
				require.EventuallyWithT(t, func(t *assert.CollectT) {
					r, err := c.c.GetOrderWithResponse(c.ctx, c.merchant, number, &generated.GetOrderParams{Wait: to("10s")})
					require.NoError(t, err)
					require.NotNil(t, r.JSON200)
					require.Equal(t, "succeeded", r.JSON200.Order.State)
				}, time.Minute, 100*time.Millisecond)
			}
			r, err := c.c.GetBatchWithResponse(c.ctx, id)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"list-batch-rows", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListBatchRowsWithResponse(c.ctx, id, &generated.ListBatchRowsParams{})
			require.NoError(t, err)
			require.Len(t, r.JSON200.Rows, 2)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-batch-result", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.GetBatchResultWithResponse(c.ctx, id, nil)
			require.NoError(t, err)
			require.Equal(t, 2, strings.Count(string(r.Body), "succeeded"), string(r.Body))
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"upload-batch", http.StatusCreated, func(t *testing.T) (int, string) { // it is not over before next month
			r := upload(t, later, generated.UploadBatchParams{})
			require.NotNil(t, r.JSON201, string(r.Body))
			id = r.JSON201.Id
			return answered(t, r.HTTPResponse, r.Body, nil)
		}},
		{"pause-batch", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.PauseBatchWithResponse(c.ctx, id, change)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"resume-batch", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ResumeBatchWithResponse(c.ctx, id, change)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"cancel-batch", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.CancelBatchWithResponse(c.ctx, id, change)
			require.NoError(t, err)
			require.Equal(t, "cancelled", r.JSON200.State)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
	}
}

// statements are the calls about an export of the gateway's portal, in the order in which
// they can be made.
func (c caller) statements() []call {
	file := "mchNo,payOrderId,mchOrderNo,bizType,state,currency,orderAmount,amount,mchFeeAmount,createdAt\n" +
		c.merchant + ",P1,W1,2,2,PKR,1500,1500,15,1770000000\n"
	send := func(t *testing.T, text string, params generated.ImportStatementParams) *generated.ImportStatementResponse {
		params.Merchant = c.merchant
		r, err := c.c.ImportStatementWithBodyWithResponse(c.ctx, &params, "text/csv", strings.NewReader(text))
		require.NoError(t, err)
		return r
	}
	var id string
	return []call{
		{"import-statement", http.StatusBadRequest, func(t *testing.T) (int, string) {
			r := send(t, strings.ReplaceAll(file, "1500", "1,5e3"), generated.ImportStatementParams{})
			require.NotEmpty(t, *r.ApplicationproblemJSON400.Errors)
			return answered(t, r.HTTPResponse, r.Body, nil)
		}},
		{"import-statement", http.StatusOK, func(t *testing.T) (int, string) {
			r := send(t, file, generated.ImportStatementParams{Check: to(true)})
			return answered(t, r.HTTPResponse, r.Body, nil)
		}},
		{"import-statement", http.StatusCreated, func(t *testing.T) (int, string) {
			r := send(t, file, generated.ImportStatementParams{})
			require.NotNil(t, r.JSON201, string(r.Body))
			id = r.JSON201.Statement.Id
			return answered(t, r.HTTPResponse, r.Body, nil)
		}},
		{"list-statements", http.StatusOK, func(t *testing.T) (int, string) {
			r, err := c.c.ListStatementsWithResponse(c.ctx, &generated.ListStatementsParams{})
			require.NoError(t, err)
			require.Len(t, r.JSON200.Statements, 1)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
		{"get-statement", http.StatusOK, func(t *testing.T) (int, string) {
			require.EventuallyWithT(t, func(t *assert.CollectT) {
				r, err := c.c.GetStatementWithResponse(c.ctx, id)
				require.NoError(t, err)
				require.NotNil(t, r.JSON200)
				require.Equal(t, "matched", r.JSON200.State)
			}, time.Minute, 100*time.Millisecond)
			r, err := c.c.GetStatementWithResponse(c.ctx, id)
			return answered(t, r.HTTPResponse, r.Body, err)
		}},
	}
}

// stream reads the beginning of the stream of events. The generated client would read it
// to its end.
func stream(t *testing.T, ctx context.Context, url, token string) (int, string) {
	t.Helper()
	request, err := generated.NewStreamEventsRequest(url, &generated.StreamEventsParams{})
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request.WithContext(ctx))
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	begin := make([]byte, 256)
	_, err = io.ReadFull(response.Body, begin)
	require.NoError(t, err)
	require.Contains(t, string(begin), "event: ")
	return response.StatusCode, string(begin)
}
