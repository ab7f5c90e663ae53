package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

const salaries = "number,way,amount,customerName,customerAccountNumber\n" +
	"S-1,easypaisa,150,Ayesha Khan,03001234567\n" +
	"S-2,easypaisa,200,Bilal Khan,03001234568\n"

// StoreBatchPage does what a worker does.
func (v *valueOrders) StoreBatchPage(ctx context.Context, _ int, page contract.BatchPage) error {
	if v.err != nil {
		return v.err
	}
	for _, row := range page.Rows {
		v.started = append(v.started, row.Request)
	}
	_, err := v.books.StoreBatchPage(ctx, page.Batch, page.Rows)
	return err
}

func (v *valueOrders) DriveBatch(ctx context.Context, b order.Batch) error {
	if v.err != nil {
		return v.err
	}
	_, err := v.books.MakeBatchReady(ctx, b.ID, func() {})
	return err
}

func (v *valueOrders) ActOnBooks(ctx context.Context, action order.BookAction, record any) error {
	if v.err != nil {
		return v.err
	}
	action.Proof = nil // this worker has no roster; one with a roster is in harness/e2e
	done, refusal, err := v.books.ActOnBooks(ctx, action)
	if err != nil {
		return err
	}
	if refusal != nil {
		return refusal
	}
	text, err := json.Marshal(done)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, record)
}

const batchesPath = "/v1/batches?name=salaries.csv&merchant=" + merchant

func (h *house) uploads(t *testing.T, system, query, file string) reply {
	t.Helper()
	return h.as(t, system, http.MethodPost, batchesPath+query, file, "Content-Type", typeCSV)
}

// A file is checked, signed row by row in the name of who has the API key, and stored. The
// same file is the same batch.
func TestUploadBatch(t *testing.T) {
	t.Parallel()
	h := setup(t)
	got := h.uploads(t, "billing", "&check=true", salaries)
	require.Equal(t, http.StatusOK, got.status, got.text)
	require.Empty(t, h.orders.started)
	got = h.uploads(t, "billing", "&rows=2&total=PKR%3D350", salaries)
	require.Equal(t, http.StatusCreated, got.status, got.text)
	var b payouts.Batch
	require.NoError(t, json.Unmarshal([]byte(got.text), &b))
	require.Equal(t, "/v1/batches/"+b.ID, got.header.Get("Location"))
	require.Equal(t, order.BatchRunning, b.State)
	require.Equal(t, []payouts.BatchCount{{State: payouts.RowWaiting, Rows: 2, Amount: amount(t, "350", "PKR")}}, b.Counts)
	require.Len(t, h.orders.started, 2)
	for _, request := range h.orders.started {
		require.Equal(t, "billing", request.RequestedBy)
		require.NotNil(t, request.Proof)
	}
	require.Equal(t, http.StatusOK, h.uploads(t, "billing", "", salaries).status)
	require.Len(t, h.orders.started, 2)

	at := "/v1/batches/" + b.ID
	got = h.as(t, "watcher", http.MethodGet, at+"/rows", "")
	require.Equal(t, http.StatusOK, got.status, got.text)
	require.Contains(t, got.text, "…4567")
	require.NotContains(t, got.text, "03001234567")
	require.Equal(t, http.StatusForbidden, h.as(t, "watcher", http.MethodGet, at+"/result", "").status, "it has whom each row pays")
	got = h.as(t, "billing", http.MethodGet, at+"/result", "")
	require.Equal(t, "number,way,amount,customerName,customerAccountNumber,state,code,reason,gateway_id,fee,paid,ended_at\n"+
		"S-1,easypaisa,150,Ayesha Khan,03001234567,waiting,,,,,,\nS-2,easypaisa,200,Bilal Khan,03001234568,waiting,,,,,,\n", got.text)
	got = h.as(t, "billing", http.MethodGet, at+"/rows?limit=1", "")
	var page rowList
	require.NoError(t, json.Unmarshal([]byte(got.text), &page))
	require.Equal(t, "S-1", page.Rows[0].Number)
	got = h.as(t, "billing", http.MethodGet, at+"/rows?limit=1&cursor="+page.Next, "")
	page = rowList{}
	require.NoError(t, json.Unmarshal([]byte(got.text), &page))
	require.Equal(t, "S-2", page.Rows[0].Number)
	require.Empty(t, page.Next)
	require.Equal(t, http.StatusBadRequest, h.as(t, "billing", http.MethodGet, at+"/rows?state=asleep", "").status)
	require.Contains(t, h.as(t, "billing", http.MethodGet, "/v1/batches?state=running", "").text, b.ID)

	const why = `{"why":"look"}`
	require.Equal(t, http.StatusForbidden, h.as(t, "watcher", http.MethodPost, at+"/pause", why).status)
	got = h.as(t, "billing", http.MethodPost, at+"/pause", why)
	require.NoError(t, json.Unmarshal([]byte(got.text), &b), got.text)
	require.Equal(t, order.BatchPaused, b.State)
	require.Equal(t, "billing", b.ChangedBy)
	require.Equal(t, http.StatusOK, h.as(t, "billing", http.MethodPost, at+"/cancel", why).status)
	require.Equal(t, ledger.CodeBatchEnded, h.as(t, "billing", http.MethodPost, at+"/resume", why).problem(t).Code)
	require.Contains(t, h.as(t, "billing", http.MethodGet, at, "").text, `"not_started"`)
}

// Another merchant's batch is not there.
func TestForeignBatch(t *testing.T) {
	t.Parallel()
	h := setup(t)
	file := []byte("number,way,amount,customerName,customerAccountNumber\nV-1,VCB,200000,NGUYEN VAN AN,0071000123456\n")
	checked, err := batch.Check(bytes.NewReader(file), int64(len(file)), batch.Options{Merchant: merchantVN, Country: "VN"})
	require.NoError(t, err)
	for row, err := range checked.Numbered() {
		require.NoError(t, err)
		require.NoError(t, h.orders.StoreBatchPage(t.Context(), 1, contract.BatchPage{Batch: checked.Batch("vn.csv"), Rows: []order.BatchRow{row}}))
	}
	h.orders.started = nil
	at := "/v1/batches/" + checked.ID()
	for _, path := range []string{at, at + "/rows", at + "/result", "/v1/batches/0000000000000000"} {
		require.Equal(t, ledger.CodeBatchNotFound, h.as(t, "billing", http.MethodGet, path, "").problem(t).Code, path)
	}
	require.Equal(t, ledger.CodeBatchNotFound, h.as(t, "billing", http.MethodPost, at+"/cancel", `{"why":"x"}`).problem(t).Code)
	require.Equal(t, order.CodeUnknownMerchant, h.as(t, "billing", http.MethodPost, "/v1/batches?merchant="+merchantVN, salaries, "Content-Type", typeCSV).problem(t).Code)
	require.JSONEq(t, `{"batches":[]}`, h.as(t, "billing", http.MethodGet, "/v1/batches", "").text)
}

// What is wrong with a file is told by line, and nothing is stored.
func TestWrongUploads(t *testing.T) {
	t.Parallel()
	h := setup(t)
	p := h.uploads(t, "billing", "&rows=3", "number,way,amount,customerName,customerAccountNumber\nS-1,easypaisa,1e3,Ayesha,3001234567\n").problem(t)
	require.Equal(t, batch.CodeInvalid, p.Code)
	require.Equal(t, []fieldProblem{
		{"AMOUNT_NOT_A_NUMBER", 2, "amount", p.Errors[0].Detail}, {"MALFORMED_FIELD", 2, "customerAccountNumber", p.Errors[1].Detail}, {"BATCH_TOTAL_DIFFERS", 0, "", p.Errors[2].Detail},
	}, p.Errors)
	p = h.uploads(t, "small", "", salaries[:len(salaries)-1]+"\nS-3,easypaisa,501,Ayesha,03001234567\n").problem(t)
	require.Equal(t, []fieldProblem{{roster.CodeAboveActorLimit, 4, "amount", p.Errors[0].Detail}}, p.Errors, "what the sender may not request")
	require.Equal(t, http.StatusForbidden, h.uploads(t, "watcher", "", salaries).status)
	require.Equal(t, CodeMediaType, h.as(t, "billing", http.MethodPost, batchesPath, salaries, "Content-Type", "text/plain").problem(t).Code)
	require.Equal(t, http.StatusBadRequest, h.uploads(t, "billing", "&total=350", salaries).status)
	require.Equal(t, batch.CodeOtherPlace, h.uploads(t, "billing", "&country=VN", salaries).problem(t).Code)
	require.Empty(t, h.orders.started)
}
