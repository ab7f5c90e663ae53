package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

const stranger = "M9999999999" // neither the settings nor the ledger have it

// Whatever takes a merchant refuses one that nobody knows, and starts nothing.
func TestUnknownMerchant(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"reconcile"}, {"reconcile", "--merchant", merchant}, {"reconcile", "--transactions"}, {"balance"},
		{"list"}, {"discrepancies"}, {"adjust", "list"}, {"audit"},
	} {
		b := withLedger(t)
		got := b.run(t.Context(), append(args, "--merchant", stranger)...)
		assert.Equal(t, exitRefused, got.code, "%v: %s%s", args, got.out, got.errs)
		assert.Contains(t, got.errs, "merchant "+stranger+" is not known", args)
		assert.Contains(t, got.errs, "(UNKNOWN_MERCHANT)", args)
		assert.Empty(t, b.temporal.merchants, args)
		assert.Empty(t, b.temporal.span.Merchants, args)

		require.NoError(t, b.real.RecordKnown(t.Context(), ledger.Known{Merchants: map[string]string{stranger: "PK"}}))
		got = b.run(t.Context(), append(args, "--merchant", stranger)...)
		assert.Zero(t, got.code, "%v of a merchant of another worker: %s%s", args, got.out, got.errs)
	}
}

// Without a ledger here, the worker says that nobody knows a merchant.
func TestUnknownMerchantByReport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.temporal.report = contract.ReconcileBalancesResult{Unreachable: []string{stranger}, Unknown: []string{stranger}}
	got := b.run(t.Context(), "reconcile", "--merchant", stranger)
	assert.Equal(t, exitRefused, got.code)
	assert.Contains(t, got.errs, "(UNKNOWN_MERCHANT)")
}

// withLedger is a bundle with a ledger of its own.
func withLedger(t *testing.T) *testBundle {
	t.Helper()
	b := setup(t)
	opened, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	require.NoError(t, opened.Migrate(t.Context()))
	b.real, b.ledgerErr = opened, nil
	return b
}
