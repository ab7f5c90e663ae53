package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// statementLines is the number of lines of the statement. Each is of an order that we do
// not have, so that each opens a discrepancy.
const statementLines = 3000

// TestStatement imports a statement with a login that reads only. The worker is killed
// while the lines are compared. Another attempt begins a minute later, when the heartbeat
// is missed, and each difference is found once.
func TestStatement(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, databaseURL string) {
		h := enter(t, options{Options: stack.Options{DatabaseURL: databaseURL}})
		merchant := h.Merchant("PK")
		require.Equal(t, exitDone, h.starter(t, "reconcile", "--merchant", merchant).exit, "it opens the books")
		path := filepath.Join(t.TempDir(), "statement.csv")
		require.NoError(t, os.WriteFile(path, []byte(statementOf(merchant)), 0o600))
		got := h.starter(t, "statement", "import", path, "--merchant", merchant)
		require.Equal(t, exitDone, got.exit, got.err+got.out)
		var document struct{ Statement payouts.Statement }
		require.NoError(t, json.Unmarshal([]byte(got.out), &document))
		until(t, h, "some lines to be compared", func(ctx context.Context) (ledger.StatementRecord, error) {
			return h.books.Statement(ctx, document.Statement.ID)
		}, func(s ledger.StatementRecord) bool { return s.Matched > 0 })
		require.NoError(t, h.Kill(stack.Worker))
		require.NoError(t, h.Launch(h.ctx, stack.Worker))
		got = h.starter(t, "statement", "import", path, "--merchant", merchant, "--wait")
		require.Equal(t, exitDone, got.exit, got.err+got.out)
		require.NoError(t, json.Unmarshal([]byte(got.out), &document))
		require.Equal(t, []any{order.StatementMatched, statementLines, true}, []any{document.Statement.State, document.Statement.Matched, document.Statement.Existing})

		found := make(map[string]int)
		for before := int64(0); ; {
			page, err := h.books.Discrepancies(h.ctx, ledger.DiscrepancyFilter{Merchant: merchant, Code: codes.DiscrepancyNoOrder, Before: before, Limit: ledger.MaxPage})
			require.NoError(t, err)
			for _, d := range page {
				found[d.Key.Number]++
				before = d.ID
			}
			if len(page) < ledger.MaxPage {
				break
			}
		}
		require.Len(t, found, statementLines)
		for number, times := range found {
			require.Equal(t, 1, times, number)
		}
		verified := h.starter(t, "audit", "--verify")
		require.Equal(t, exitDone, verified.exit, verified.out)
	})
}

// statementOf is a statement by the names of the profile gateway.
func statementOf(merchant string) string {
	var text strings.Builder
	text.WriteString("mchNo,payOrderId,mchOrderNo,bizType,state,currency,orderAmount,amount,mchFeeAmount,createdAt\n")
	at := time.Now().Add(time.Minute).Unix() // the books are younger than a second
	for i := range statementLines {
		fmt.Fprintf(&text, "%s,PX%d,X%d,1,3,PKR,100,100,0,%d\n", merchant, i, i, at)
	}
	return text.String()
}

// TestStatementOfAnOpenOrder imports a line that says that an order was paid, while its
// workflow waits an hour for a callback that never comes. The workflow asks the gateway, and
// its answer ends the order.
func TestStatementOfAnOpenOrder(t *testing.T) {
	t.Parallel()
	h := enter(t, options{Options: stack.Options{Settings: map[string]string{"PAYOUTS_CALLBACK_GRACE": "1h"}}})
	merchant := h.Merchant("PK")
	paid := h.withdrawal(t, "PK", "silent-success", succeeds)
	h.stands(t, order.Submitted, paid)
	path := filepath.Join(t.TempDir(), "statement.csv")
	line := fmt.Sprintf("%s,,%s,2,2,PKR,1,1,0,%d\n", merchant, paid.request.Number, time.Now().Unix())
	require.NoError(t, os.WriteFile(path, []byte("mchNo,payOrderId,mchOrderNo,bizType,state,currency,orderAmount,amount,mchFeeAmount,createdAt\n"+line), 0o600))
	got := h.starter(t, "statement", "import", path, "--merchant", merchant, "--wait")
	require.Equal(t, exitDone, got.exit, got.err+got.out)
	h.ended(t, paid)
	entries, err := h.books.Audit(h.ctx, paid.request.Key())
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(entries, func(e ledger.AuditEntry) bool { return e.Action == ledger.ActionPoll }), entries)
}
