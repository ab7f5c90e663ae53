package boot

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A refused connection is told as refused, with the address and at once. Silence is
// told as silence.
func TestUnreachableTemporalSaysWhy(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	require.NoError(t, err)
	t.Cleanup(func() { _ = deaf.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
	for name, test := range map[string]struct {
		address, want string
		patience      time.Duration
	}{
		"refused": {closed.Addr().String(), " refused the connection, so nothing listens there; check that it runs", time.Minute},
		"silent":  {deaf.Addr().String(), " did not answer within 5s; check that it runs", 100 * time.Millisecond},
	} {
		t.Setenv("TEMPORAL_ADDRESS", test.address)
		temporal, err := ReadTemporal(nil, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), test.patience)
		_, _, err = temporal.Orders(ctx)
		if name == "refused" {
			require.NoError(t, ctx.Err(), "a refusal does not wait")
		}
		cancel()
		require.Equal(t, client.CodeTemporalUnreachable, order.CodeOf(err), name)
		require.ErrorContains(t, err, "Temporal at "+test.address+test.want, name)
	}
}
