package ledger

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/order"
)

// childURL tells a test binary that it is a child of
// TestProcessesShareOneLedger, and which ledger to write.
const childURL = "LEDGER_TEST_CHILD_URL"

// TestProcessesShareOneLedger starts real processes that migrate and write one
// database at once: the same forty withdrawals each, of which twenty-five are
// covered.
func TestProcessesShareOneLedger(t *testing.T) {
	t.Parallel()
	if url := os.Getenv(childURL); url != "" {
		writeAsChild(t, url)
		return
	}
	dbtest.Each(t, func(t *testing.T, url string) {
		children := make([]*exec.Cmd, 3)
		outputs := make([][]byte, len(children))
		failures := make([]error, len(children))
		together(len(children), func(i int) {
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessesShareOneLedger$", "-test.count=1")
			child.Env = append(os.Environ(), childURL+"="+url)
			outputs[i], failures[i] = child.CombinedOutput()
		})
		for i, failure := range failures {
			require.NoError(t, failure, string(outputs[i]))
		}
		b := migrated(t, url)
		require.Equal(t, map[Account]string{
			AccountOpening: "-250", AccountAvailable: "-25", AccountPaidOut: "250", AccountFees: "25",
		}, b.balances(t))
		b.clean(t)
	})
}

func writeAsChild(t *testing.T, url string) {
	b := migrated(t, url)
	b.books(t, "250", "0")
	for i := range 40 {
		r := request(order.Withdrawal, fmt.Sprint("W", i), "10")
		o, _, err := b.OpenOrder(t.Context(), r, Terms{})
		require.NoError(t, err)
		if o.State == order.Failed {
			continue
		}
		if s, err := begin(t.Context(), b, r.Key()); err == nil {
			_, err = b.CompleteSubmission(t.Context(), r.Key(), s.Attempt, Answer{Outcome: Accepted, GatewayID: "G" + r.Number})
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, ErrState)
		}
	}
	for i := range 40 {
		key := order.Key{Merchant: merchant, Number: fmt.Sprint("W", i)}
		_, err := b.Settle(t.Context(), key, paid("10", "1"))
		require.NoError(t, err)
	}
}
