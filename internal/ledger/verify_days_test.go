package ledger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Every column of a closed day that is changed by hand is found, and so is a day that is
// taken out, or put in.
func TestVerifyFindsChangedClosedDays(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		threeDays(t, b)
		b.closes(t, "2026-03-10", "amina", "")
		signed := b.with(t, testRing)
		signed.SetAuthority(proves{})
		signed.closes(t, "2026-03-11", "amina", "")
		b.closes(t, "2026-03-12", "amina", "")
		require.NotEmpty(t, b.closed(t, "2026-03-11").Proof)
		b.clean(t) // without the key of the signature in the audit
		b.unguard(t)
		found := func() (details []string) {
			v, err := signed.Verify(t.Context())
			require.NoError(t, err)
			for _, violation := range v.Violations {
				require.Equal(t, verify.BrokenClosedDay, violation.Code)
				details = append(details, violation.Detail)
			}
			return details
		}
		const middle = "day IN ('2026-03-11', '2026-03-19')"
		for _, changed := range []struct{ column, value, found string }{
			{"merchant", "'M9'", "merchant, previous, closing in the audit"},
			{"currency", "'VND'", "currency, previous, closing in the audit"},
			{"day", "'2026-03-19'", "day, closing in the audit"},
			{"zone", "'Asia/Dhaka'", "zone, closing in the audit"},
			{"begins", "begins + 1", "begins"},
			{"ends", "ends - 1", "ends"},
			{"figures", "replace(figures, '\"count\":1', '\"count\":2')", "hash"},
			{"figures", "substr(figures, 2)", "figures"},
			{"hash", "replace(hash, substr(hash, 1, 1), 'g')", "hash, closing in the audit"},
			{"previous", "replace(previous, substr(previous, 1, 1), 'g')", "previous"},
			{"closed_by", "'bilal'", "closing in the audit"},
			{"closed_at", "closed_at + 1", "closing in the audit"},
			{"proof", "'{}'", "closing in the audit"},
		} {
			require.NoError(t, b.exec("CREATE TABLE kept AS SELECT * FROM closed_days"))
			require.NoError(t, b.exec(fmt.Sprintf("UPDATE closed_days SET %s = %s WHERE %s", changed.column, changed.value, middle)))
			require.Contains(t, strings.Join(found(), "\n")+"\n", "these differ: "+changed.found+"\n", changed.column)
			require.NoError(t, b.exec("DELETE FROM closed_days"))
			require.NoError(t, b.exec("INSERT INTO closed_days SELECT * FROM kept"))
			require.NoError(t, b.exec("DROP TABLE kept"))
			require.Empty(t, found())
		}

		// A day that is taken out with those after it leaves its closing in the audit.
		hash := b.closed(t, "2026-03-12").Hash
		require.NoError(t, b.exec("DELETE FROM closed_days WHERE day = '2026-03-12'"))
		require.Equal(t, []string{"day 2026-03-12: PKR in Asia/Karachi, figures " + hash + ", says the audit, and there is no such closed day"}, found())
		// A day and its hash together are not what the transfers give, nor what the audit has.
		figures := b.closed(t, "2026-03-10").Figures
		other := strings.Replace(figures, `"value":"1098.00"`, `"value":"1099.00"`, 1)
		require.NotEqual(t, figures, other)
		require.NoError(t, b.exec("UPDATE closed_days SET figures = replace(figures, '1098.00', '1099.00'), hash = '"+hashOf(other)+"' WHERE day = '2026-03-10'"))
		require.Contains(t, found(), "of closed day 2026-03-10, these differ: closing, closing in the audit")
	})
}

// closed reads the row of a closed day.
func (b *testBundle) closed(t *testing.T, day order.Date) (row closedRow) {
	t.Helper()
	require.NoError(t, b.db.Get(t.Context(), &row, "SELECT "+closedColumns+" FROM closed_days WHERE day = ?", string(day)))
	return row
}

// A transfer that is put into a closed day is found.
func TestVerifyTiesClosedDaysToTransfers(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		threeDays(t, b)
		b.closes(t, "2026-03-10", "amina", "")
		b.clean(t)
		b.unguard(t)
		require.NoError(t, b.exec("UPDATE transfers SET amount = amount + 1 WHERE reason = 'reserve'"))
		v, err := b.Verify(t.Context())
		require.NoError(t, err)
		require.Contains(t, v.Violations, verify.Violation{
			Code: verify.BrokenClosedDay, Key: order.Key{Merchant: merchant}, Currency: "PKR",
			Detail: "of closed day 2026-03-10, these differ: movements, accounts",
		})
	})
}
