package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// batchRows is the number of rows of the file.
const batchRows = 100

// TestBatch is a finance system that sends a file, and a person who looks after it. The
// worker is killed amidst.
func TestBatch(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		h := open(t, options{Options: stack.Options{DatabaseURL: databaseURL, API: true, People: stack.People("")}})
		file := h.fileOf(t, batchRows)
		path := "/v1/batches?name=salaries.csv&rows=100&total=PKR%3D150000&merchant=" + h.Merchant("PK")
		h.refusesFile(t, path, file)

		var uploaded, again payouts.Batch
		require.NoError(t, json.Unmarshal(h.sends(t, http.StatusCreated, path, file), &uploaded))
		require.Equal(t, order.BatchRunning, uploaded.State)
		require.NoError(t, json.Unmarshal(h.sends(t, http.StatusOK, path, file), &again))
		require.Equal(t, uploaded.ID, again.ID)
		require.True(t, again.Existing)
		require.NoError(t, json.Unmarshal(h.asks(t, http.StatusOK, http.MethodPost, "/v1/batches/"+uploaded.ID+"/pause", `{"why":"look at it"}`), &again))
		require.Equal(t, order.BatchPaused, again.State)
		h.asks(t, http.StatusOK, http.MethodPost, "/v1/batches/"+uploaded.ID+"/resume", `{"why":"it is right"}`)
		h.reaches(t, batchRows/10, h.payments...)
		require.NoError(t, h.Kill(stack.Worker))
		require.NoError(t, h.Launch(h.ctx, stack.Worker))

		watched := h.starter(t, "batch", "watch", uploaded.ID)
		require.Equal(t, exitDone, watched.exit, watched.err)
		var document struct{ Batch payouts.Batch }
		require.NoError(t, json.Unmarshal([]byte(watched.out), &document))
		require.Equal(t, order.BatchCompleted, document.Batch.State)
		require.Len(t, document.Batch.Counts, 1)
		require.Equal(t, payouts.RowState(order.Succeeded), document.Batch.Counts[0].State)
		require.Equal(t, batchRows, document.Batch.Counts[0].Rows)
		h.readsResults(t, uploaded.ID)
		for _, p := range h.payments {
			require.Equal(t, stack.System, h.row(t, p).RequestedBy, "the door signed it")
		}

		h.submitsFile(t)
		verified := h.starter(t, "audit", "--verify")
		require.Equal(t, exitDone, verified.exit, verified.out)
	})
}

// fileOf returns a file of payouts that the house checks.
func (h *house) fileOf(t *testing.T, rows int) string {
	t.Helper()
	var text strings.Builder
	out := csv.NewWriter(&text)
	require.NoError(t, out.Write([]string{"number", "way", "amount", "customerName", "customerAccountNumber", "sandboxScenario", "metadata.month"}))
	for range rows {
		p := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
		p.request.Details["customerContact"] = ""
		details := p.request.Details
		require.NoError(t, out.Write([]string{p.request.Number, p.request.Way, p.request.Amount.Short(), details["customerName"], details["customerAccountNumber"], "success", "May"}))
	}
	out.Flush()
	require.NoError(t, out.Error())
	return text.String()
}

// refusesFile sends a file with five wrong rows: nothing of it is stored, and all five are
// named.
func (h *house) refusesFile(t *testing.T, path, file string) {
	t.Helper()
	lines := strings.Split(file, "\n")
	lines[10] = strings.Replace(lines[10], ",1500,", ",1.5E+3,", 1)
	lines[20] = strings.Replace(lines[20], ",03009998877,", ",3009998877,", 1)
	lines[30] = lines[29]
	lines[40] = strings.Replace(lines[40], "easypaisa", "easypaissa", 1)
	lines[50] = strings.Replace(lines[50], "Zebadiah", "=Zebadiah", 1)
	var problem struct {
		Code   string
		Errors []struct {
			Code, Field string
			Line        int
		}
	}
	require.NoError(t, json.Unmarshal(h.sends(t, http.StatusBadRequest, path, strings.Join(lines, "\n")), &problem))
	require.Equal(t, "BATCH_INVALID", problem.Code)
	var found []string
	for _, e := range problem.Errors {
		found = append(found, fmt.Sprint(e.Line, " ", e.Field, " ", e.Code))
	}
	require.Equal(t, []string{
		"11 amount AMOUNT_NOT_A_NUMBER", "21 customerAccountNumber MALFORMED_FIELD", "31 number BATCH_ROW_REPEATED", "41 way UNKNOWN_BANK", "51 customerName BATCH_FORMULA",
	}, found)
	require.JSONEq(t, `{"batches":[]}`, string(h.asks(t, http.StatusOK, http.MethodGet, "/v1/batches", "")))
}

// readsResults reads the file of results through both doors.
func (h *house) readsResults(t *testing.T, id string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "results.csv")
	written := h.starter(t, "batch", "result", id, "-o", path)
	require.Equal(t, exitDone, written.exit, written.err)
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(file), string(h.asks(t, http.StatusOK, http.MethodGet, "/v1/batches/"+id+"/result", "")))
	lines, err := csv.NewReader(strings.NewReader(string(file))).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, batchRows+1)
	require.Equal(t, strings.Split("number,way,amount,customerName,customerAccountNumber,sandboxScenario,metadata.month,state,code,reason,gateway_id,fee,paid,ended_at", ","), lines[0])
	for i, line := range lines[1:] {
		p := h.payments[i]
		require.Equal(t, []string{p.request.Number, p.request.Way, "1500", p.request.Details["customerName"], p.request.Details["customerAccountNumber"], "success", "May", "succeeded"}, line[:8])
		require.Equal(t, "1500.00", line[12])
	}
	rows := string(h.asks(t, http.StatusOK, http.MethodGet, "/v1/batches/"+id+"/rows?limit=1&state=succeeded", ""))
	require.Contains(t, rows, `"next"`)
	require.NotContains(t, rows, h.payments[0].request.Details["customerAccountNumber"])
	require.Contains(t, string(h.asks(t, http.StatusOK, http.MethodGet, "/v1/batches/"+id, "")), `"completed"`)
	h.asks(t, http.StatusNotFound, http.MethodGet, "/v1/batches/0000000000000000", "")
	listed := run(t, h.Environment(), "starter", "list", "--batch", id, "--csv")
	require.Equal(t, exitDone, listed.exit, listed.err)
	require.Equal(t, batchRows+1, strings.Count(listed.out, "\n"))
	require.Equal(t, listed.out, string(h.asks(t, http.StatusOK, http.MethodGet, "/v1/orders.csv?limit=500&batch="+id, "")))
}

// submitsFile has a person submit a file with starter, and wait for its end.
func (h *house) submitsFile(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "june.csv")
	require.NoError(t, os.WriteFile(path, []byte(h.fileOf(t, 1)), 0o600))
	command := []string{"batch", "submit", path, "--merchant", h.Merchant("PK"), "--requested-by", "amina"}
	submitted := h.starter(t, append(command, "--wait")...)
	require.Equal(t, exitDone, submitted.exit, submitted.err+submitted.out)
	var document struct{ Batch payouts.Batch }
	require.NoError(t, json.Unmarshal([]byte(submitted.out), &document))
	require.Equal(t, order.BatchCompleted, document.Batch.State)
	require.Equal(t, "amina", h.row(t, h.payments[batchRows]).RequestedBy)
	again := h.starter(t, command...)
	require.Contains(t, again.out, `"existing":true`)
	h.asks(t, http.StatusConflict, http.MethodPost, "/v1/batches/"+document.Batch.ID+"/cancel", `{"why":"the wrong month"}`)
}

// sends uploads a file to the api.
func (h *house) sends(t *testing.T, status int, path, file string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.Addresses.API+path, strings.NewReader(file))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+h.token(t))
	request.Header.Set("Content-Type", "text/csv")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, status, response.StatusCode, string(body))
	return body
}
