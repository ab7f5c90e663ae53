package browser

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

const (
	lifetime  = 4 * time.Minute       // of everything that one test does
	lookEvery = 50 * time.Millisecond // between two looks at something that is waited for
)

// testBundle is a running stack, its ledger opened beside it, and a browser.
type testBundle struct {
	*stack.Stack
	books    *ledger.Ledger
	chromium *chromium
	ctx      context.Context // ends with its lifetime, or when a process dies that nobody stopped
}

// setup starts everything; it is gone when the test ends. After a failure the
// stack's logs and books are kept.
func setup(t *testing.T, options stack.Options) *testBundle {
	t.Helper()
	path, err := findOrInstall()
	require.NoError(t, err)
	b := &testBundle{}
	b.chromium, err = start(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.chromium.stop()) })

	options.Bin = "../../bin"
	b.Stack, err = stack.Start(t.Context(), options)
	require.NoError(t, err, "the stack does not start; `make build bin/temporal` builds what it is made of")
	t.Cleanup(func() {
		if t.Failed() {
			b.Keep()
			t.Logf("logs and books stay in %s", b.Dir())
		}
		require.NoError(t, b.Stop())
	})
	timed, cancel := context.WithTimeoutCause(context.Background(), lifetime, errors.New("the test's time is over"))
	guarded, detach := b.Guard(timed)
	t.Cleanup(func() { detach(); cancel() })
	b.ctx = guarded

	b.books, err = ledger.Open(b.ctx, b.DatabaseURL(), ledger.SealWith(b.AuditKeys()), ledger.EncryptWith(b.DataKeys()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.books.Close()) })
	return b
}

// people are invented payers and beneficiaries, with the members that their
// countries want.
var people = map[order.Kind]map[string]map[string]string{
	order.Withdrawal: {
		"PK": {"customerName": "Ayesha Khan", "customerContact": "03001234567", "customerAccountNumber": "03001234567"},
		"VN": {"customerName": "NGUYEN VAN AN", "customerContact": "0901234567", "customerAccountNumber": "0071000123456"},
		"BR": {"customerName": "Maria Silva", "customerAccountNumber": "maria@example.com", "bankName": "PIX_EMAIL", "accountTax": "12345678909"},
	},
	order.Deposit: {
		"PK": {"customerName": "Bilal Ahmed", "customerContact": "03017654321"},
		"BR": {"body": "cart", "customerName": "Maria Silva"},
		"TH": {"body": "cart"},
		"BD": {"customerContact": "01812345678"},
	},
}

// request makes an order; the sandbox does with it what the scenario says.
func (b *testBundle) request(t *testing.T, kind order.Kind, country, way, number, amount, scenario string) order.Request {
	t.Helper()
	parsed, err := order.ParseAmount(amount, country)
	require.NoError(t, err)
	details := maps.Clone(people[kind][country])
	require.NotNil(t, details, "nobody is known in %s", country)
	if scenario != "" {
		details[sandbox.ScenarioMember] = scenario
	}
	return order.Request{
		Kind: kind, Merchant: b.Merchant(country), Number: number, Country: country, Way: way, Amount: parsed,
		Details: details, RequestedBy: "treasury",
	}
}

// until looks again and again until it sees what it waits for. An error of a
// look is a look in vain.
func until[T any](t *testing.T, b *testBundle, what string, look func(context.Context) (T, error), seen func(T) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(b.ctx, patience, errors.New("it takes too long"))
	defer cancel()
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for {
		saw, err := look(ctx)
		if err == nil && seen(saw) {
			return
		}
		select {
		case <-ctx.Done():
			require.FailNow(t, fmt.Sprintf("waiting for %s: %v; last seen: %+v (error: %v)", what, context.Cause(ctx), saw, err))
		case <-again.C:
		}
	}
}
