package ledger

import (
	"fmt"
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

// Whoever is refused under ever new names and with ever new texts does not fill the audit
// of an order. What is not audited is counted, and the count is audited when it doubles.
// Other codes, and actions with a verified signature, are audited as before.
func TestRefusalsOfACodeAreBounded(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		o := b.approvable(t, order.Withdrawal, "N-1", "100", Terms{})
		approve := func(l *Ledger, by, why string) {
			t.Helper()
			_, refusal, err := l.Approve(t.Context(), o.Key(), order.Approval{By: by, Why: why, Fingerprint: strings.Repeat("0", 64)})
			require.NoError(t, err)
			require.Equal(t, codes.FingerprintMismatch, refusal.Code)
			require.NotContains(t, refusal.Text, "most of which", "who is refused is told why, and nothing else")
		}
		for i := range 4*mostRefusals + 50 {
			approve(b.Ledger, fmt.Sprint("name ", i), fmt.Sprint("reason ", i))
		}
		refused := b.refusals(t, o.Key(), codes.FingerprintMismatch)
		require.Len(t, refused, mostRefusals+2)
		require.Equal(t, "name 99", refused[mostRefusals-1].Actor)
		for i, number := range []int{2 * mostRefusals, 4 * mostRefusals} {
			entry := refused[mostRefusals+i]
			require.Equal(t, fmt.Sprint("name ", number-1), entry.Actor)
			require.Contains(t, entry.Reason.Text, fmt.Sprintf("refusal %d with this code, most of which are not audited: ", number))
		}
		var times int
		require.NoError(t, b.pool().Get(&times, "SELECT times FROM refusal_counts WHERE number = 'N-1'"))
		require.Equal(t, 4*mostRefusals+50, times)

		_, refusal, err := b.Reject(t.Context(), o.Key(), order.Rejection{By: "mallory"})
		require.NoError(t, err)
		require.Equal(t, order.CodeWhyMissing, refusal.Code)
		require.Len(t, b.refusals(t, o.Key(), order.CodeWhyMissing), 1)
		signed := b.with(t, testRing)
		signed.SetAuthority(proves{})
		approve(signed.Ledger, "amina", "signed")
		refused = b.refusals(t, o.Key(), codes.FingerprintMismatch)
		require.Equal(t, "amina", refused[len(refused)-1].Actor)
		require.Contains(t, refused[len(refused)-1].Envelope, plantedText)
		for _, statement := range []string{
			"UPDATE refusal_counts SET times = 1", "UPDATE refusal_counts SET since = since + 1, times = 1", "UPDATE refusal_counts SET code = 'X', times = times + 1",
			"DELETE FROM refusal_counts",
		} {
			require.ErrorContains(t, b.exec(statement), "refusals are counted one by one", statement)
		}
		b.clean(t)
	})
}

// Whoever invents order numbers and merchants makes no chains without a bound. The next day
// is counted anew.
func TestRefusalsAboutNothingAreBounded(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		b.books(t, "1000", "0")
		note := func(merchant, number string) {
			t.Helper()
			_, refusal, err := b.Note(t.Context(), order.Key{Merchant: merchant, Number: number}, order.Note{By: "mallory", Text: "hello " + number})
			require.NoError(t, err)
			require.Equal(t, order.CodeOrderNotFound, refusal.Code)
		}
		count := func(query string) (found int) {
			t.Helper()
			require.NoError(t, b.pool().Get(&found, query))
			return found
		}
		for i := range 3 * mostRefusals {
			note(merchant, fmt.Sprint("NO-", i))
			note(fmt.Sprint("M-", i), "NO-1")
		}
		const refused, chains = "SELECT COUNT(*) FROM audit WHERE outcome = 'refused'", "SELECT COUNT(*) FROM chains"
		require.Equal(t, 2*(mostRefusals+1), count(refused))
		before := count(chains)
		require.LessOrEqual(t, before, 2*(mostRefusals+1)+1)
		require.Equal(t, 2, count("SELECT COUNT(*) FROM refusal_counts"))
		note(merchant, "NO-LAST")
		require.Equal(t, before, count(chains))

		now = now.Add(refusalDay)
		note(merchant, "NO-LAST")
		require.Equal(t, 2*(mostRefusals+1)+1, count(refused))
		require.Len(t, b.refusals(t, order.Key{Merchant: merchant, Number: "NO-LAST"}, order.CodeOrderNotFound), 1)
		b.clean(t)
	})
}

// refusals are the audited refusals with a code.
func (b *testBundle) refusals(t *testing.T, key order.Key, code string) (found []AuditEntry) {
	t.Helper()
	entries, err := b.Audit(t.Context(), key)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Refused && e.Reason.Code == code {
			found = append(found, e)
		}
	}
	return found
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

// Whoever starts workflows without a valid order, under ever new ids and for ever new
// merchants, does not fill the audit, and does not hide what people are refused.
func TestRefusedStartsAreBounded(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return now })
		b.books(t, "1000", "0")
		const code = CodeAdjustmentNotFound // one that people are refused with, too
		refuse := func(merchant string, i int) {
			t.Helper()
			id := fmt.Sprintf("order:%s:W-%d", merchant, i)
			require.NoError(t, b.RefuseStart(t.Context(), merchant, id, order.Reason{Code: code, Text: fmt.Sprint("text ", i)}))
		}
		for i := range 2*mostRefusals + 50 {
			refuse(merchant, i)
			refuse(fmt.Sprint("INVENTED-", i), i)
		}
		refuse(merchant, 0) // it is on record, and not counted again
		entries := b.refusals(t, order.Key{Merchant: merchant}, code)
		require.Len(t, entries, mostRefusals+1)
		require.Equal(t, "workflow order:"+merchant+":W-99", entries[mostRefusals-1].Evidence)
		require.Equal(t, "workflow order:"+merchant+":W-199", entries[mostRefusals].Evidence)
		require.Equal(t, "refusal 200 with this code, most of which are not audited: text 199", entries[mostRefusals].Reason.Text)
		var times []int
		require.NoError(t, b.pool().Select(&times, "SELECT times FROM refusal_counts WHERE code = 'refuse_start ' || '"+code+"'"))
		require.Equal(t, []int{2*mostRefusals + 50, 2*mostRefusals + 50}, times, "of the merchant, and of all that are not in the ledger")
		var chains int
		require.NoError(t, b.pool().Get(&chains, "SELECT COUNT(*) FROM chains WHERE merchant LIKE 'INVENTED-%'"))
		require.Equal(t, mostRefusals+1, chains)

		_, refusal, err := b.RejectAdjustment(t.Context(), merchant, "A-1", who("amina", "no"))
		require.NoError(t, err)
		require.Equal(t, code, refusal.Code)
		entries = b.refusals(t, order.Key{Merchant: merchant}, code)
		require.Equal(t, "amina", entries[len(entries)-1].Actor)
		now = now.Add(refusalDay)
		refuse(merchant, 1000)
		require.Len(t, b.refusals(t, order.Key{Merchant: merchant}, code), mostRefusals+3, "the next day is counted anew")
		b.clean(t)
	})
}
