package e2e

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/proxy"
)

// newProxy starts a proxy to the server of a database URL.
func newProxy(t *testing.T, databaseURL string) *proxy.Proxy {
	t.Helper()
	parsed, err := url.Parse(databaseURL)
	require.NoError(t, err)
	require.NotEmpty(t, parsed.Port(), "the PostgreSQL of these tests listens on a TCP port")
	line, err := proxy.New(t.Context(), parsed.Host, nil)
	require.NoError(t, err)
	t.Cleanup(line.Close)
	return line
}

// withHost returns a database URL with another host:port.
func withHost(t *testing.T, databaseURL, host string) string {
	t.Helper()
	parsed, err := url.Parse(databaseURL)
	require.NoError(t, err)
	parsed.Host = host
	return parsed.String()
}
