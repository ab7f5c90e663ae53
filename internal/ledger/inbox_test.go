package ledger

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestStoreCallback(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		c := callbackFor(request(order.Withdrawal, "W1", "100"), "G1")
		c.FailReason = "naïve \"quotes\" and \u0000"
		c.Extra = map[string]json.RawMessage{"channel": json.RawMessage(`{"a":[1,2]}`)}
		body := []byte("{\"any\":\"bytes\x00\xff\"}")
		before := time.Now().UTC().Truncate(time.Millisecond)

		const signature = "3006020101020100" // not text, and not the gateway's: nobody verifies it here
		id, fresh, err := b.StoreCallback(t.Context(), c, body, signature, nil)
		require.NoError(t, err)
		require.True(t, fresh)
		require.Equal(t, c.Fingerprint(), id)
		entry, err := b.Callback(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, InboxEntry{ID: id, Callback: c, Status: Stored, Received: 1, FirstAt: entry.FirstAt, LastAt: entry.FirstAt, Body: body, Signature: signature}, entry)
		require.WithinRange(t, entry.FirstAt, before, time.Now())
		require.Equal(t, order.Key{Merchant: merchant, Number: "W1"}, entry.Key())
		var kept struct {
			Body      []byte `db:"body"`
			Signature []byte `db:"signature"`
			DataKey   string `db:"data_key"`
		}
		require.NoError(t, b.db.Get(t.Context(), &kept, "SELECT body, signature, data_key FROM inbox WHERE id = ?", id))
		key, err := testRing.Open(callbackSubject(merchant, "W1"), kept.DataKey)
		require.NoError(t, err)
		plain, err := key.Open("body", string(kept.Body))
		require.NoError(t, err)
		require.Equal(t, string(body), plain)
		plain, err = key.Open("signature", string(kept.Signature))
		require.NoError(t, err)
		require.Equal(t, signature, hex.EncodeToString([]byte(plain)))
		require.True(t, vault.Sealed(string(kept.Signature)), "it could confirm a guess of the body")

		time.Sleep(2 * time.Millisecond)
		id2, fresh, err := b.StoreCallback(t.Context(), c, []byte("written otherwise"), "00", nil)
		require.NoError(t, err)
		require.False(t, fresh)
		require.Equal(t, id, id2)
		again, err := b.Callback(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, 2, again.Received)
		require.Equal(t, entry.FirstAt, again.FirstAt)
		require.True(t, again.LastAt.After(entry.LastAt))
		first := kept.Body
		require.NoError(t, b.db.Get(t.Context(), &kept, "SELECT body, data_key FROM inbox WHERE id = ?", id))
		require.Equal(t, first, kept.Body) // as it came first
		require.Equal(t, signature, again.Signature)

		_, err = b.Callback(t.Context(), "nobody")
		require.ErrorIs(t, err, ErrNotFound)
		_, _, err = b.StoreCallback(t.Context(), c, []byte(strings.Repeat("x", tarspay.MaxCallbackBytes+1)), "", nil)
		require.ErrorContains(t, err, "are more than 65536")
		other := c
		other.PayAmount = "1"
		_, _, err = b.StoreCallback(t.Context(), other, nil, "no hex", nil)
		require.ErrorContains(t, err, "not hex")
		_, fresh, err = b.StoreCallback(t.Context(), other, nil, "", nil)
		require.NoError(t, err)
		require.True(t, fresh)
	})
}

func TestConcurrentDuplicatesAreFreshOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		c := callbackFor(request(order.Withdrawal, "W1", "100"), "G1")
		var fresh atomic.Int32
		together(32, func(int) {
			if _, is, err := b.StoreCallback(t.Context(), c, []byte("{}"), "", nil); err == nil && is {
				fresh.Add(1)
			}
		})
		require.EqualValues(t, 1, fresh.Load())
		entry, err := b.Callback(t.Context(), c.Fingerprint())
		require.NoError(t, err)
		require.Equal(t, 32, entry.Received)
	})
}

func TestMarkCallbackGoesForwardOnly(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for i, from := range inboxStatuses {
			for j, to := range inboxStatuses {
				c := callbackFor(request(order.Withdrawal, fmt.Sprint("W", i, j), "100"), "G1")
				id, _, err := b.StoreCallback(t.Context(), c, []byte("{}"), "", nil)
				require.NoError(t, err)
				require.NoError(t, b.MarkCallback(t.Context(), id, from))
				require.NoError(t, b.MarkCallback(t.Context(), id, to))
				entry, err := b.Callback(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, inboxStatuses[max(i, j)], entry.Status, "%s then %s", from, to)
			}
		}
		counts, err := b.InboxCounts(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[InboxStatus]int{Stored: 1, Unmatched: 3, Signalled: 5, Late: 7, Done: 9}, counts)
		require.ErrorIs(t, b.MarkCallback(t.Context(), "nobody", Done), ErrNotFound)
		require.ErrorContains(t, b.MarkCallback(t.Context(), "nobody", "lost"), "is no status")
	})
}

func TestPendingCallbacks(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		counts, err := b.InboxCounts(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[InboxStatus]int{Stored: 0, Unmatched: 0, Signalled: 0, Late: 0, Done: 0}, counts)

		ids := make(map[string]string)
		for _, number := range []string{"stored", "unmatched", "appeared", "signalled", "late", "done", "last"} {
			id, _, err := b.StoreCallback(t.Context(), callbackFor(request(order.Deposit, number, "1"), "G"), []byte("{}"), "", nil)
			require.NoError(t, err)
			ids[number] = id
			time.Sleep(2 * time.Millisecond) // they are listed by the time they came
		}
		for number, status := range map[string]InboxStatus{
			"unmatched": Unmatched, "appeared": Unmatched, "signalled": Signalled, "late": Late, "done": Done,
		} {
			require.NoError(t, b.MarkCallback(t.Context(), ids[number], status))
		}
		open(t, b, request(order.Deposit, "appeared", "1"))
		open(t, b, request(order.Deposit, "stored", "1"))
		pending := func(limit int) []string {
			entries, err := b.PendingCallbacks(t.Context(), limit, 0)
			require.NoError(t, err)
			numbers := make([]string, len(entries))
			for i, entry := range entries {
				numbers[i] = entry.Callback.OrderNumber
			}
			return numbers
		}
		require.Equal(t, []string{"stored", "appeared", "last"}, pending(0))
		require.Equal(t, []string{"stored", "appeared"}, pending(2))

		second := callbackFor(request(order.Deposit, "stored", "1"), "G")
		second.State = tarspay.StateInProgress
		_, _, err = b.StoreCallback(t.Context(), second, []byte("{}"), "", nil)
		require.NoError(t, err)
		entries, err := b.Callbacks(t.Context(), order.Key{Merchant: merchant, Number: "stored"})
		require.NoError(t, err)
		require.Equal(t, []tarspay.State{tarspay.StateSucceeded, tarspay.StateInProgress},
			[]tarspay.State{entries[0].Callback.State, entries[1].Callback.State})
		require.True(t, slices.IsSortedFunc(entries, func(a, b InboxEntry) int { return a.FirstAt.Compare(b.FirstAt) }))
	})
}

// A callback begins as stored, and is handled once.
func TestCallbacksAreGuarded(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		id, _, err := b.StoreCallback(t.Context(), callbackFor(request(order.Deposit, "W1", "1"), "G"), []byte("{}"), "", nil)
		require.NoError(t, err)
		for _, status := range []InboxStatus{Unmatched, Signalled, Late, Done} {
			require.ErrorContains(t, b.exec("INSERT INTO inbox (id, merchant, number, callback, body, status, received, first_at, last_at) "+
				"SELECT 'x', merchant, number, callback, body, ?, 1, 1, 1 FROM inbox", status), "a callback begins as stored", status)
		}
		require.NoError(t, b.MarkCallback(t.Context(), id, Done))
		for _, status := range []InboxStatus{Stored, Unmatched, Signalled, Late} {
			require.ErrorContains(t, b.exec("UPDATE inbox SET status = ?", status), "a callback is handled once", status)
		}
	})
}

// Whoever has the receiver's database login writes times that lie ahead. They hide nothing.
func TestTimesAheadHideNoCallback(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		b.SetClock(func() time.Time { return noon })
		ended := open(t, b, request(order.Withdrawal, "signalled", "2000"))
		require.Equal(t, order.Failed, ended.State)
		for _, status := range []InboxStatus{Stored, Signalled, Late} {
			id, _, err := b.StoreCallback(t.Context(), callbackFor(request(order.Withdrawal, string(status), "2000"), "G"), []byte("{}"), "", nil)
			require.NoError(t, err)
			require.NoError(t, b.MarkCallback(t.Context(), id, status))
		}
		pending := func() int {
			entries, err := b.PendingCallbacks(t.Context(), 10, time.Minute)
			require.NoError(t, err)
			return len(entries)
		}
		require.Zero(t, pending())
		ahead := noon.Add(aheadAtMost).UnixMilli()
		require.NoError(t, b.exec("UPDATE inbox SET last_at = ?, told_at = ?", ahead, ahead))
		require.Zero(t, pending(), "clocks may differ so much")
		require.NoError(t, b.exec("UPDATE inbox SET last_at = ?, told_at = ?", ahead+1, ahead+1))
		require.Equal(t, 3, pending())
	})
}

// A callback of an order that is none of ours is dealt with by a person.
func TestSetCallbackAside(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Deposit, "stray", "1")
		id, _, err := b.StoreCallback(t.Context(), callbackFor(r, "G"), []byte("{}"), "", nil)
		require.NoError(t, err)
		var trail []string
		aside := func(by, why, code, trace string, status InboxStatus) {
			t.Helper()
			e, refusal, err := b.SetCallbackAside(t.Context(), id, who(by, why))
			require.NoError(t, err)
			if code != "" {
				require.Equal(t, code, refusal.Code)
			} else {
				require.Nil(t, refusal)
			}
			require.Equal(t, status, e.Status)
			read, err := b.Callback(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, CallbackSummary{ID: id, Key: read.Key(), Status: read.Status, Received: read.Received, FirstAt: read.FirstAt, LastAt: read.LastAt}, e)
			trail = append(trail, trace)
			require.Equal(t, trail, b.trail(t, r.Key()))
		}
		aside("amina", "not ours", CodeNotUnmatched, "amina: set_aside refused CALLBACK_NOT_UNMATCHED", Stored)
		require.NoError(t, b.MarkCallback(t.Context(), id, Unmatched))
		unmatched, err := b.UnmatchedCallbacks(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, unmatched, 1)
		require.Equal(t, id, unmatched[0].ID)
		aside("", "not ours", order.CodeWhoMissing, "nobody: set_aside refused WHO_MISSING", Unmatched)
		aside("amina", " ", order.CodeWhyMissing, "amina: set_aside refused WHY_MISSING", Unmatched)
		aside("amina", "not ours", "", "amina: set_aside CALLBACK_UNMATCHED", Done)
		aside("bilal", "me too", CodeNotUnmatched, "bilal: set_aside refused CALLBACK_NOT_UNMATCHED", Done)
		entries, err := b.Audit(t.Context(), r.Key())
		require.NoError(t, err)
		done := entries[len(entries)-2]
		require.Equal(t, "callback "+id, done.Evidence)
		require.Equal(t, order.Reason{Code: CodeUnmatched, Text: "not ours"}, done.Reason)

		_, fresh, err := b.StoreCallback(t.Context(), callbackFor(r, "G"), []byte("{}"), "", nil)
		require.NoError(t, err)
		require.False(t, fresh)
		unmatched, err = b.UnmatchedCallbacks(t.Context(), 0)
		require.NoError(t, err)
		require.Empty(t, unmatched)
		_, refusal, err := b.SetCallbackAside(t.Context(), "nobody\x00", who("amina", "x"))
		require.NoError(t, err)
		require.Equal(t, CodeCallbackNotFound, refusal.Code)
		b.clean(t)
	})
}

// A callback whose order has turned up since belongs to it.
func TestCallbackOfAnOrderThatAppearedIsNotSetAside(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Deposit, "appeared", "1")
		id, _, err := b.StoreCallback(t.Context(), callbackFor(r, "G"), []byte("{}"), "", nil)
		require.NoError(t, err)
		require.NoError(t, b.MarkCallback(t.Context(), id, Unmatched))
		open(t, b, r)
		trail := b.trail(t, r.Key())
		e, refusal, err := b.SetCallbackAside(t.Context(), id, who("amina", "not ours"))
		require.NoError(t, err)
		require.Equal(t, CodeNotUnmatched, refusal.Code)
		require.Equal(t, Unmatched, e.Status)
		require.Equal(t, append(trail, "amina: set_aside refused CALLBACK_NOT_UNMATCHED"), b.trail(t, r.Key()))
		pending, err := b.PendingCallbacks(t.Context(), 0, 0)
		require.NoError(t, err)
		require.Len(t, pending, 1)
		b.clean(t)
	})
}

// Text that PostgreSQL would not take must not keep a callback out: what is
// stored is what is looked up, and it goes the way of any other.
func TestCallbacksWithTextThatColumnsDoNotTake(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		for _, text := range []string{"W\x00", "\x00", "W\xff", "\xed\xa0\x80", "W\uFFFD", "\u202e", strings.Repeat("€", 20_000)} {
			c := callbackFor(request(order.Withdrawal, text, "100"), text)
			c.Currency, c.Fee, c.FailReason = text, text, text
			c.Extra = map[string]json.RawMessage{"note": json.RawMessage(`"\u0000\ud800"`), "more": json.RawMessage("\"\xff\"")}
			id, fresh, err := b.StoreCallback(t.Context(), c, []byte("{}"), "", nil)
			require.NoError(t, err)
			require.True(t, fresh, "%q", text)
			e, err := b.Callback(t.Context(), id)
			require.NoError(t, err)
			_, err = b.Order(t.Context(), e.Key())
			require.ErrorIs(t, err, ErrNotFound, "%q", text)
			pending, err := b.PendingCallbacks(t.Context(), 0, 0)
			require.NoError(t, err)
			require.Len(t, pending, 1)
			found, err := b.Callbacks(t.Context(), e.Key())
			require.NoError(t, err)
			require.NotEmpty(t, found, "%q", text)
			require.NoError(t, b.MarkCallback(t.Context(), id, Unmatched))
			require.NoError(t, b.OpenDifference(t.Context(), reconcile.Difference{Key: e.Key(), Code: codes.DiscrepancyUnmatched, Mark: text, Detail: text}))
			_, refusal, err := b.SetCallbackAside(t.Context(), id, who("amina", "none of ours"))
			require.NoError(t, err)
			require.Nil(t, refusal)
			_, err = b.Story(t.Context(), e.Key())
			require.NoError(t, err)
		}
		b.clean(t)
	})
}

// A late callback is looked after again when nobody has been told of it for a
// while, because its workflow may be gone.
func TestLateCallbacksComeBack(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		id, _, err := b.StoreCallback(t.Context(), callbackFor(request(order.Deposit, "late", "1"), "G"), []byte("{}"), "", nil)
		require.NoError(t, err)
		require.NoError(t, b.MarkCallback(t.Context(), id, Late))
		pending := func() int {
			entries, err := b.PendingCallbacks(t.Context(), 0, 0)
			require.NoError(t, err)
			return len(entries)
		}
		require.Zero(t, pending())
		require.NoError(t, b.exec("UPDATE inbox SET told_at = told_at - ?", (recheckLateAfter+time.Second).Milliseconds()))
		require.Equal(t, 1, pending())
		require.NoError(t, b.MarkCallback(t.Context(), id, Late)) // its workflow runs
		require.Zero(t, pending())
		require.NoError(t, b.exec("UPDATE inbox SET told_at = 0"))
		require.Equal(t, 1, pending())
		require.NoError(t, b.MarkCallback(t.Context(), id, Done))
		require.Zero(t, pending())
	})
}

// A callback that cannot be passed on stands in the queue with the reason, and
// can be set aside; so does one that has waited for long, and one that cannot be
// read hides no other.
func TestCallbacksThatCannotBePassedOn(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		ids := make(map[string]string)
		for _, number := range []string{"problem", "waits", "damaged", "young"} {
			r := request(order.Deposit, number, "1")
			open(t, b, r)
			id, _, err := b.StoreCallback(t.Context(), callbackFor(r, "G"), []byte("{}"), "", nil)
			require.NoError(t, err)
			ids[number] = id
		}
		queue := func() map[string]string {
			items := b.needsPerson(t, time.Hour)
			due := make(map[string]string)
			for _, item := range items {
				if item.Kind == QueueCallback {
					due[item.Key.Number] = item.Code + " " + item.Callback.Problem
				}
			}
			return due
		}
		require.NoError(t, b.ProblemCallback(t.Context(), ids["problem"], "the workflow takes no more signals\x00"))
		require.Empty(t, queue()) // it may pass
		require.NoError(t, b.exec("UPDATE inbox SET problem_at = problem_at - 61000 WHERE problem_at > 0"))
		require.NoError(t, b.exec("UPDATE inbox SET first_at = first_at - 3601000 WHERE number = 'waits'"))
		require.NoError(t, b.exec("UPDATE inbox SET callback = 'enc1.broken' WHERE number = 'damaged'"))
		due := queue()
		require.Len(t, due, 2)
		require.Contains(t, due["problem"], CodeUndelivered+" the workflow takes no more signals")
		require.Contains(t, due["waits"], CodeUndelivered)
		pending, err := b.PendingCallbacks(t.Context(), 0, 0)
		require.NoError(t, err)
		require.Len(t, pending, 4)
		damaged := slices.IndexFunc(pending, InboxEntry.Damaged)
		require.Equal(t, ids["damaged"], pending[damaged].ID)
		require.Equal(t, "damaged", pending[damaged].Key().Number)
		require.NoError(t, b.ProblemCallback(t.Context(), ids["damaged"], pending[damaged].Problem))

		for _, number := range []string{"problem", "waits", "damaged"} {
			e, refusal, err := b.SetCallbackAside(t.Context(), ids[number], who("amina", "asked the gateway, ticket 7"))
			require.NoError(t, err)
			require.Nil(t, refusal, number)
			require.Equal(t, Done, e.Status)
		}
		_, refusal, err := b.SetCallbackAside(t.Context(), ids["young"], who("amina", "in a hurry"))
		require.NoError(t, err)
		require.Equal(t, CodeNotUnmatched, refusal.Code)
		require.Empty(t, queue())
		require.ErrorIs(t, b.ProblemCallback(t.Context(), "nobody", "x"), ErrNotFound)

		require.NoError(t, b.ProblemCallback(t.Context(), ids["young"], "x"))
		require.NoError(t, b.exec("UPDATE inbox SET problem_at = problem_at - 61000 WHERE problem_at > 0"))
		require.Len(t, queue(), 1)
		require.NoError(t, b.MarkCallback(t.Context(), ids["young"], Signalled))
		require.Empty(t, queue()) // it was passed on after all
		b.clean(t)
	})
}

// A callback that its body says is not stored a second time beside it. One that the body
// does not say is, and both are read as they were.
func TestACallbackIsStoredOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		private, _, err := tarspay.GenerateKey()
		require.NoError(t, err)
		signer, err := tarspay.NewSigner(private)
		require.NoError(t, err)
		for number, beside := range map[string]bool{"W1": false, "W2": true} {
			sent := callbackFor(request(order.Withdrawal, number, "10"), "G"+number)
			body, signature := tarspay.EncodeCallback(sent, signer)
			if beside {
				body = []byte(`{"another":"body"}`)
			}
			id, fresh, err := b.StoreCallback(t.Context(), sent, body, signature, nil)
			require.NoError(t, err)
			require.True(t, fresh)
			var stored string
			require.NoError(t, b.pool().Get(&stored, b.pool().Rebind("SELECT callback FROM inbox WHERE id = ?"), id))
			require.Equal(t, beside, len(stored) > 100, stored) // it is encrypted
			read, err := b.Callback(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, sent.Fingerprint(), read.Callback.Fingerprint())
			require.Equal(t, body, read.Body)
			listed, err := b.Callbacks(t.Context(), order.Key{Merchant: merchant, Number: number})
			require.NoError(t, err)
			require.Equal(t, read, listed[0])

			reader, err := Open(t.Context(), b.url, ReadOnly())
			require.NoError(t, err)
			unread, err := reader.Callback(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, Encrypted, unread.Hidden, "without the data key")
			require.Equal(t, order.Key{Merchant: merchant, Number: number}, unread.Key())
			require.NoError(t, reader.Close())
			require.NoError(t, b.exec("UPDATE inbox SET data_key = '' WHERE number = '"+number+"'"))
			unread, err = b.Callback(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, Erased, unread.Hidden)
			require.Empty(t, unread.Signature)
		}
	})
}
