package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/webhook"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A hook refuses the first event of one order twice. It takes every other event once, and
// tells events that are not signed and events that overtake others.
func TestHook(t *testing.T) {
	t.Parallel()
	h, err := openHook(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.close()) })
	secret := webhook.NewSecret()
	require.NoError(t, h.trust(secret))
	h.fail(order.Key{Merchant: "M1", Number: "A"})
	event := func(id, number string, version int64) payouts.Event {
		return payouts.Event{ID: id, Merchant: "M1", Number: number, Version: version}
	}
	first, second, other := event("1", "A", 1), event("2", "A", 2), event("3", "B", 1)

	require.Equal(t, http.StatusUnauthorized, sends(t, h, webhook.NewSecret(), first))
	require.Equal(t, http.StatusServiceUnavailable, sends(t, h, secret, first))
	require.Equal(t, http.StatusNoContent, sends(t, h, secret, other))
	select {
	case <-h.full:
		t.Fatal("it has refused one delivery only")
	default:
	}
	require.Equal(t, http.StatusServiceUnavailable, sends(t, h, secret, first))
	<-h.full
	require.False(t, h.has([]payouts.Event{other, first}))
	for range 2 {
		require.Equal(t, http.StatusNoContent, sends(t, h, secret, first))
	}
	require.Equal(t, http.StatusNoContent, sends(t, h, secret, second))
	require.True(t, h.has([]payouts.Event{first, second, other}))
	require.Equal(t, order.Key{}, h.outOfOrder())
	require.Len(t, h.taken, 3)
	require.Equal(t, 1, h.unsigned)

	sends(t, h, secret, event("5", "B", 3))
	sends(t, h, secret, event("4", "B", 2))
	require.Equal(t, order.Key{Merchant: "M1", Number: "B"}, h.outOfOrder())
}

// sends delivers an event, and returns the status of the answer.
func sends(t *testing.T, h *hook, secret string, event payouts.Event) int {
	t.Helper()
	body, err := json.Marshal(event)
	require.NoError(t, err)
	signer, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	now := time.Now()
	signature, err := signer.Sign(event.ID, now, body)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set(standardwebhooks.HeaderWebhookID, event.ID)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
