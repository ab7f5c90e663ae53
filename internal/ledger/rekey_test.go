package ledger

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

const (
	lineOne = "k1:1111111111111111111111111111111111111111111111111111111111111111" // that of testRing
	lineTwo = "k2:2222222222222222222222222222222222222222222222222222222222222222"
)

// with is the same ledger in a process with other data keys.
func (b *testBundle) with(t *testing.T, ring *vault.Ring) *testBundle {
	t.Helper()
	l, err := Open(t.Context(), b.url, SealWith(testKeys), EncryptWith(ring))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return &testBundle{Ledger: l, url: b.url}
}

// rekey wraps all keys, and returns the tables in which it did.
func (b *testBundle) rekey(t *testing.T) (done Rekeyed, tables []string) {
	t.Helper()
	done, err := b.Rekey(t.Context(), func(table string, _ int) { tables = append(tables, table) })
	require.NoError(t, err)
	return done, tables
}

func TestRekey(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		old := setup(t)
		require.NoError(t, old.UseDataKeys(t.Context()))
		key := plant(t, old)
		made, err := old.MakeCheckpoint(t.Context(), func(int) {})
		require.NoError(t, err)
		heads := withoutTable(old.heads(t), "chain /")

		b := old.with(t, parseRing(lineTwo, lineOne))
		require.NoError(t, b.UseDataKeys(t.Context()))
		done, tables := b.rekey(t)
		require.Equal(t, []string{"orders", "chains", "inbox", "adjustments", "discrepancies", "decisions", "stops"}, tables)
		require.Equal(t, []string{"k1"}, done.Retired)
		require.Equal(t, 9, done.Rows, "an order, a callback, an adjustment, a discrepancy, a decision, a stop, the chains of the merchant, of NOBODY and of the installation")
		require.NotContains(t, withoutTable(b.dump(t), "data_keys"), "k1:", "no key and no payee is under the old key")
		require.Equal(t, heads, withoutTable(b.heads(t), "chain /"), "the audit's chains are what they were")

		// The old key is not needed any more.
		after := b.with(t, parseRing(lineTwo))
		require.NoError(t, after.UseDataKeys(t.Context()))
		story, err := after.Story(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, plantedAccount, story.Order.Details["customerAccountNumber"])
		require.Equal(t, plantedText, story.Callbacks[0].Callback.FailReason)
		require.Equal(t, plantedText, story.Submissions[0].Reason.Text)
		require.Equal(t, plantedText, story.Discrepancies[0].ClosedWhy)
		adjustments, err := after.Adjustments(t.Context(), AdjustmentFilter{})
		require.NoError(t, err)
		require.Equal(t, plantedText, adjustments[0].DecidedWhy)
		require.Equal(t, plantedText, after.decision(t))
		after.clean(t)
		evidence := sealed
		checkpoint, err := testKeys.Public().Open([]byte(made.Note))
		require.NoError(t, err)
		evidence.Checkpoints = append(evidence.Checkpoints, checkpoint)
		report, err := after.VerifyAudit(t.Context(), evidence)
		require.NoError(t, err)
		require.Empty(t, report.Broken)
		require.Equal(t, made.Size, report.Covered)

		again, tables := after.rekey(t)
		require.Zero(t, again.Rows)
		require.Empty(t, tables)
		require.Equal(t, []string{"k1"}, again.Retired)
		entries, err := after.Audit(t.Context(), order.Key{})
		require.NoError(t, err)
		require.Len(t, entries, 3, "a stop, a restore, and the rekey once")
		require.Equal(t, ActionRekey, entries[2].Action)
		require.Equal(t, "retired all data keys but k2", entries[2].Evidence)
	})
}

// Why payouts were stopped by a worker without a data key is encrypted by Rekey. The audit's
// entries from before stay as they were hashed; no new one is in clear.
func TestRekeyEncryptsReasons(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		old := setup(t).with(t, nil)
		ended := old.stops(t, order.StopScope{Country: "VN"}, "amina", "")
		old.resumes(t, ended.ID, "amina", "")
		old.resumes(t, ended.ID, "bilal", "")
		old.stops(t, order.StopScope{All: true}, "amina", "")
		_, refusal, err := old.MarkRestored(t.Context(), who("amina", "disk of Ayesha lost"))
		require.NoError(t, err)
		require.Nil(t, refusal)
		before, heads := withoutTable(old.dump(t), "audit"), old.heads(t)
		require.Contains(t, before, "broken into")
		require.NotContains(t, before, "disk of Ayesha lost")

		b := old.with(t, testRing)
		require.NoError(t, b.UseDataKeys(t.Context()))
		done, _ := b.rekey(t)
		require.Equal(t, 2, done.Reasons)
		require.Zero(t, done.Rows, "they have the newest key at once")
		require.NotContains(t, withoutTable(b.dump(t), "audit"), "broken into")
		require.Equal(t, heads, b.heads(t), "the audit is what it was")
		stops, err := b.Stops(t.Context())
		require.NoError(t, err)
		require.Equal(t, "broken into", stops[0].Why)
		again, _ := b.rekey(t)
		require.Zero(t, again.Reasons)

		inClear := strings.Count(b.dump(t), "broken into") + strings.Count(b.dump(t), "all is well") + strings.Count(b.dump(t), "disk of Ayesha lost")
		require.Equal(t, 5, inClear, "entries that were hashed in clear: two stops, two who resumed, a restore")
		b.stops(t, order.StopScope{Merchant: merchant}, "amina", "")
		b.resumes(t, stops[0].ID, "amina", "")
		_, refusal, err = b.EndRestore(t.Context(), who("amina", "disk of Ayesha lost"))
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.Equal(t, inClear, strings.Count(b.dump(t), "broken into")+strings.Count(b.dump(t), "all is well")+strings.Count(b.dump(t), "disk of Ayesha lost"))
		require.ErrorContains(t, b.exec("UPDATE stops SET why = 'enc1.x', data_key = 'k1:x'"), "the content of a stop never changes", "it is encrypted once")
		b.clean(t)
	})
}

// heads is the head of every chain, a line each.
func (b *testBundle) heads(t *testing.T) string {
	t.Helper()
	var lines []string
	require.NoError(t, b.pool().Select(&lines, `
		SELECT 'chain ' || merchant || '/' || number || ' ' || entries FROM chains
		UNION ALL SELECT 'order ' || merchant || '/' || number || ' ' || audit_entries FROM orders ORDER BY 1`))
	return strings.Join(lines, "\n") + "\n"
}

// withoutTable leaves out the lines of a table.
func withoutTable(dump, table string) string {
	var kept strings.Builder
	for line := range strings.Lines(dump) {
		if !strings.HasPrefix(line, table) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// Limits and first payments know a payee that was hashed with a key that is gone.
func TestRekeyedPayees(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "100")
		open(t, b, r)
		submit(t, b, r.Key(), accepted)
		settle(t, b, r.Key(), paid("100", "2"))
		b.with(t, parseRing(lineTwo, lineOne)).rekey(t)

		after := b.with(t, parseRing(lineTwo))
		row, err := newOrderRow(request(order.Withdrawal, "W2", "100"))
		require.NoError(t, err)
		row.CreatedAt = after.current(t, r.Key()).CreatedAt.UnixMilli()
		var facts rules.Facts
		require.NoError(t, after.inTx(t.Context(), func(x tx) (err error) {
			facts, err = x.facts(t.Context(), row, booksState{}, rules.Needs{BeneficiaryDay: true, KnownBeneficiary: true})
			return err
		}))
		require.Equal(t, "100.00 PKR", facts.BeneficiaryDay.String())
		require.True(t, facts.KnownBeneficiary)
	})
}

// A process that still encrypts with a retired key writes nothing, and does not start.
func TestARetiredKeyEncryptsNothing(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		straggler := setup(t)
		straggler.books(t, "1000", "0")
		require.NoError(t, straggler.UseDataKeys(t.Context()))
		r := request(order.Withdrawal, "W1", "100")
		open(t, straggler, r)
		b := straggler.with(t, parseRing(lineTwo, lineOne))
		require.NoError(t, b.UseDataKeys(t.Context()))
		b.rekey(t)

		_, _, err := straggler.OpenOrder(t.Context(), request(order.Withdrawal, "W2", "100"), Terms{})
		require.ErrorContains(t, err, "this data key is retired")
		_, _, err = straggler.StoreCallback(t.Context(), callbackFor(r, "G1"), []byte("{}"), "", nil)
		require.ErrorContains(t, err, "this data key is retired")
		var fault *vault.Fault
		require.ErrorAs(t, b.with(t, parseRing(lineOne, lineTwo)).UseDataKeys(t.Context()), &fault)
		require.Equal(t, vault.CodeKeyRetired, fault.Code)
		open(t, b, request(order.Withdrawal, "W2", "100"))
		b.clean(t)
	})
}

// Rekey can be stopped, and goes on beside workers that write.
func TestRekeyBesideWorkers(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		old := setup(t)
		old.books(t, "100000", "0")
		require.NoError(t, old.UseDataKeys(t.Context()))
		const orders = 2*rekeyPage + 7
		for i := range orders {
			open(t, old, request(order.Withdrawal, fmt.Sprint("W", i), "1"))
		}
		b := old.with(t, parseRing(lineTwo, lineOne))
		require.NoError(t, b.UseDataKeys(t.Context()))
		stopped, stop := context.WithCancel(t.Context())
		done, err := b.Rekey(stopped, func(string, int) { stop() })
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, rekeyPage, done.Rows)
		require.Empty(t, done.Retired)

		worked := 0
		rest, err := b.Rekey(t.Context(), func(string, int) {
			key := order.Key{Merchant: merchant, Number: fmt.Sprint("W", worked)}
			submit(t, b, key, accepted)
			settle(t, b, key, paid("1", "0"))
			worked++
		})
		require.NoError(t, err)
		require.Equal(t, orders-rekeyPage+1, rest.Rows, "and the merchant's chain")
		require.Positive(t, worked)
		b.with(t, parseRing(lineTwo)).clean(t)
	})
}

// A row that does not decrypt holds no other up, and its key is still needed.
func TestRekeyNamesDamagedRows(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		require.NoError(t, b.UseDataKeys(t.Context()))
		for _, number := range []string{"W1", "W2", "W3"} {
			open(t, b, request(order.Withdrawal, number, "100"))
		}
		b.unguard(t)
		require.NoError(t, b.exec("UPDATE orders SET data_key = (SELECT data_key FROM orders WHERE number = 'W2') WHERE number = 'W1'"))
		both := b.with(t, parseRing(lineTwo, lineOne))
		require.NoError(t, both.UseDataKeys(t.Context()))
		_, err := both.Rekey(t.Context(), func(string, int) {})
		var fault *vault.Fault
		require.ErrorAs(t, err, &fault)
		require.Equal(t, vault.CodeDamaged, fault.Code)
		require.ErrorContains(t, err, "1 rows do not decrypt")
		var retired int
		require.NoError(t, b.pool().Get(&retired, "SELECT COUNT(*) FROM data_keys WHERE retired_at > 0"))
		require.Zero(t, retired)
		_, err = both.with(t, parseRing(lineTwo)).Order(t.Context(), order.Key{Merchant: merchant, Number: "W3"})
		require.NoError(t, err, "the rows after it have the newest key")
	})
}

func TestRekeyWithoutAKey(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		_, err := setup(t).with(t, nil).Rekey(t.Context(), func(string, int) {})
		var fault *vault.Fault
		require.ErrorAs(t, err, &fault)
		require.Equal(t, vault.CodeKeyMissing, fault.Code)
	})
}
