package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// bookkeeping is a finance system that takes events. It fails the first two tries.
type bookkeeping struct {
	*httptest.Server
	mutex  sync.Mutex
	secret string
	tries  int
	taken  []payouts.Event
	faults []error
}

func keepBooks(t *testing.T) *bookkeeping {
	t.Helper()
	b := &bookkeeping{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		b.mutex.Lock()
		defer b.mutex.Unlock()
		if b.tries++; b.tries <= 2 || err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		verifier, err := standardwebhooks.NewWebhook(b.secret)
		if err == nil {
			err = verifier.Verify(body, r.Header)
		}
		var event payouts.Event
		if err == nil {
			err = json.Unmarshal(body, &event)
		}
		if err != nil {
			b.faults = append(b.faults, err)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		b.taken = append(b.taken, event)
	}))
	t.Cleanup(b.Close)
	return b
}

// of lists the types of an order's events that were taken.
func (b *bookkeeping) of(t *testing.T, number string) (types []string) {
	t.Helper()
	b.mutex.Lock()
	defer b.mutex.Unlock()
	require.Empty(t, b.faults)
	for _, event := range b.taken {
		if event.Number == number {
			types = append(types, event.Type)
		}
	}
	return types
}

// TestWebhooks registers an endpoint over HTTP and pays an order, each process with the
// rights of its role. The endpoint fails twice, and the order's events arrive all the same,
// signed and in order.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	h := open(t, options{Options: stack.Options{DatabaseURL: dbtest.Server(t), Roles: true, API: true, People: stack.People("")}})
	books := keepBooks(t)
	var made payouts.WebhookWithSecret
	text := h.asks(t, http.StatusCreated, http.MethodPost, "/v1/webhook-endpoints", `{"url":"`+books.URL+`/hook?tenant=1"}`)
	require.NoError(t, json.Unmarshal(text, &made))
	books.mutex.Lock()
	books.secret = made.Secret
	books.mutex.Unlock()

	paid := h.expect(t, order.Withdrawal, "PK", "success", succeeds)
	h.creates(t, http.StatusCreated, paid)
	want := []string{"withdrawal.reserved", "withdrawal.submitting", "withdrawal.submitted", "withdrawal.succeeded"}
	told := func(context.Context) ([]string, error) { return books.of(t, paid.request.Number), nil }
	got := until(t, h, "the events arrive", told, func(got []string) bool { return len(got) >= 4 })
	require.Equal(t, want, got)
	at := "/v1/webhook-endpoints/" + made.ID
	require.Contains(t, string(h.asks(t, http.StatusOK, http.MethodGet, at+"/deliveries", "")), `"state":"delivered"`)

	require.Contains(t, string(h.asks(t, http.StatusOK, http.MethodPost, at+"/test", "")), `"delivered":true`)
	h.asks(t, http.StatusOK, http.MethodPost, at+"/replay", `{"event":"`+books.taken[0].ID+`"}`)
	until(t, h, "the events arrive again", told, func(got []string) bool { return len(got) >= 8 })
	h.settled(t, paid)
}
