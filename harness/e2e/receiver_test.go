package e2e

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// badCallback is a request to the receiver that is not a valid callback.
type badCallback struct {
	name      string
	method    string
	body      []byte
	signature string
	mediaType string
	chunked   bool // the length is not told beforehand
	status    int
	code      string
}

// badCallbacksChangeNothing sends every kind of invalid callback. Each says that
// an open order was paid.
func badCallbacksChangeNothing(t *testing.T, h *house) {
	p := h.withdrawal(t, "PK", "stuck", succeeds)
	h.stands(t, order.Submitted, p)
	before := h.row(t, p)
	for _, bad := range h.badCallbacks(t, before) {
		count := h.counter(t, bad.code)
		status, body := h.post(t, bad)
		require.Equal(t, bad.status, status, "%s: %s", bad.name, body)
		require.Contains(t, body, `"`+bad.code+`"`, bad.name)
		require.Equal(t, count+1, h.counter(t, bad.code), "%s is counted", bad.name)
	}
	require.Equal(t, before, h.row(t, p))
	entries, err := h.books.Callbacks(h.ctx, p.key())
	require.NoError(t, err)
	require.Empty(t, entries)

	// Then the valid callback is accepted, once.
	h.move(t, p, tarspay.StateSucceeded, "")
	h.ended(t, p)
	entry := h.inbox(t, p, ledger.Done)
	require.Equal(t, 1, entry.Received)
	genuine, err := h.Gateway.Deliveries(h.ctx, p.request.Merchant, p.request.Number)
	require.NoError(t, err)
	settled := h.row(t, p)
	status, body := h.post(t, badCallback{body: []byte(genuine[0].Body), signature: genuine[0].Signature})
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, tarspay.CallbackAnswer, body)
	require.Equal(t, 2, h.inbox(t, p, ledger.Done).Received)
	require.Equal(t, settled, h.row(t, p), "a callback that is played again changes nothing")
}

func (h *house) badCallbacks(t *testing.T, row order.Order) []badCallback {
	t.Helper()
	gateway, stranger := h.gatewaySigner(t), newSigner(t)
	claim := paidCallback(t, row)
	body, signature := tarspay.EncodeCallback(claim, gateway)
	forged, forgedSignature := tarspay.EncodeCallback(claim, stranger)
	foreign := claim
	foreign.Merchant = "M9999999999"
	foreignBody, foreignSignature := tarspay.EncodeCallback(foreign, gateway)
	changed := bytes.Replace(body, []byte(`"state":2`), []byte(`"state":5`), 1)
	require.NotEqual(t, body, changed)
	text := []byte("state=2&mchOrderNo=" + row.Number)
	huge := append(bytes.Clone(body), bytes.Repeat([]byte(" "), tarspay.MaxCallbackBytes)...)
	damaged := strings.Map(func(digit rune) rune { return '0' + (digit+1)%10 }, signature)

	return []badCallback{
		{name: "asked for instead of posted", method: http.MethodGet, body: body, signature: signature, status: 405, code: callback.CodeMethod},
		{name: "put instead of posted", method: http.MethodPut, body: body, signature: signature, status: 405, code: callback.CodeMethod},
		{name: "unsigned", body: body, status: 401, code: callback.CodeNotSigned},
		{name: "signed with a damaged signature", body: body, signature: damaged, status: 401, code: callback.CodeSignature},
		{name: "signed by somebody else", body: forged, signature: forgedSignature, status: 401, code: callback.CodeSignature},
		{name: "with the signature of another one", body: body, signature: foreignSignature, status: 401, code: callback.CodeSignature},
		{name: "changed on the way", body: changed, signature: signature, status: 401, code: callback.CodeSignature},
		{name: "oversized", body: huge, signature: gateway.Sign(huge), status: 413, code: callback.CodeTooLarge},
		{name: "oversized, and not saying so", body: huge, signature: gateway.Sign(huge), chunked: true, status: 413, code: callback.CodeTooLarge},
		{name: "not JSON", body: text, signature: gateway.Sign(text), status: 400, code: callback.CodeMalformed},
		{name: "not JSON, and half of it", body: body[:len(body)/2], signature: gateway.Sign(body[:len(body)/2]), status: 400, code: callback.CodeMalformed},
		{name: "not JSON by its header", body: body, signature: signature, mediaType: "text/plain", status: 415, code: callback.CodeContentType},
		{name: "for another merchant", body: foreignBody, signature: foreignSignature, status: 403, code: callback.CodeForeignMerchant},
	}
}

// strangersAreKept posts a genuine callback for an order that does not exist. It
// is stored for the reconciliation, and no workflow is started.
func strangersAreKept(t *testing.T, h *house) {
	request := h.request(t, order.Withdrawal, "VN", "NEVER-STARTED", "")
	claim := paidCallback(t, order.Order{Request: request, Standing: order.Standing{GatewayID: "P1000000000000000001"}})
	body, signature := tarspay.EncodeCallback(claim, h.gatewaySigner(t))
	status, answer := h.post(t, badCallback{body: body, signature: signature})
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, tarspay.CallbackAnswer, answer)
	h.inbox(t, payment{request: request}, ledger.Unmatched)
	h.unknown(t, request.Key())
}

// liesAreNotBooked makes the gateway send false callbacks first. Each is recorded
// as a discrepancy, and the order follows the gateway's answer to a query.
func liesAreNotBooked(t *testing.T, h *house) {
	var payments []payment
	for _, scenario := range []string{"changed-amount", "changed-currency", "changed-id"} {
		payments = append(payments, h.withdrawal(t, "TH", scenario, succeeds))
	}
	h.ended(t, payments...)
	for _, p := range payments {
		noted, err := h.books.Discrepancies(h.ctx, ledger.DiscrepancyFilter{Number: p.request.Number})
		require.NoError(t, err)
		require.Len(t, noted, 1, p.scenario)
		require.Equal(t, codes.DiscrepancyMismatch, noted[0].Code, p.scenario)
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.discrepancies += len(payments)
}

// post posts to the receiver as the gateway does, except for what is bad.
func (h *house) post(t *testing.T, bad badCallback) (status int, body string) {
	t.Helper()
	method, mediaType := bad.method, bad.mediaType
	if method == "" {
		method = http.MethodPost
	}
	if mediaType == "" {
		mediaType = "application/json"
	}
	var reader io.Reader = bytes.NewReader(bad.body)
	if bad.chunked {
		reader = io.MultiReader(reader) // hides the length
	}
	request, err := http.NewRequestWithContext(h.ctx, method, h.Addresses.Receiver, reader)
	require.NoError(t, err)
	request.Header.Set("Content-Type", mediaType)
	if bad.signature != "" {
		request.Header.Set(tarspay.HeaderCallbackSignature, bad.signature)
	}
	return do(t, request)
}

// paidCallback returns a callback that says an order was paid.
func paidCallback(t *testing.T, row order.Order) tarspay.Callback {
	t.Helper()
	profile, known := tarspay.Country(row.Country)
	require.True(t, known)
	return tarspay.Callback{
		Direction: row.Kind.Direction(), Currency: profile.GatewayCurrency, Fee: "0", Merchant: row.Merchant,
		OrderNumber: row.Number, OrderAmount: row.Amount.Short(), PayAmount: row.Amount.Short(),
		GatewayID: row.GatewayID, State: tarspay.StateSucceeded,
	}
}

// gatewaySigner returns a signer with the key of the house's gateway.
func (h *house) gatewaySigner(t *testing.T) *tarspay.Signer {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.keyDir(), "gateway.key"))
	require.NoError(t, err)
	signer, err := tarspay.NewSigner(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	return signer
}

func newSigner(t *testing.T) *tarspay.Signer {
	t.Helper()
	private, _, err := tarspay.GenerateKey()
	require.NoError(t, err)
	signer, err := tarspay.NewSigner(private)
	require.NoError(t, err)
	return signer
}
