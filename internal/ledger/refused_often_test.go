package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Who is refused the same again and again is answered each time and fills no
// audit; others are heard, and so is the same person an hour later.
func TestTheSameRefusalIsWrittenDownSoOften(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		b.books(t, "1000", "0")
		o := b.approvable(t, order.Withdrawal, "N-1", "100", Terms{})
		missing := order.Key{Merchant: merchant, Number: "NOBODY-HAS-IT"}
		ask := func(by string, times int) {
			t.Helper()
			for range times {
				_, refusal, err := b.Approve(t.Context(), o.Key(), order.Approval{By: by, Fingerprint: strings.Repeat("0", 64)})
				require.NoError(t, err)
				require.Equal(t, codes.FingerprintMismatch, refusal.Code)
				_, refusal, err = b.Note(t.Context(), missing, order.Note{By: by, Text: "hello"})
				require.NoError(t, err)
				require.Equal(t, order.CodeOrderNotFound, refusal.Code)
				_, adjusting, err := b.RejectAdjustment(t.Context(), merchant, "A-1", who(by, "no"))
				require.NoError(t, err)
				require.Equal(t, CodeAdjustmentNotFound, adjusting.Code)
			}
		}
		refused := func(key order.Key) int {
			t.Helper()
			n := 0
			for _, line := range b.trail(t, key) {
				if strings.Contains(line, "refused") {
					n++
				}
			}
			return n
		}
		keys := []order.Key{o.Key(), missing, {Merchant: merchant}}
		ask("amina", sameRefusals+5)
		for _, key := range keys {
			require.Equal(t, sameRefusals, refused(key), key)
		}
		ask("bashir", 1)
		now = now.Add(refusalPeriod)
		ask("amina", 1)
		for _, key := range keys {
			require.Equal(t, sameRefusals+2, refused(key), key)
		}
		approved, refusal, err := b.Approve(t.Context(), o.Key(), approval(o))
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.Equal(t, order.Reserved, approved.State)
		b.clean(t)
	})
}

// A text that is longer than it may be is refused at the ledger, too, and not cut.
func TestTheLedgerRefusesLongTexts(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		o := b.openOn(t, Terms{}, request(order.Withdrawal, "N-1", "100"))
		long := strings.Repeat("x", order.MaxText+1)
		_, refusal, err := b.Note(t.Context(), o.Key(), order.Note{By: "amina", Text: long})
		require.NoError(t, err)
		require.Equal(t, order.CodeTextTooLong, refusal.Code)
		for _, a := range []Adjustment{
			{By: strings.Repeat("x", order.MaxName+1), Why: "why", Evidence: "slip"}, {By: "amina", Why: long, Evidence: "slip"}, {By: "amina", Why: "why", Evidence: long},
		} {
			a.Merchant, a.Ref, a.Kind, a.Amount = merchant, "A-1", AdjustTopUp, pkr("1")
			_, refusal, err := b.ProposeAdjustment(t.Context(), a)
			require.NoError(t, err)
			require.Equal(t, order.CodeTextTooLong, refusal.Code)
		}
		require.NoError(t, b.OpenDiscrepancy(t.Context(), o.Key(), codes.DiscrepancyAmount, "differs"))
		found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{})
		require.NoError(t, err)
		_, refusal, err = b.CloseDiscrepancy(t.Context(), found[0].ID, who("amina", long))
		require.NoError(t, err)
		require.Equal(t, order.CodeTextTooLong, refusal.Code)
		b.clean(t)
	})
}
