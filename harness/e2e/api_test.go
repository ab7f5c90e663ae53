package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// TestAPI is a finance system that has HTTP and an API key, and persons who approve.
func TestAPI(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		policy := filepath.Join(t.TempDir(), "policy.yaml")
		require.NoError(t, os.WriteFile(policy, []byte("two_person_close: {VND: \"1\"}\n"), 0o600))
		h := open(t, options{Options: stack.Options{
			DatabaseURL: databaseURL, API: true, People: stack.People(""), Settings: map[string]string{"PAYOUTS_POLICY_FILE": policy},
		}})
		paid := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
		created := h.creates(t, http.StatusCreated, paid)
		require.Equal(t, order.Created, created.Order.State)
		require.Equal(t, order.Succeeded, h.reads(t, paid, "?wait=30s").Order.State)
		require.Equal(t, stack.System, h.settled(t, paid).RequestedBy, "an order that was not signed for would wait for two persons")
		again := h.creates(t, http.StatusOK, paid)
		require.True(t, again.Started.Existing)
		require.Equal(t, order.Succeeded, again.Order.State)
		other := paid.request
		other.Way = "jazzcash"
		h.asks(t, http.StatusConflict, http.MethodPost, "/v1/withdrawals", bodyOf(t, other))

		deposit := h.expect(t, order.Deposit, "BD", "success", succeeds)
		instructed := h.creates(t, http.StatusCreated, deposit)
		require.NotNil(t, instructed.Order.Instructions)
		h.ended(t, deposit)

		h.createsWithoutWorker(t)
		h.approvesOverHTTP(t)
		h.followsEvents(t, paid)
		h.looksAround(t, paid)
		h.worksAtTheDesk(t)

		verified := h.starter(t, "audit", "--verify")
		require.Equal(t, exitDone, verified.exit, verified.out)
		log, err := os.ReadFile(h.Log(stack.API))
		require.NoError(t, err)
		require.NotContains(t, string(log), h.token(t))
		require.NotContains(t, string(log), paid.request.Details["customerAccountNumber"])
		require.NoError(t, h.Terminate(stack.API))
		log, err = os.ReadFile(h.Log(stack.API))
		require.NoError(t, err)
		require.Contains(t, string(log), `msg=Stopped`)
	})
}

// createsWithoutWorker creates an order that no worker hears of. It is there all the same.
func (h *house) createsWithoutWorker(t *testing.T) {
	t.Helper()
	require.NoError(t, h.Terminate(stack.Worker))
	p := h.expect(t, order.Withdrawal, "VN", "success", succeeds)
	h.creates(t, http.StatusCreated, p)
	require.Equal(t, order.Created, h.reads(t, p, "").Order.State)
	h.creates(t, http.StatusOK, p)
	h.startsOneComparison(t, p.request.Merchant)
	require.NoError(t, h.Launch(h.ctx, stack.Worker))
	require.Equal(t, order.Succeeded, h.reads(t, p, "?wait=60s").Order.State)
	h.ended(t, p)
}

// approvesOverHTTP has two persons approve an order with envelopes that they signed
// elsewhere.
func (h *house) approvesOverHTTP(t *testing.T) {
	t.Helper()
	p := h.withdrawal(t, "PK", "success", succeeds) // not signed for
	h.stands(t, order.AwaitingApproval, p)
	approve := []string{"sign", "approve", p.request.Number, "--merchant", p.request.Merchant, "--fingerprint", p.request.Fingerprint()[:8], "--by"}
	for _, person := range []string{"amina", "dana"} {
		_, signed := h.signElsewhere(t, person, append(approve, person))
		altered := strings.Replace(string(signed), p.request.Fingerprint(), strings.Repeat("0", 64), 1)
		require.NotEqual(t, string(signed), altered)
		h.asks(t, http.StatusUnauthorized, http.MethodPost, "/v1/signed-actions", altered)
		h.asks(t, http.StatusOK, http.MethodPost, "/v1/signed-actions", string(signed))
	}
	h.settled(t, p)
}

// followsEvents reads all events by cursor: those of an order are its history.
func (h *house) followsEvents(t *testing.T, p payment) {
	t.Helper()
	var told []string
	for next := "?limit=5"; !slices.Contains(told, "withdrawal.succeeded"); {
		var page struct {
			Events []payouts.Event
			Next   string
		}
		require.NoError(t, json.Unmarshal(h.asks(t, http.StatusOK, http.MethodGet, "/v1/events"+next, ""), &page))
		for _, event := range page.Events {
			if event.Number == p.request.Number {
				told = append(told, event.Type)
			}
		}
		next = "?wait=10s&limit=5&cursor=" + url.QueryEscape(page.Next)
	}
	require.Equal(t, []string{"withdrawal.reserved", "withdrawal.submitting", "withdrawal.submitted", "withdrawal.succeeded"}, told)
	listed := h.starter(t, "events", "--type", "withdrawal.succeeded", "--json")
	require.Equal(t, exitDone, listed.exit, listed.out)
	require.Contains(t, listed.out, p.request.Number)
}

// looksAround calls every other operation.
func (h *house) looksAround(t *testing.T, p payment) {
	t.Helper()
	at := "/v1/orders/" + p.request.Merchant + "/" + p.request.Number
	var audit struct{ Audit []payouts.AuditEntry }
	require.NoError(t, json.Unmarshal(h.asks(t, http.StatusOK, http.MethodGet, at+"/audit", ""), &audit))
	require.Contains(t, audit.Audit[0].Envelope, "ed25519:"+stack.Door, "the door signed the start")
	require.Contains(t, string(h.asks(t, http.StatusOK, http.MethodGet, at+"/story", "")), "succeeded")
	require.Contains(t, string(h.asks(t, http.StatusOK, http.MethodGet, "/v1/orders?state=succeeded&limit=1", "")), `"next"`)
	h.asks(t, http.StatusOK, http.MethodPost, at+"/notes", `{"text":"seen"}`)
	h.asks(t, http.StatusConflict, http.MethodPost, at+"/cancel", `{"why":"late"}`)
	h.asks(t, http.StatusConflict, http.MethodPost, at+"/poll", "")
	h.asks(t, http.StatusOK, http.MethodPost, "/v1/reconciliations", `{"merchant":"`+p.request.Merchant+`"}`)
	h.comparesTransactions(t, p.request.Merchant)
	require.Contains(t, string(h.asks(t, http.StatusOK, http.MethodGet, "/v1/balances?merchant="+p.request.Merchant, "")), `"verdict":"agreed"`)
	for _, path := range []string{"/v1/queue", "/v1/discrepancies", "/v1/countries", "/v1/countries/PK/ways", "/v1/countries/TH/banks", "/openapi.json", "/"} {
		h.asks(t, http.StatusOK, http.MethodGet, path, "")
	}
	h.asks(t, http.StatusNotFound, http.MethodPost, "/v1/discrepancies/999999/close", `{"why":"seen"}`)
	h.closesADiscrepancy(t, p.request.Key())
	status, body := h.get(t, h.Addresses.APIAdmin+"/readyz")
	require.Equal(t, http.StatusOK, status, body)
	require.JSONEq(t, `{"database":"up","door":"up","roster":"up","temporal":"up"}`, body)
	_, body = h.get(t, h.Addresses.APIAdmin+"/metrics")
	require.Contains(t, body, `payouts_api_request_seconds_count{operation="POST /v1/withdrawals",status="201"}`)
}

// closesADiscrepancy works on a discrepancy and closes it. The door signs the closing.
func (h *house) closesADiscrepancy(t *testing.T, key order.Key) {
	t.Helper()
	h.discrepancies++
	require.NoError(t, h.books.OpenDiscrepancy(h.ctx, key, codes.DiscrepancyMismatch, "a test's"))
	found, err := h.books.Discrepancies(h.ctx, ledger.DiscrepancyFilter{Number: key.Number, Open: true})
	require.NoError(t, err)
	at := "/v1/discrepancies/" + strconv.FormatInt(found[0].ID, 10)
	require.Contains(t, string(h.asks(t, http.StatusOK, http.MethodPost, at+"/steps", `{"step":"wait","days":2,"why":"ticket 4711"}`)), `"state":"waiting"`)
	require.Contains(t, string(h.asks(t, http.StatusOK, http.MethodPost, at+"/close", `{"why":"the gateway was wrong"}`)), `"state":"accepted"`)
	require.Contains(t, string(h.asks(t, http.StatusOK, http.MethodGet, at, "")), `"what":"wait 2 days","text":"ticket 4711"`)
	entries, err := h.books.Audit(h.ctx, key)
	require.NoError(t, err)
	last := entries[len(entries)-1]
	require.Equal(t, ledger.ActionCloseDiscrepancy, last.Action)
	require.Contains(t, last.Envelope, "ed25519:"+stack.Door)
}

// bodyOf returns the body that creates an order.
func bodyOf(t *testing.T, r order.Request) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"merchant": r.Merchant, "number": r.Number, "way": r.Way, "amount": r.Amount, "details": r.Details, "return_url": r.ReturnURL,
	})
	require.NoError(t, err)
	return string(text)
}

func (h *house) creates(t *testing.T, status int, p payment) (created payouts.Order) {
	t.Helper()
	text := h.asks(t, status, http.MethodPost, "/v1/"+string(p.request.Kind)+"s", bodyOf(t, p.request))
	require.NoError(t, json.Unmarshal(text, &created))
	return created
}

func (h *house) reads(t *testing.T, p payment, query string) (read payouts.Order) {
	t.Helper()
	text := h.asks(t, http.StatusOK, http.MethodGet, "/v1/orders/"+p.request.Merchant+"/"+p.request.Number+query, "")
	require.NoError(t, json.Unmarshal(text, &read))
	return read
}

func (h *house) token(t *testing.T) string {
	t.Helper()
	token, err := h.Token()
	require.NoError(t, err)
	return token
}

// asks sends a request to the api as the roster's system, and returns the body of the
// answer.
func (h *house) asks(t *testing.T, status int, method, path, body string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, waitLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, h.Addresses.API+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+h.token(t))
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, status, response.StatusCode, "%s %s: %s", method, path, text)
	return text
}
