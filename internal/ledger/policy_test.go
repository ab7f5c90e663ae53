package ledger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// The installation's own chain says which rules were in force from when on, and
// which ones were not let in.
func TestRecordPolicy(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		contradiction := order.Refuse("POLICY_INVALID", "approve_above is above refuse_above")
		record := func(id string, refusal *order.Refusal, want ...string) {
			t.Helper()
			for range 3 { // a worker that is restarted
				require.NoError(t, b.RecordPolicy(t.Context(), id, refusal))
			}
			entries, err := b.Audit(t.Context(), order.Key{})
			require.NoError(t, err)
			lines := make([]string, len(entries))
			for i, e := range entries {
				require.Equal(t, order.Key{}, e.Key)
				require.Equal(t, FromConfiguration, e.Source)
				lines[i] = e.Actor + " " + string(e.Action) + " " + e.Evidence + " " + e.Reason.Code
				if e.Refused {
					lines[i] += " refused: " + e.Reason.Text
				}
			}
			require.Equal(t, want, lines)
		}
		one, two := "system policy one ", "system policy two "
		not := "system policy two POLICY_INVALID refused: approve_above is above refuse_above"
		record("one", nil, one)
		record("two", contradiction, one, not)
		record("two", order.Refuse("POLICY_INVALID", "another one"), one, not, "system policy two POLICY_INVALID refused: another one")
		record("two", nil, one, not, "system policy two POLICY_INVALID refused: another one", two)
		record("one", nil, one, not, "system policy two POLICY_INVALID refused: another one", two, one)
		record("", nil, one, not, "system policy two POLICY_INVALID refused: another one", two, one, "system policy  ")

		report, err := b.VerifyAudit(t.Context(), sealed)
		require.NoError(t, err)
		require.Equal(t, AuditReport{Orders: 1, Entries: 6}, report)
		b.unguard(t)
		require.NoError(t, b.exec("UPDATE audit SET evidence = 'two' WHERE seq = 1"))
		report, err = b.VerifyAudit(t.Context(), sealed)
		require.NoError(t, err)
		require.Len(t, report.Broken, 1)
		require.Equal(t, order.Key{}, report.Broken[0].Key)
	})
}

func TestManyWorkersRecordOnePolicy(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for round := range 5 {
			together(20, func(int) {
				if err := b.RecordPolicy(background, fmt.Sprint("policy ", round), nil); err != nil {
					panic(err)
				}
			})
			entries, err := b.Audit(t.Context(), order.Key{})
			require.NoError(t, err)
			require.Len(t, entries, round+1)
		}
		b.clean(t)
	})
}
