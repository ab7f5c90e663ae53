package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq" // the driver behind "postgres"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/proxy"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/callback"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestFailover makes the database's address lead to a standby for a while, as can
// happen in a failover. No process may keep a session there. Until the address
// leads to the writable server again, no process is ready. Then writes must
// succeed at once.
func TestFailover(t *testing.T) {
	t.Parallel()
	primary := serveDatabase(t)
	standby := serveDatabase(t, "-standby-of", primary)
	line := newProxy(t, primary)
	h := open(t, options{proxy: line, Options: stack.Options{
		DatabaseURL: primary,
		Settings:    map[string]string{"PAYOUTS_CALLBACK_GRACE": "1h"},
	}})
	waiting := h.withdrawal(t, "PK", "stuck", succeeds)
	h.stands(t, order.Submitted, waiting)

	line.Lead(hostOf(standby))
	line.Cut()
	for _, door := range []string{h.Addresses.Admin, h.Addresses.Worker} {
		status, _ := h.get(t, door+"/readyz")
		require.Equal(t, http.StatusServiceUnavailable, status, "the standby takes no writes")
	}
	h.move(t, waiting, tarspay.StateSucceeded, "")
	h.sent(t, waiting, func(s sandbox.Send) bool {
		return s.Status == http.StatusServiceUnavailable && strings.Contains(s.Answer, callback.CodeStore)
	})

	accepting := anySession(t, h, line)
	line.Lead(hostOf(primary)) // whoever has a session on the standby could keep it
	require.NoError(t, accepting.RecordPolicy(h.ctx, "none", nil), "a session that takes no writes is not used again")
	h.ended(t, waiting)
	require.Equal(t, rules.FromCallback, h.lastStep(t, waiting).Source)
	for _, door := range []string{h.Addresses.Admin, h.Addresses.Worker} {
		until(t, h, door+" to be ready", func(context.Context) (int, error) {
			status, _ := h.get(t, door+"/readyz")
			return status, nil
		}, func(status int) bool { return status == http.StatusOK })
	}
}

// anySession returns a ledger whose URL accepts any session. It has connected to
// the standby.
func anySession(t *testing.T, h *house, line *proxy.Proxy) *ledger.Ledger {
	t.Helper()
	books, err := ledger.Open(h.ctx, withHost(t, h.DatabaseURL(), line.Address())+"&target_session_attrs=any", ledger.EncryptWith(h.DataKeys()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, books.Close()) })
	var failure *ledger.Error
	require.ErrorAs(t, books.Ready(h.ctx, ledger.DriveOrders), &failure)
	require.Equal(t, ledger.CodeReadOnly, failure.Code)
	_, err = books.Breakers(h.ctx)
	require.NoError(t, err, "a standby can be read, and the session is kept")
	return books
}

func hostOf(address string) string {
	_, rest, _ := strings.Cut(address, "@")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// serveDatabase starts a PostgreSQL server and returns its URL.
func serveDatabase(t *testing.T, how ...string) string {
	t.Helper()
	tool, err := filepath.Abs(filepath.Join("..", "..", "bin", "withpostgres"))
	require.NoError(t, err)
	made, err := exec.CommandContext(t.Context(), tool, append([]string{"-make"}, how...)...).Output()
	require.NoError(t, err, "`make test` builds what these tests need")
	dir := strings.TrimSpace(string(made))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })

	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := free.Addr().(*net.TCPAddr).Port
	require.NoError(t, free.Close())
	server := exec.CommandContext(context.WithoutCancel(t.Context()), tool, "-serve", dir, "-port", strconv.Itoa(port))
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		require.NoError(t, server.Process.Signal(syscall.SIGTERM))
		_ = server.Wait()
	})
	address := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	db, err := sql.Open("postgres", address)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for db.PingContext(ctx) != nil {
		select {
		case <-ctx.Done():
			t.Fatalf("no PostgreSQL answers at %s", address)
		case <-again.C:
		}
	}
	return address
}
