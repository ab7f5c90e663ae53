package ledger

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

const retention = 90 * 24 * time.Hour

// endPlanted ends the order of plant and handles its callback. An audit entry from
// before the order is in a chain of its own.
func endPlanted(t *testing.T, b *testBundle) order.Key {
	t.Helper()
	_, refusal, err := b.Note(t.Context(), order.Key{Merchant: merchant, Number: "W1"}, order.Note{ID: "n0", By: "amina", Text: plantedText})
	require.NoError(t, err)
	require.NotNil(t, refusal, "there is no such order yet")
	key := plant(t, b)
	second := resolution("bilal", order.Succeeded)
	second.Why, second.Evidence = plantedText, plantedText
	_, refusal, _, err = b.Resolve(t.Context(), key, second, true)
	require.NoError(t, err)
	require.Nil(t, refusal)
	b.handled(t, key)
	return key
}

// handled marks the order's callbacks as done.
func (b *testBundle) handled(t *testing.T, key order.Key) {
	t.Helper()
	entries, err := b.Callbacks(t.Context(), key)
	require.NoError(t, err)
	for _, e := range entries {
		require.NoError(t, b.MarkCallback(t.Context(), e.ID, Done))
	}
}

// later is the same ledger in a process that erases, after the retention. kept are the
// erasures that it keeps.
func (b *testBundle) later(t *testing.T) (after *testBundle, kept *[]Erasure) {
	t.Helper()
	after, kept = b.with(t, testRing), new([]Erasure)
	after.SetClock(func() time.Time { return time.Now().Add(retention + time.Hour) })
	after.SetErasing(Erasing{Retention: retention, Record: func(e Erasure) error {
		*kept = append(*kept, e)
		return nil
	}})
	return after, kept
}

// erase erases an order as amina.
func (b *testBundle) erase(t *testing.T, key order.Key) ErasedOrder {
	t.Helper()
	done, refusal, err := b.EraseOrder(t.Context(), key, who("amina", "retention is over"))
	require.NoError(t, err)
	require.Nil(t, refusal)
	return done
}

func TestErase(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		key := endPlanted(t, b)
		made, err := b.MakeCheckpoint(t.Context(), func(int) {})
		require.NoError(t, err)
		var copied string
		require.NoError(t, b.pool().Get(&copied, "SELECT data_key FROM orders"))

		after, kept := b.later(t)
		done := after.erase(t, key)
		require.Equal(t, order.Succeeded, done.State)
		require.Equal(t, key, done.Key)

		story, err := after.Story(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, Erased, story.Order.Hidden)
		require.Equal(t, order.Succeeded, story.Order.State)
		require.Equal(t, pkr("100"), story.Order.Amount)
		require.Empty(t, story.Order.Details)
		require.Empty(t, story.Order.Fingerprint)
		require.Equal(t, Erased, story.Callbacks[0].Hidden)
		require.False(t, story.Callbacks[0].Damaged())
		require.Equal(t, Erased, story.Submissions[0].Reason.Text)
		require.Equal(t, Erased, story.Discrepancies[0].ClosedWhy)
		entries, err := after.Audit(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, ActionNote, entries[0].Action, "of the time before the order")
		require.Equal(t, Erased, entries[0].Reason.Text)
		require.Equal(t, ActionOpen, entries[1].Action)
		require.Equal(t, Erased, entries[1].Evidence)
		last := entries[len(entries)-1]
		require.Equal(t, ActionErase, last.Action)
		require.Equal(t, "amina: retention is over", last.Actor+": "+last.Reason.Text)
		require.Len(t, *kept, 1)
		require.Equal(t, last.Hash, (*kept)[0].Entry)
		require.Equal(t, []string{key.Merchant, key.Number}, []string{(*kept)[0].Merchant, (*kept)[0].Number})
		require.True(t, done.At.Equal((*kept)[0].At))

		// Not one row of it decrypts with what the database and the file of keys have.
		var unread int
		require.NoError(t, b.pool().Get(&unread, "SELECT COUNT(*) FROM inbox WHERE data_key <> ''"))
		require.Zero(t, unread)
		require.NoError(t, b.pool().Get(&unread, "SELECT COUNT(*) FROM orders WHERE beneficiary <> ''"))
		require.Zero(t, unread)
		require.Equal(t, 0, strings.Count(b.dump(t), copied))

		// The audit, its seals, and a checkpoint from before are whole.
		checkpoint, err := testKeys.Public().Open([]byte(made.Note))
		require.NoError(t, err)
		evidence := sealed
		evidence.Checkpoints = append(evidence.Checkpoints, checkpoint)
		report, err := after.VerifyAudit(t.Context(), evidence)
		require.NoError(t, err)
		require.Empty(t, report.Broken)
		require.Equal(t, made.Size, report.Covered)
		require.Positive(t, report.Hidden)
		_, err = after.MakeCheckpoint(t.Context(), func(int) {})
		require.NoError(t, err)
		proofs, err := after.ProveAudit(t.Context(), key)
		require.NoError(t, err)
		require.Len(t, proofs.Entries, len(entries))
		after.clean(t)

		// A copy of the database from before still reads, with the data keys of today.
		b.unguard(t)
		require.NoError(t, b.exec("UPDATE orders SET data_key = ?, erased_at = 0", copied))
		require.Equal(t, plantedAccount, b.current(t, key).Details["customerAccountNumber"])
	})
}

// An erased number is never paid again, and its payee is unknown.
func TestErasedNumbersStayUsed(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "100")
		open(t, b, r)
		submit(t, b, r.Key(), accepted)
		settle(t, b, r.Key(), paid("100", "2"))
		booked := b.balances(t)
		after, _ := b.later(t)
		after.erase(t, r.Key())

		other := request(order.Withdrawal, "W1", "101")
		for want, again := range map[Opening]order.Request{Gone: r, Conflict: other} {
			stands, opening, err := after.OpenOrder(t.Context(), again, Terms{})
			require.NoError(t, err)
			require.Equal(t, want, opening)
			require.Equal(t, order.Succeeded, stands.State)
			_, opening, err = after.FindOrder(t.Context(), again)
			require.NoError(t, err)
			require.Equal(t, want, opening)
		}
		require.Equal(t, booked, after.balances(t))
		_, err := begin(t.Context(), after, r.Key())
		require.ErrorIs(t, err, ErrState)

		row, err := newOrderRow(request(order.Withdrawal, "W2", "100"))
		require.NoError(t, err)
		var facts rules.Facts
		require.NoError(t, after.inTx(t.Context(), func(x tx) (err error) {
			facts, err = x.facts(t.Context(), row, booksState{}, rules.Needs{KnownBeneficiary: true})
			return err
		}))
		require.False(t, facts.KnownBeneficiary, "the next payment is a first payment again")
		after.clean(t)
	})
}

// A refund, and a callback, of an erased order are booked. What they bring is erased by
// another erasure.
func TestNewsOfAnErasedOrder(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "100")
		key := r.Key()
		open(t, b, r)
		submit(t, b, key, accepted)
		settle(t, b, key, paid("100", "2"))
		after, kept := b.later(t)
		after.erase(t, key)

		c := callbackFor(r, "P1")
		c.State, c.FailReason = 5, plantedText
		id, fresh, err := after.StoreCallback(t.Context(), c, []byte(plantedName), "", nil)
		require.NoError(t, err)
		require.True(t, fresh)
		settle(t, after, key, rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned})
		require.Equal(t, order.Refunded, after.current(t, key).State)
		require.Contains(t, strings.Join(after.transfers(t, key), "\n"), "100.00")
		require.NoError(t, after.MarkCallback(t.Context(), id, Done))
		_, refusal, err := after.Note(t.Context(), key, order.Note{ID: "n1", By: "amina", Text: plantedText})
		require.NoError(t, err)
		require.Nil(t, refusal)
		after.clean(t)
		require.NotContains(t, b.dump(t), plantedText)
		entries, err := after.Audit(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, plantedText, entries[len(entries)-1].Reason.Text)

		_, refusal, err = after.EraseOrder(t.Context(), key, who("amina", "again"))
		require.NoError(t, err)
		require.Equal(t, CodeEraseEarly, refusal.Code, "the refund is new")
		after.SetClock(func() time.Time { return time.Now().Add(2*retention + 2*time.Hour) })
		after.erase(t, key)
		require.Len(t, *kept, 2)
		entries, err = after.Audit(t.Context(), key)
		require.NoError(t, err)
		for _, e := range entries[:len(entries)-1] {
			require.NotEqual(t, plantedText, e.Reason.Text)
		}
		callbacks, err := after.Callbacks(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, Erased, callbacks[0].Hidden)
		after.clean(t)
	})
}

func TestEraseRefuses(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "10000", "0")
		after, kept := b.later(t)
		ended := func(number string) order.Key {
			r := request(order.Withdrawal, number, "100")
			open(t, b, r)
			submit(t, b, r.Key(), accepted)
			settle(t, b, r.Key(), paid("100", "2"))
			return r.Key()
		}
		refuses := func(l *testBundle, code, says string, key order.Key, by order.Who) {
			t.Helper()
			before := b.dumpKeys(t)
			_, refusal, err := l.EraseOrder(t.Context(), key, by)
			require.NoError(t, err)
			require.NotNil(t, refusal)
			require.Equal(t, code, refusal.Code)
			require.Contains(t, refusal.Text, says)
			require.Equal(t, before, b.dumpKeys(t), "nothing was erased")
			entries, err := l.Audit(t.Context(), key)
			require.NoError(t, err)
			require.True(t, entries[len(entries)-1].Refused)
			require.Equal(t, code, entries[len(entries)-1].Reason.Code)
		}
		amina := who("amina", "retention is over")

		refuses(after, order.CodeOrderNotFound, "no order", order.Key{Merchant: merchant, Number: "NONE"}, amina)
		running := request(order.Withdrawal, "OPEN", "100")
		open(t, b, running)
		refuses(after, CodeEraseOpen, "is reserved", running.Key(), amina)
		key := ended("W1")
		refuses(after, order.CodeWhoMissing, "says who", key, who("", "w"))
		refuses(after, order.CodeWhyMissing, "says why", key, who("amina", " "))

		early := b.with(t, testRing)
		early.SetErasing(Erasing{Retention: retention, Record: func(Erasure) error { return nil }})
		refuses(early, CodeEraseEarly, "it may be erased from ", key, amina)
		refuses(b, CodeEraseNotSet, "PAYOUTS_ERASURES_FILE", key, amina)

		require.NoError(t, b.OpenDiscrepancy(t.Context(), key, "X", "x"))
		refuses(after, CodeEraseOpen, "1 open discrepancies", key, amina)
		found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Number: "W1"})
		require.NoError(t, err)
		_, refusal, err := b.CloseDiscrepancy(t.Context(), found[0].ID, who("amina", "w"))
		require.NoError(t, err)
		require.Nil(t, refusal)

		_, _, err = b.StoreCallback(t.Context(), callbackFor(request(order.Withdrawal, "W1", "100"), "P1"), []byte("{}"), "", nil)
		require.NoError(t, err)
		refuses(after, CodeEraseOpen, "1 callbacks", key, amina)
		b.handled(t, key)

		copied := *after.Ledger
		copied.erasing.Copies = func(_ context.Context, asked order.Key, last, now time.Time) *order.Refusal {
			require.Equal(t, key, asked)
			require.WithinDuration(t, time.Now(), last, time.Hour, "when amina closed the discrepancy")
			require.WithinDuration(t, time.Now().Add(retention+time.Hour), now, time.Hour)
			return order.Refuse(CodeEraseCopy, "a run")
		}
		refuses(&testBundle{Ledger: &copied, url: b.url}, CodeEraseCopy, "a run", key, amina)

		full := *after.Ledger
		full.erasing.Record = func(Erasure) error { return errors.New("no space left") }
		before := b.dumpKeys(t)
		_, _, err = full.EraseOrder(t.Context(), key, amina)
		require.ErrorContains(t, err, "PAYOUTS_ERASURES_FILE: no space left")
		require.Equal(t, before, b.dumpKeys(t))

		plain := b.with(t, nil)
		r := request(order.Withdrawal, "CLEAR", "100")
		open(t, plain, r)
		submit(t, plain, r.Key(), Answer{Outcome: Accepted, GatewayID: "P2"})
		settle(t, plain, r.Key(), paid("100", "2"))
		refuses(after, CodeEraseClear, "cannot be erased", r.Key(), amina)

		require.Empty(t, *kept)
		same := amina
		same.ID = "once"
		for range 2 {
			_, refusal, err = after.EraseOrder(t.Context(), key, same)
			require.NoError(t, err)
			require.Nil(t, refusal)
		}
		require.Len(t, *kept, 1, "an id is executed once")
		after.clean(t)
	})
}

// dumpKeys is every key of orders and callbacks.
func (b *testBundle) dumpKeys(t *testing.T) string {
	t.Helper()
	var keys []string
	require.NoError(t, b.pool().Select(&keys, "SELECT data_key FROM orders UNION ALL SELECT data_key FROM inbox ORDER BY 1"))
	return strings.Join(keys, "\n")
}

// After a restore, erasures are done again, each once.
func TestErasedAgainAfterARestore(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		restored := setup(t)
		key := endPlanted(t, restored)
		running := request(order.Withdrawal, "W2", "100")
		open(t, restored, running)
		erasedAt := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
		kept := Erasure{Merchant: key.Merchant, Number: key.Number, At: erasedAt, Entry: hex.EncodeToString(make([]byte, 32))}
		do := func(e Erasure) ErasedAgain {
			t.Helper()
			result, err := restored.EraseAgain(t.Context(), e)
			require.NoError(t, err)
			return result
		}
		require.Equal(t, EraseDone, do(kept))
		require.Equal(t, Erased, restored.current(t, key).Hidden)
		require.Equal(t, EraseBefore, do(kept))
		kept.Number = "W2"
		require.Equal(t, EraseFailed, do(kept), "it is open in this copy")
		kept.Number = "NONE"
		require.Equal(t, EraseMissing, do(kept))
		entries, err := restored.Audit(t.Context(), key)
		require.NoError(t, err)
		last := entries[len(entries)-1]
		require.Equal(t, ActionErase, last.Action)
		require.Equal(t, System, last.Actor)
		require.Contains(t, last.Evidence, "erased before the restore at "+erasedAt.Format(time.RFC3339))
		restored.clean(t)
	})
}

// An erased order gets newer data keys as every other does.
func TestErasedOrdersAreRekeyed(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		require.NoError(t, b.UseDataKeys(t.Context()))
		key := endPlanted(t, b)
		after, _ := b.later(t)
		after.erase(t, key)
		both := b.with(t, parseRing(lineTwo, lineOne))
		require.NoError(t, both.UseDataKeys(t.Context()))
		both.rekey(t)
		newest := b.with(t, parseRing(lineTwo))
		entries, err := newest.Audit(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, Erased, entries[1].Evidence)
		require.Equal(t, "retention is over", entries[len(entries)-1].Reason.Text)
		newest.clean(t)
	})
}

// Whoever marks an order as erased, or as encrypted with a key that nobody has, so that a
// forged approval cannot be read and its signature is not verified, is found.
func TestForgedEntriesAreNotErased(t *testing.T) {
	t.Parallel()
	other := order.Key{Merchant: merchant, Number: "NOBODY"}
	forged := func(t *testing.T, b *testBundle, markOrder, markChain string) {
		t.Helper()
		require.NoError(t, b.UseDataKeys(t.Context()))
		o := b.at(t, order.Withdrawal, order.AwaitingApproval)
		_, refusal, err := b.Note(t.Context(), other, order.Note{ID: "n", By: "amina", Text: plantedText})
		require.NoError(t, err)
		require.NotNil(t, refusal)
		b.clean(t)
		require.NoError(t, b.inTx(t.Context(), func(x tx) error { // with its right hash and seal
			h, err := x.lockOrder(t.Context(), o.Key())
			require.NoError(t, err)
			h.key = nil
			return x.note(t.Context(), &h, entry{action: ActionApprove, actor: "amina", source: rules.FromOperator, evidence: "enc1.AAAA", envelope: "enc1.AAAA"})
		}))
		require.NoError(t, b.exec("UPDATE orders SET "+markOrder+" WHERE number = ?", o.Number))
		require.Equal(t, []string{CodeChainBroken + " " + o.Number}, b.found(t, sealed))
		require.NoError(t, b.exec("UPDATE chains SET "+markChain+" WHERE number = ?", other.Number))
		require.Equal(t, []string{CodeChainBroken + " NOBODY", CodeChainBroken + " " + o.Number}, b.found(t, sealed))
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		forged(t, setup(t), "erased_at = 1", "erased_at = 1, data_key = ''")
		b := setup(t)
		forged(t, b, "data_key = 'forged:AAAA'", "data_key = 'forged:AAAA'")
		require.NoError(t, b.exec("INSERT INTO data_keys (id, proof, first_at) VALUES ('forged', 'x', 1)"))
		var fault *vault.Fault
		require.ErrorAs(t, b.UseDataKeys(t.Context()), &fault, "no worker starts any more")
		require.Equal(t, vault.CodeKeyUnknown, fault.Code)
	})
}
