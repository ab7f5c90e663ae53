package callback

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestAccepts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 1500)
	body, signature := tarspay.EncodeCallback(success(row), b.signer)

	response, err := b.server.Client().Do(b.request(t, body, signature))
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "OK", string(answer))
	require.Equal(t, "text/plain; charset=utf-8", response.Header.Get("Content-Type"))

	entry := b.entry(t, row)
	require.Equal(t, ledger.Signalled, entry.Status)
	require.Equal(t, success(row).Fingerprint(), entry.ID)
	require.Equal(t, tarspay.StateSucceeded, entry.Callback.State)
	require.Equal(t, []signal{{"order:M1700000001:W-1", "callback", entry.ID}}, b.signals())
	require.Equal(t, 1, b.metric(t, "payouts_callbacks_total", "ACCEPTED"))
	require.Equal(t, 1, b.metric(t, "payouts_callback_deliveries_total", "signalled"))
	require.Equal(t, 1, b.metric(t, "payouts_callback_inbox", "signalled"))
}

// The callback says deposit; the order is a withdrawal. Whether that is a
// contradiction is for the workflow to judge, and only the order's own.
func TestKindComesFromTheLedger(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 1500)
	twisted := success(row)
	twisted.Direction = tarspay.DirectionDeposit

	status, answer := b.post(t, twisted)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "OK", answer)
	require.Equal(t, "order:M1700000001:W-1", b.signals()[0].workflow)
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	number := "W-1"
	tests := []struct {
		name   string
		change func(t *testing.T, b *testBundle, genuine *http.Request) *http.Request
		status int
		code   string
	}{
		{"unsigned", func(_ *testing.T, _ *testBundle, r *http.Request) *http.Request {
			r.Header.Del(tarspay.HeaderCallbackSignature)
			return r
		}, http.StatusUnauthorized, CodeNotSigned},
		{"signature is not hex", func(_ *testing.T, _ *testBundle, r *http.Request) *http.Request {
			r.Header.Set(tarspay.HeaderCallbackSignature, "signed, the gateway")
			return r
		}, http.StatusUnauthorized, CodeSignature},
		{"signed by another key", func(t *testing.T, b *testBundle, r *http.Request) *http.Request {
			private, _, err := tarspay.GenerateKey()
			require.NoError(t, err)
			other, err := tarspay.NewSigner(private)
			require.NoError(t, err)
			r.Header.Set(tarspay.HeaderCallbackSignature, other.Sign(read(t, r)))
			return r
		}, http.StatusUnauthorized, CodeSignature},
		{"signature of another callback", func(t *testing.T, b *testBundle, r *http.Request) *http.Request {
			other := read(t, r)
			return b.request(t, bytes.ReplaceAll(other, []byte(number), []byte("W-2")), r.Header.Get(tarspay.HeaderCallbackSignature))
		}, http.StatusUnauthorized, CodeSignature},
		{"amount changed on the way", func(t *testing.T, b *testBundle, r *http.Request) *http.Request {
			return b.request(t, bytes.ReplaceAll(read(t, r), []byte(`"1500"`), []byte(`"9500"`)), r.Header.Get(tarspay.HeaderCallbackSignature))
		}, http.StatusUnauthorized, CodeSignature},
		{"not JSON, unsigned text", func(t *testing.T, b *testBundle, r *http.Request) *http.Request {
			return b.request(t, []byte("state=2"), r.Header.Get(tarspay.HeaderCallbackSignature))
		}, http.StatusUnauthorized, CodeSignature},
		{"not JSON, signed", func(t *testing.T, b *testBundle, _ *http.Request) *http.Request {
			return b.request(t, []byte("state=2"), b.signer.Sign([]byte("state=2")))
		}, http.StatusBadRequest, CodeMalformed},
		{"signed, members missing", func(t *testing.T, b *testBundle, _ *http.Request) *http.Request {
			return b.request(t, []byte(`{"state":2}`), b.signer.Sign([]byte(`{"state":2}`)))
		}, http.StatusBadRequest, CodeMalformed},
		{"empty", func(t *testing.T, b *testBundle, _ *http.Request) *http.Request {
			return b.request(t, nil, b.signer.Sign(nil))
		}, http.StatusBadRequest, CodeMalformed},
		{"too large by its length", func(t *testing.T, b *testBundle, _ *http.Request) *http.Request {
			body := bytes.Repeat([]byte(" "), tarspay.MaxCallbackBytes+1)
			return b.request(t, body, b.signer.Sign(body))
		}, http.StatusRequestEntityTooLarge, CodeTooLarge},
		{"too large, length not told", func(t *testing.T, b *testBundle, _ *http.Request) *http.Request {
			body := bytes.Repeat([]byte(" "), tarspay.MaxCallbackBytes+1)
			r := b.request(t, nil, b.signer.Sign(body))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), -1
			return r
		}, http.StatusRequestEntityTooLarge, CodeTooLarge},
		{"another merchant", func(t *testing.T, b *testBundle, _ *http.Request) *http.Request {
			c := success(order.Order{Request: order.Request{Kind: order.Withdrawal, Merchant: "M9999999999", Number: number, Amount: pkr(1500)}})
			body, signature := tarspay.EncodeCallback(c, b.signer)
			return b.request(t, body, signature)
		}, http.StatusForbidden, CodeForeignMerchant},
		{"GET", func(_ *testing.T, _ *testBundle, r *http.Request) *http.Request {
			r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0
			return r
		}, http.StatusMethodNotAllowed, CodeMethod},
		{"PUT", func(_ *testing.T, _ *testBundle, r *http.Request) *http.Request {
			r.Method = http.MethodPut
			return r
		}, http.StatusMethodNotAllowed, CodeMethod},
		{"form", func(_ *testing.T, _ *testBundle, r *http.Request) *http.Request {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		}, http.StatusUnsupportedMediaType, CodeContentType},
		{"no content type", func(_ *testing.T, _ *testBundle, r *http.Request) *http.Request {
			r.Header.Del("Content-Type")
			return r
		}, http.StatusUnsupportedMediaType, CodeContentType},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			row := b.open(t, order.Withdrawal, number, 1500)
			body, signature := tarspay.EncodeCallback(success(row), b.signer)

			status, answer := b.send(t, test.change(t, b, b.request(t, body, signature)))
			require.Equal(t, test.status, status)
			requireRefusal(t, test.code, answer)
			b.requireNothingStored(t)
			require.Equal(t, 1, b.metric(t, "payouts_callbacks_total", test.code))
			require.Zero(t, b.metric(t, "payouts_callbacks_total", "ACCEPTED"))

			// The genuine one is still welcome.
			status, answer = b.post(t, success(row))
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "OK", answer)
		})
	}
}

func TestMethodNotAllowedSaysWhatIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+Path, nil)
	require.NoError(t, err)
	response, err := b.server.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	require.Equal(t, "POST", response.Header.Get("Allow"))
}

// A body that trickles in, or stops coming, holds a connection for the body's
// time and no longer.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 1500)
	body, signature := tarspay.EncodeCallback(success(row), b.signer)

	b.options.BodyTimeout = 50 * time.Millisecond
	impatient := httptest.NewServer(NewHandler(b.options))
	t.Cleanup(impatient.Close)
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", impatient.Listener.Addr().String())
	require.NoError(t, err)
	defer func() { require.NoError(t, connection.Close()) }()
	_, err = fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: receiver\r\nContent-Type: application/json\r\n%s: %s\r\nContent-Length: %d\r\n\r\n%s",
		Path, tarspay.HeaderCallbackSignature, signature, len(body), body[:len(body)/2])
	require.NoError(t, err)

	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusRequestTimeout, response.StatusCode)
	requireRefusal(t, CodeIncomplete, string(answer))
	b.requireNothingStored(t)
	require.Equal(t, 1, b.metric(t, "payouts_callbacks_total", CodeIncomplete))
}

func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 1500)
	require.NoError(t, b.ledger.Close())

	status, answer := b.post(t, success(row))
	require.Equal(t, http.StatusServiceUnavailable, status)
	requireRefusal(t, CodeStore, answer)
	require.Empty(t, b.signals(), "what is not stored is not signalled")

	_, err := b.Sweep(t.Context())
	require.ErrorContains(t, err, "read pending callbacks")
	families, err := b.registry.Gather()
	require.NoError(t, err)
	counted := make(map[string]int)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if len(metric.GetLabel()) > 0 {
				counted[family.GetName()+" "+metric.GetLabel()[0].GetValue()] = int(metric.GetCounter().GetValue())
			}
		}
	}
	require.Equal(t, 1, counted["payouts_callbacks_total "+CodeStore])
	require.NotContains(t, counted, "payouts_callback_inbox stored", "no number is better than a stale one")
}

func TestUnknownOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ghost := order.Order{Request: order.Request{Kind: order.Withdrawal, Merchant: merchant, Number: "W-404", Amount: pkr(1500)}}

	status, answer := b.post(t, success(ghost))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "OK", answer)
	require.Equal(t, ledger.Unmatched, b.entry(t, ghost).Status)
	require.Zero(t, b.calls(), "Temporal is not asked, and nothing is started")
	require.Equal(t, 1, b.metric(t, "payouts_callback_deliveries_total", "unmatched"))

	swept, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, swept.Pending)

	// An order of that number hears of it when it comes into being.
	b.open(t, order.Withdrawal, "W-404", 1500)
	swept, err = b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, Swept{Pending: 1, Delivered: 1}, swept)
	require.Equal(t, "order:M1700000001:W-404", b.signals()[0].workflow)
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 1500)
	for range 16 {
		status, answer := b.post(t, success(row))
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "OK", answer)
	}
	require.Len(t, b.signals(), 1)
	require.Equal(t, 16, b.entry(t, row).Received)
	require.Equal(t, 1, b.metric(t, "payouts_callbacks_total", "ACCEPTED"))
	require.Equal(t, 15, b.metric(t, "payouts_callbacks_total", "DUPLICATE"))

	// What says something else is no duplicate.
	refunded := success(row)
	refunded.State = tarspay.StateRefunded
	status, _ := b.post(t, refunded)
	require.Equal(t, http.StatusOK, status)
	require.Len(t, b.signals(), 2)
}

// Whoever can write to the database stores a row under the id of a callback before it comes. The
// genuine one is stored beside it, signalled once, and told in the log.
func TestACallbackWhoseIDIsTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 1500)
	said := success(row)
	forged, _, err := b.ledger.StoreCallback(t.Context(), said, []byte("{}"), "", nil)
	require.NoError(t, err)
	require.NoError(t, b.ledger.MarkCallback(t.Context(), forged, ledger.Done))
	body, signature := tarspay.EncodeCallback(said, b.signer)
	for range 3 {
		status, answer := b.send(t, b.request(t, body, signature))
		require.Equal(t, []any{http.StatusOK, tarspay.CallbackAnswer}, []any{status, answer})
	}
	entries := b.inbox(t, row.Key())
	require.Len(t, entries, 2)
	genuine := entries[slices.IndexFunc(entries, func(e ledger.InboxEntry) bool { return e.ID != forged })]
	require.Equal(t, []any{body, signature, 3}, []any{genuine.Body, genuine.Signature, genuine.Received})
	require.Len(t, b.signals(), 1)
	require.Equal(t, genuine.ID, b.signals()[0].callback)
	require.Equal(t, 1, b.metric(t, "payouts_callbacks_total", "ACCEPTED"))
	require.Equal(t, 1, strings.Count(b.logs.String(), "somebody writes to the database"))
}

func TestConcurrentDuplicates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var rows []order.Order
	for i := range 4 {
		rows = append(rows, b.open(t, order.Withdrawal, fmt.Sprintf("W-%d", i), 1500))
	}
	var posting sync.WaitGroup
	answers := make(chan string, 40)
	for i := range cap(answers) {
		body, signature := tarspay.EncodeCallback(success(rows[i%len(rows)]), b.signer)
		r := b.request(t, body, signature)
		posting.Go(func() {
			response, err := b.server.Client().Do(r)
			if err != nil {
				answers <- err.Error()
				return
			}
			answer, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			answers <- string(answer)
		})
	}
	posting.Wait()
	close(answers)
	for answer := range answers {
		require.Equal(t, "OK", answer)
	}
	require.Len(t, b.signals(), len(rows))
	for _, row := range rows {
		require.Equal(t, 10, b.entry(t, row).Received)
	}
}

// The gateway hangs up once it has sent everything; the callback is kept.
func TestClientHangsUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 1500)
	body, signature := tarspay.EncodeCallback(success(row), b.signer)
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()

	answer := httptest.NewRecorder()
	b.handler.ServeHTTP(answer, b.request(t, body, signature).WithContext(gone))
	require.Equal(t, "OK", answer.Body.String())
	require.Equal(t, ledger.Signalled, b.entry(t, row).Status)
}

func TestLogsHoldNoPersonalData(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := b.open(t, order.Withdrawal, "W-1", 1500)
	planted := success(row)
	planted.State, planted.FailReason = tarspay.StateFailed, "Planted Person, account 03001234567"
	planted.Extra = map[string]json.RawMessage{"customerName": json.RawMessage(`"Planted Person"`)}
	body, signature := tarspay.EncodeCallback(planted, b.signer)

	b.answers(away)
	status, _ := b.send(t, b.request(t, body, signature))
	require.Equal(t, http.StatusOK, status)
	b.send(t, b.request(t, append(body, ' '), signature))
	b.send(t, b.request(t, []byte("Planted Person"), b.signer.Sign([]byte("Planted Person"))))
	b.answers(closed)
	_, err := b.Sweep(t.Context())
	require.NoError(t, err)
	b.answers(nil)
	_, err = b.Sweep(t.Context())
	require.NoError(t, err)

	logs := b.logs.String()
	require.Contains(t, logs, "order="+merchant+"/W-1")
	for _, secret := range []string{"Planted", "0300", signature, "1500"} {
		require.NotContains(t, logs, secret)
	}
}

func BenchmarkHandler(b *testing.B) {
	bundle := setup(b)
	row := bundle.open(b, order.Withdrawal, "W-1", 1500)
	forged, signature := tarspay.EncodeCallback(success(row), bundle.signer)
	forged = bytes.ReplaceAll(forged, []byte("W-1"), []byte("W-2"))
	b.Run("refused", func(b *testing.B) {
		for b.Loop() {
			serve(b, bundle.handler, bundle.request(b, forged, signature), http.StatusUnauthorized)
		}
	})
	b.Run("accepted", func(b *testing.B) {
		next := success(row)
		for i := 0; b.Loop(); i++ {
			next.GatewayID = fmt.Sprintf("P%d", i)
			body, signature := tarspay.EncodeCallback(next, bundle.signer)
			serve(b, bundle.handler, bundle.request(b, body, signature), http.StatusOK)
		}
	})
}

func serve(b *testing.B, handler http.Handler, r *http.Request, want int) {
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, r)
	if answer.Code != want {
		b.Fatalf("answered %d %s", answer.Code, answer.Body)
	}
}

func requireRefusal(t *testing.T, code, answer string) {
	t.Helper()
	var refused struct{ Code, Message string }
	require.NoError(t, json.Unmarshal([]byte(answer), &refused), answer)
	require.Equal(t, code, refused.Code)
	require.NotEmpty(t, refused.Message)
	require.False(t, strings.HasPrefix(refused.Message, " "))
}

func read(t *testing.T, r *http.Request) []byte {
	t.Helper()
	copied, err := r.GetBody()
	require.NoError(t, err)
	body, err := io.ReadAll(copied)
	require.NoError(t, err)
	return body
}
