package chaos

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/webhook"
)

// served is a running endpoint.
type served struct {
	EndpointOptions
	secret string
	stop   context.CancelFunc
	ended  chan error
}

func serve(t *testing.T, dir, secret string, faults int) *served {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	s := &served{secret: secret, ended: make(chan error, 1), EndpointOptions: EndpointOptions{
		Listen: address, Settings: filepath.Join(dir, "settings"), Record: filepath.Join(dir, "record"),
	}}
	text, err := json.Marshal(endpointSettings{Secret: secret, Faults: faults, Seed: 1})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.Settings, text, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	s.stop = func() { cancel(); require.NoError(t, <-s.ended) }
	go func() { s.ended <- ServeEndpoint(ctx, s.EndpointOptions) }()
	require.Eventually(t, func() bool {
		answer, err := http.Get("http://" + address + "/healthz")
		if err == nil {
			_ = answer.Body.Close()
		}
		return err == nil
	}, 10*time.Second, time.Millisecond)
	return s
}

// post delivers an event, and returns the status; 0 if there was no answer.
func (s *served) post(t *testing.T, id, body, secret string) int {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	now := time.Now()
	signature, err := signer.Sign(id, now, []byte(body))
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Listen+"/events", strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set(standardwebhooks.HeaderWebhookID, id)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}

// What an endpoint has acknowledged is in its record, also after it was killed while it
// wrote a line.
func TestEndpointKeepsWhatItAcknowledges(t *testing.T) {
	t.Parallel()
	dir, secret := t.TempDir(), webhook.NewSecret()
	s := serve(t, dir, secret, 0)
	require.Equal(t, http.StatusOK, s.post(t, "evt_1", `{"a":"<1>"}`, secret))
	require.Equal(t, http.StatusUnauthorized, s.post(t, "evt_2", "{}", webhook.NewSecret()))
	s.stop()
	file, err := os.OpenFile(s.Record, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`{"id":"evt_3","bo`)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	want := []recorded{{ID: "evt_1", Body: `{"a":"<1>"}`}, {ID: "evt_2", Body: "{}", Forged: true}}
	read, err := readRecord(s.Record)
	require.NoError(t, err)
	require.Equal(t, want, read, "the line that was not finished was not acknowledged")

	s = serve(t, dir, secret, 0)
	require.Equal(t, http.StatusOK, s.post(t, "evt_3", "{}", secret))
	s.stop()
	read, err = readRecord(s.Record)
	require.NoError(t, err)
	require.Equal(t, append(want, recorded{ID: "evt_3", Body: "{}"}), read)
	none, err := readRecord(filepath.Join(dir, "none"))
	require.NoError(t, err)
	require.Empty(t, none)
}

// An endpoint with faults refuses, forgets to answer, and breaks off. Nothing that it has
// acknowledged is missing.
func TestEndpointFaults(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSecret()
	s := serve(t, t.TempDir(), secret, 600)
	statuses, acknowledged := make(map[int]int), 0
	for n := range 100 {
		status := s.post(t, "evt_"+strconv.Itoa(n), "{}", secret)
		statuses[status]++
		if status == http.StatusOK {
			acknowledged++
		}
	}
	s.stop()
	read, err := readRecord(s.Record)
	require.NoError(t, err)
	require.Len(t, statuses, 3, "200, 500 and no answer: %v", statuses)
	require.Greater(t, len(read), acknowledged, "some were recorded and not acknowledged")
	require.Less(t, len(read), 100, "some were refused")
}

// Without settings an endpoint knows no secret, and takes nothing.
func TestEndpointWithoutSettings(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSecret()
	s := serve(t, t.TempDir(), secret, 0)
	require.NoError(t, os.Remove(s.Settings))
	require.Equal(t, http.StatusServiceUnavailable, s.post(t, "evt_1", "{}", secret))
	s.stop()
}
