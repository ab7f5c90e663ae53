package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/proxy"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

const (
	patience  = 10 * time.Minute      // for the whole life of a house
	waitLimit = 150 * time.Second     // for one thing: a task that was lost on a busy machine is given out again after 35 s
	lookEvery = 20 * time.Millisecond // between two looks at something that is waited for
	tail      = 8                     // lines of each log that are shown after a failure
)

// house is a running stack, its ledger, and the payments that the test started.
type house struct {
	*stack.Stack
	books    *ledger.Ledger
	settings map[string]string // of the worker and the receiver, over the stack's own
	ctx      context.Context   // ends when the house's time is over or a process dies that nobody stopped

	mutex         sync.Mutex
	payments      []payment
	discrepancies int // that the ledger must have noted
}

// options are the settings of a house.
type options struct {
	stack.Options
	proxy *proxy.Proxy // between the stack and its database; nil: none
}

// open starts a house. At the end of the test, the house compares every payment
// with the ledger and the gateway's records, and is removed. After a failure its
// logs and databases are kept.
func open(t *testing.T, o options) *house {
	t.Helper()
	h := enter(t, o)
	t.Cleanup(func() {
		if !t.Failed() {
			h.inspect(t)
		}
	})
	return h
}

// enter starts a house without the checks at the end.
func enter(t *testing.T, o options) *house {
	t.Helper()
	if o.proxy != nil {
		o.DatabaseURL = withHost(t, o.DatabaseURL, o.proxy.Address())
	}
	o.Roles = true
	running, err := stack.Start(t.Context(), o.Options)
	require.NoError(t, err, "the stack does not start; `make test` builds what it is made of")
	h := &house{Stack: running, settings: o.Settings}
	t.Cleanup(func() {
		if t.Failed() {
			h.Keep()
			t.Logf("logs and books stay in %s", h.Dir())
			for name, text := range h.logs(t) {
				lines := strings.Split(strings.TrimSpace(text), "\n")
				t.Logf("the end of the %s's log:\n%s", name, strings.Join(lines[max(0, len(lines)-tail):], "\n"))
			}
		}
		require.NoError(t, h.Stop())
	})

	timed, cancel := context.WithTimeoutCause(context.Background(), patience, errors.New("the house's time is over"))
	guarded, detach := h.Guard(timed)
	t.Cleanup(func() { detach(); cancel() })
	h.ctx = guarded

	address := h.DatabaseURL()
	if o.proxy != nil {
		address = withHost(t, address, o.proxy.Target())
	}
	h.books, err = ledger.Open(h.ctx, address, ledger.SealWith(h.AuditKeys()), ledger.EncryptWith(h.DataKeys()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.books.Close()) })
	return h
}

// onBothEngines runs a test with the ledger on SQLite and on PostgreSQL.
func onBothEngines(t *testing.T, test func(t *testing.T, databaseURL string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, "")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, dbtest.Server(t))
	})
}

// until calls look until its result satisfies the condition, and returns the
// result. It calls again after an error.
func until[T any](t *testing.T, h *house, what string, look func(context.Context) (T, error), seen func(T) bool) T {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(h.ctx, waitLimit, errors.New("the wait took too long"))
	defer cancel()
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	var last T
	for {
		saw, err := look(ctx)
		if err == nil && seen(saw) {
			return saw
		}
		if err == nil {
			last = saw
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %v; last seen: %+v (error: %v)", what, context.Cause(ctx), last, err)
		case <-again.C:
		}
	}
}

// row returns a payment's row in the ledger.
func (h *house) row(t *testing.T, p payment) order.Order {
	t.Helper()
	row, err := h.books.Order(h.ctx, p.key())
	require.NoError(t, err)
	return row
}

// standing returns a function that reads a payment's standing in the ledger.
func (h *house) standing(p payment) func(context.Context) (order.Standing, error) {
	return func(ctx context.Context) (order.Standing, error) {
		row, err := h.books.Order(ctx, p.key())
		return row.Standing, err
	}
}

// stands waits until payments are in a state in the ledger.
func (h *house) stands(t *testing.T, state order.State, payments ...payment) {
	t.Helper()
	for _, p := range payments {
		until(t, h, p.request.Number+" ("+p.scenario+") to be "+string(state), h.standing(p),
			func(now order.Standing) bool { return now.State == state })
	}
}

// ended waits until payments have ended, and requires their expected ends.
func (h *house) ended(t *testing.T, payments ...payment) {
	t.Helper()
	for _, p := range payments {
		now := until(t, h, p.request.Number+" ("+p.scenario+") to end "+string(p.end.state), h.standing(p),
			func(now order.Standing) bool {
				return now.State == p.end.state || now.State.Terminal() && !rules.CanMove(p.request.Kind, now.State, p.end.state)
			})
		require.Equal(t, p.end.state, now.State, "%s (%s): %s", p.request.Number, p.scenario, now.Reason.Text)
	}
}

// lastStep returns the last step of a payment.
func (h *house) lastStep(t *testing.T, p payment) ledger.Step {
	t.Helper()
	steps, err := h.books.History(h.ctx, p.key())
	require.NoError(t, err)
	require.NotEmpty(t, steps, "%s has no history", p.request.Number)
	return steps[len(steps)-1]
}

// logs returns the log of every process, by the name of the process.
func (h *house) logs(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, name := range stack.Processes() {
		text, err := os.ReadFile(h.Log(name))
		require.NoError(t, err)
		texts[name] = string(text)
	}
	return texts
}

// secrets returns the private keys of the house.
func (h *house) secrets(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.keyDir(), "*.key"))
	require.NoError(t, err)
	require.Len(t, files, len(h.Merchants)+3, "one key for each merchant, the gateway's, the audit's and the one of personal data")
	keys := make([]string, len(files))
	for i, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		keys[i] = strings.TrimPrefix(strings.TrimSpace(string(text)), "stack:") // the name of the data key is no secret
	}
	return keys
}

func (h *house) keyDir() string { return filepath.Join(h.Dir(), "keys") }
