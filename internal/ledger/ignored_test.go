package ledger

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// What is ignored is on record once of its kind, whatever was said and however
// often; of an order that we do not have, of the installation.
func TestWhatIsIgnoredIsOnRecordOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		o := b.approvable(t, order.Withdrawal, "W1", "100", Terms{})
		for range 3 {
			for _, key := range []order.Key{o.Key(), {Merchant: "M9", Number: "a\x00b"}} {
				for _, code := range []string{codes.SignalUnknown, codes.SignalMalformed} {
					require.NoError(t, b.Ignore(t.Context(), key, order.Reason{Code: code, Text: "x\x00y"}))
				}
			}
		}
		for key, entries := range map[order.Key]int{o.Key(): 3, {}: 2} {
			trail, err := b.Audit(t.Context(), key)
			require.NoError(t, err)
			require.Len(t, trail, entries, key.String())
			last := trail[entries-1]
			require.Equal(t, ActionIgnore, last.Action)
			require.Equal(t, System, last.Actor)
			require.True(t, last.Refused)
		}
		b.clean(t)
	})
}

// A start that is no order is on record of the merchant once for its id and its
// reason, and is no order.
func TestARefusedStartIsOnRecordOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		long := order.Reason{Code: order.CodeInvalidRequest, Text: strings.Repeat("ü\x00", 5000)}
		for range 3 {
			require.NoError(t, b.RefuseStart(t.Context(), "M1", "order:M1:W-1", long))
			require.NoError(t, b.RefuseStart(t.Context(), "M1", "order:M1:W-2", long))
			require.NoError(t, b.RefuseStart(t.Context(), "", "any\x00thing", long))
		}
		for key, entries := range map[order.Key]int{{Merchant: "M1"}: 2, {}: 1} {
			trail, err := b.Audit(t.Context(), key)
			require.NoError(t, err)
			require.Len(t, trail, entries)
			require.Equal(t, ActionRefuseStart, trail[0].Action)
		}
		for end, want := range map[string][]string{":W-1": {"order:M1:W-1"}, ":w-1": nil, ":W_1": nil, "%": nil} {
			starts, err := b.RefusedStarts(t.Context(), end)
			require.NoError(t, err)
			var ids []string
			for _, start := range starts {
				require.False(t, start.At.IsZero())
				ids = append(ids, start.WorkflowID)
			}
			require.Equal(t, want, ids, end)
		}
		_, err := b.Order(t.Context(), order.Key{Merchant: "M1", Number: "W-1"})
		require.ErrorIs(t, err, ErrNotFound)
		b.clean(t)
	})
}
