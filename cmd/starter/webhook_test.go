package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

// hook is a receiver that answers with a status.
func hook(t *testing.T, status int) (url string, seen chan *http.Request) {
	t.Helper()
	seen = make(chan *http.Request, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		copied := r.Clone(context.Background())
		copied.Body = io.NopCloser(strings.NewReader(string(body)))
		seen <- copied
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, seen
}

func requireSigned(t *testing.T, secret string, request *http.Request) (body string) {
	t.Helper()
	text, err := io.ReadAll(request.Body)
	require.NoError(t, err)
	verifier, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(text, request.Header))
	return string(text)
}

// An operator looks after an endpoint.
func TestWebhookCommands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.openReal(t)
	b.settings.WebhookAllowPrivate = true
	url, seen := hook(t, http.StatusForbidden)
	run := func(code int, into any, args ...string) string {
		t.Helper()
		got := b.run(t.Context(), append([]string{"webhook", "--json"}, args...)...)
		require.Equal(t, code, got.code, got.errs+got.out)
		if into != nil {
			require.NoError(t, json.Unmarshal([]byte(got.out), into))
		}
		return got.out + got.errs
	}
	var made webhookSecretDocument
	run(exitDone, &made, "add", url, "--type", "withdrawal.succeeded", "--merchant", merchant, "--by", "amina")
	id := made.Endpoint.ID
	require.Equal(t, "amina", made.Endpoint.CreatedBy)
	require.Equal(t, []string{merchant}, made.Endpoint.Merchants)

	var tested payouts.WebhookTested
	run(exitOtherwise, &tested, "test", id)
	require.Equal(t, http.StatusForbidden, tested.Status)
	require.Contains(t, requireSigned(t, made.Endpoint.Secret, <-seen), payouts.WebhookTestType)

	var rotated webhookSecretDocument
	run(exitDone, &rotated, "rotate", id, "--by", "badr")
	require.NotEqual(t, made.Endpoint.Secret, rotated.Endpoint.Secret)
	var changed webhookDocument
	run(exitDone, &changed, "disable", id, "--by", "badr")
	require.Equal(t, ledger.WebhookDisabled, changed.Endpoint.State)
	run(exitDone, &changed, "enable", id, "--by", "badr")
	require.Equal(t, ledger.WebhookActive, changed.Endpoint.State)
	run(exitDone, &changed, "replay", id, "--since", "24h", "--by", "badr")
	var list webhooksDocument
	run(exitDone, &list, "list")
	require.Len(t, list.Endpoints, 1)
	var status webhookStatusDocument
	require.NotContains(t, run(exitDone, &status, "show", id), rotated.Endpoint.Secret)
	require.Equal(t, url, status.Endpoint.URL)
	var page payouts.WebhookDeliveryPage
	run(exitDone, &page, "deliveries", id)
	require.Empty(t, page.Deliveries)

	require.Contains(t, run(exitNotFound, nil, "show", "we_none"), ledger.CodeWebhookNotFound)
	require.Contains(t, run(exitUsage, nil, "add", "http://user@x", "--type", "order.paid"), payouts.CodeWebhookType)
	require.Contains(t, run(exitUsage, nil, "replay", id), "either")
	require.Contains(t, run(exitUsage, nil, "deliveries", id, "--state", "lost"), "--state")
	for _, args := range [][]string{{"list"}, {"show", id}, {"deliveries", id}, {"rotate", id}} { // for people
		got := b.run(t.Context(), append([]string{"webhook"}, args...)...)
		require.Equal(t, exitDone, got.code, got.errs)
		require.NotContains(t, got.out, "{")
	}
}

// A developer has events sent to a receiver.
func TestListen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.happenings(t)
	url, seen := hook(t, http.StatusOK)
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var errs strings.Builder
	s := starter{
		in: strings.NewReader(""), out: in, errs: &errs, user: "amina", now: time.Now, connect: b.connect,
		load: func() (config.Starter, error) { return b.settings, nil },
	}
	ended := make(chan int, 1)
	go func() {
		ended <- s.run(ctx, []string{"listen", "--json", "--forward-to", url, "--events", "withdrawal.reserved"})
	}()
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	var first listening
	require.NoError(t, json.Unmarshal(lines.Bytes(), &first))
	b.opened(t, request(t, "LATE-1", "5"))
	_, _, err := b.real.NewRelay().Round(t.Context())
	require.NoError(t, err)
	require.True(t, lines.Scan())
	var line forwarded
	require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
	require.True(t, line.Sent.Delivered)
	got := <-seen
	require.Equal(t, line.Event.ID, got.Header.Get("Webhook-Id"))
	require.Contains(t, requireSigned(t, first.Secret, got), `"number":"LATE-1"`)
	cancel()
	require.Equal(t, exitDone, <-ended, errs.String())
	require.Equal(t, exitUsage, b.run(t.Context(), "listen").code)
	require.Equal(t, exitUsage, b.run(t.Context(), "listen", "--forward-to", "ftp://x").code)
}
