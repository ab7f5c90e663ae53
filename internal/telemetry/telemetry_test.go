package telemetry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestServer(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "tested_total", Help: "of this test"})
	registry.MustRegister(counter)
	counter.Inc()
	var database, temporal error
	server, err := Listen(t.Context(), "127.0.0.1:0", registry,
		Check{Name: "database", Required: true, Try: func(context.Context) error { return database }},
		Check{Name: "temporal", Try: func(context.Context) error { return temporal }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })

	status, body := get(t, server, "/healthz")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"process":"up"}`, body)
	status, body = get(t, server, "/readyz")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"database":"up","temporal":"up"}`, body)
	_, body = get(t, server, "/metrics")
	require.Contains(t, body, "tested_total 1")

	temporal = errors.New("no route")
	status, body = get(t, server, "/readyz")
	require.Equal(t, http.StatusOK, status, "Temporal is not required")
	require.JSONEq(t, `{"database":"up","temporal":"away"}`, body)
	database = errors.New("gone")
	status, _ = get(t, server, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
}

func TestListenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := Listen(t.Context(), "256.0.0.1:1", prometheus.NewRegistry())
	require.ErrorContains(t, err, "listen for health checks")
}

func get(t *testing.T, s *Server, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Address()+path, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

// A check that never comes back makes the process unready, and the answer comes.
func TestACheckThatHangs(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	server, err := Listen(t.Context(), "127.0.0.1:0", prometheus.NewRegistry(),
		Check{Name: "database", Required: true, Try: func(context.Context) error { <-end; return nil }})
	require.NoError(t, err)
	t.Cleanup(func() { close(end); require.NoError(t, server.Close()) })
	status, body := get(t, server, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.JSONEq(t, `{"database":"away"}`, body)
}
