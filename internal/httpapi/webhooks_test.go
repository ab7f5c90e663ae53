package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/webhook"
	"github.com/tarspay-payouts/orchestrator/order"
)

// register registers an endpoint as a system.
func (h *house) register(t *testing.T, who, body string) (made payouts.WebhookWithSecret) {
	t.Helper()
	got := h.as(t, who, http.MethodPost, "/v1/webhook-endpoints", body)
	require.Equal(t, http.StatusCreated, got.status, got.text)
	require.NoError(t, json.Unmarshal([]byte(got.text), &made))
	require.Equal(t, "/v1/webhook-endpoints/"+made.ID, got.header.Get("Location"))
	return made
}

func TestWebhookEndpoints(t *testing.T) {
	t.Parallel()
	h := setup(t)
	type seen struct {
		header http.Header
		body   []byte
	}
	tests := make(chan seen, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		tests <- seen{r.Header, body}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	}))
	t.Cleanup(receiver.Close)
	made := h.register(t, "desk", `{"url":"`+receiver.URL+`/hook","merchants":["M1700000001"],"types":["withdrawal.succeeded","withdrawal.failed"]}`)
	require.Regexp(t, "^whsec_", made.Secret)
	require.Equal(t, "desk", made.CreatedBy)
	at := "/v1/webhook-endpoints/" + made.ID

	got := h.as(t, "watcher", http.MethodGet, at, "")
	require.Equal(t, http.StatusOK, got.status, got.text)
	require.NotContains(t, got.text, made.Secret)
	require.NotContains(t, got.text, "secret")
	var status payouts.WebhookStatus
	require.NoError(t, json.Unmarshal([]byte(got.text), &status))
	require.Equal(t, made.Webhook, status.Webhook)
	require.Zero(t, status.Pending)

	got = h.as(t, "desk", http.MethodPost, at+"/test", "")
	require.Equal(t, http.StatusOK, got.status, got.text)
	var tested payouts.WebhookTested
	require.NoError(t, json.Unmarshal([]byte(got.text), &tested))
	require.Equal(t, []any{false, http.StatusTeapot, "it answered 418", "short and stout"}, []any{tested.Delivered, tested.Status, tested.Why, tested.Answer})
	test := <-tests
	verifier, err := standardwebhooks.NewWebhook(made.Secret)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(test.body, test.header))
	require.Contains(t, string(test.body), `"type":"webhook.test"`)

	got = h.as(t, "desk", http.MethodPost, at+"/rotate", "")
	require.Equal(t, http.StatusOK, got.status, got.text)
	var rotated payouts.WebhookWithSecret
	require.NoError(t, json.Unmarshal([]byte(got.text), &rotated))
	require.NotEqual(t, made.Secret, rotated.Secret)
	secrets, err := h.ledger.WebhookSecrets(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, []string{rotated.Secret, made.Secret}, secrets)

	for _, step := range []struct {
		path, body string
		state      ledger.WebhookState
	}{
		{"/disable", "", ledger.WebhookDisabled}, {"/enable", "", ledger.WebhookActive}, {"/replay", `{"since":"2026-05-04T12:00:00Z"}`, ledger.WebhookActive},
	} {
		got = h.as(t, "desk", http.MethodPost, at+step.path, step.body)
		require.Equal(t, http.StatusOK, got.status, got.text)
		var changed payouts.Webhook
		require.NoError(t, json.Unmarshal([]byte(got.text), &changed))
		require.Equal(t, step.state, changed.State)
	}
	got = h.as(t, "desk", http.MethodGet, at+"/deliveries?state=pending", "")
	require.JSONEq(t, `{"deliveries":[]}`, got.text)
	for body, code := range map[string]string{
		`{}`: order.CodeInvalidRequest,
		`{"since":"2026-05-04T12:00:00Z","event":"evt_1"}`: order.CodeInvalidRequest,
		`{"event":"evt_00000000000000000000000000000000"}`: ledger.CodeWebhookEvent,
		`{"event":"nonsense"}`:                             ledger.CodeWebhookEvent,
	} {
		require.Equal(t, code, h.as(t, "desk", http.MethodPost, at+"/replay", body).problem(t).Code, body)
	}
}

func TestWhoMayDoWhatAboutEndpoints(t *testing.T) {
	t.Parallel()
	h := setup(t)
	own := h.register(t, "desk", `{"url":"https://pay.example.com/a","merchants":["M1700000001"]}`)
	foreign := h.register(t, "desk", `{"url":"https://pay.example.com/b","merchants":["M1700000001","M1700000002"]}`)
	all := h.register(t, "desk", `{"url":"https://pay.example.com/c"}`)
	require.Empty(t, all.Merchants)
	got := h.as(t, "watcher", http.MethodGet, "/v1/webhook-endpoints", "")
	var list webhookList
	require.NoError(t, json.Unmarshal([]byte(got.text), &list))
	require.Len(t, list.Endpoints, 1)
	require.Equal(t, own.ID, list.Endpoints[0].ID)
	for name, test := range map[string]struct {
		who, method, path, body string
		status                  int
		code                    string
	}{
		"create without role":  {"billing", "POST", "", `{"url":"https://x.example.com"}`, 403, roster.CodeRoleMissing},
		"rotate without role":  {"watcher", "POST", "/" + own.ID + "/rotate", "", 403, roster.CodeRoleMissing},
		"test without role":    {"watcher", "POST", "/" + own.ID + "/test", "", 403, roster.CodeRoleMissing},
		"replay without role":  {"watcher", "POST", "/" + own.ID + "/replay", `{"event":"evt_1"}`, 403, roster.CodeRoleMissing},
		"one of two merchants": {"watcher", "GET", "/" + foreign.ID, "", 404, ledger.CodeWebhookNotFound},
		"of all merchants":     {"watcher", "GET", "/" + all.ID, "", 404, ledger.CodeWebhookNotFound},
		"foreign deliveries":   {"watcher", "GET", "/" + all.ID + "/deliveries", "", 404, ledger.CodeWebhookNotFound},
		"none":                 {"desk", "POST", "/we_none/enable", "", 404, ledger.CodeWebhookNotFound},
		"an unknown merchant":  {"desk", "POST", "", `{"url":"https://x.example.com","merchants":["M9"]}`, 422, order.CodeUnknownMerchant},
		"no type":              {"desk", "POST", "", `{"url":"https://x.example.com","types":["order.paid"]}`, 400, order.CodeInvalidRequest},
		"another's merchant":   {"billing", "POST", "", `{"url":"https://x.example.com","merchants":["M1700000002"]}`, 403, roster.CodeRoleMissing},
	} {
		got := h.as(t, test.who, test.method, "/v1/webhook-endpoints"+test.path, test.body)
		require.Equal(t, test.status, got.status, "%s: %s", name, got.text)
		require.Equal(t, test.code, got.problem(t).Code, name)
	}
}

func TestURLsOfEndpoints(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *Options) { // as in production
		sender := webhook.NewSender(webhook.Options{})
		t.Cleanup(sender.Close)
		o.Service = payouts.New(payouts.Parts{Sender: sender})
	})
	for url, code := range map[string]string{
		"http://pay.example.com":         webhook.CodeURLNotHTTPS,
		"https://127.0.0.1/":             webhook.CodeURLPrivate,
		"https://[::ffff:10.0.0.1]/":     webhook.CodeURLPrivate,
		"https://localhost/":             webhook.CodeURLPrivate,
		"https://a:b@pay.example.com/":   webhook.CodeURLMalformed,
		"https://pay.example.com/#there": webhook.CodeURLMalformed,
	} {
		got := h.as(t, "desk", http.MethodPost, "/v1/webhook-endpoints", `{"url":"`+url+`","types":["x"]}`)
		require.Equal(t, http.StatusBadRequest, got.status, got.text)
		require.Equal(t, []string{code + " url", payouts.CodeWebhookType + " types"}, codesOf(got.problem(t)), url)
		require.NotContains(t, got.text, "a:b")
	}
}
