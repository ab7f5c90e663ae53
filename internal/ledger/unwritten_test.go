package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

func TestUnwritten(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		var keys, want []order.Key
		for i := range 2*keysPerQuery + 1 {
			key := order.Key{Merchant: merchant, Number: fmt.Sprint("W", i)}
			keys = append(keys, key)
			if i%90 == 0 {
				open(t, b, request(order.Withdrawal, key.Number, "10"))
			} else {
				want = append(want, key)
			}
		}
		keys = append(keys, order.Key{Merchant: "M2", Number: "W0"}) // another merchant's
		want = append(want, order.Key{Merchant: "M2", Number: "W0"})
		have, err := b.Unwritten(t.Context(), keys)
		require.NoError(t, err)
		require.Equal(t, want, have)
		none, err := b.Unwritten(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

func TestWorkflowsCompared(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
		for _, step := range []struct{ mark, want time.Time }{
			{at, at}, {at.Add(time.Hour), at.Add(time.Hour)}, {at, at.Add(time.Hour)},
		} {
			require.NoError(t, b.MarkWorkflowsCompared(t.Context(), step.mark))
			upTo, err := b.WorkflowsCompared(t.Context())
			require.NoError(t, err)
			require.Equal(t, step.want, upTo.UTC())
		}
	})
}
