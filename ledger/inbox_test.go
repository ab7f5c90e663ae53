package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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

		id, fresh, err := b.StoreCallback(t.Context(), c, body)
		require.NoError(t, err)
		require.True(t, fresh)
		require.Equal(t, c.Fingerprint(), id)
		entry, err := b.Callback(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, InboxEntry{ID: id, Callback: c, Status: Stored, Received: 1, FirstAt: entry.FirstAt, LastAt: entry.FirstAt}, entry)
		require.WithinRange(t, entry.FirstAt, before, time.Now())
		require.Equal(t, order.Key{Merchant: merchant, Number: "W1"}, entry.Key())
		var kept []byte
		require.NoError(t, b.get(t.Context(), &kept, "SELECT body FROM inbox WHERE id = ?", id))
		require.Equal(t, body, kept)

		time.Sleep(2 * time.Millisecond)
		id2, fresh, err := b.StoreCallback(t.Context(), c, []byte("written otherwise"))
		require.NoError(t, err)
		require.False(t, fresh)
		require.Equal(t, id, id2)
		again, err := b.Callback(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, 2, again.Received)
		require.Equal(t, entry.FirstAt, again.FirstAt)
		require.True(t, again.LastAt.After(entry.LastAt))
		require.NoError(t, b.get(t.Context(), &kept, "SELECT body FROM inbox WHERE id = ?", id))
		require.Equal(t, body, kept) // as it came first

		_, err = b.Callback(t.Context(), "nobody")
		require.ErrorIs(t, err, ErrNotFound)
		_, _, err = b.StoreCallback(t.Context(), c, []byte(strings.Repeat("x", tarspay.MaxCallbackBytes+1)))
		require.ErrorContains(t, err, "are more than 65536")
		other := c
		other.PayAmount = "1"
		_, fresh, err = b.StoreCallback(t.Context(), other, nil)
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
			if _, is, err := b.StoreCallback(t.Context(), c, []byte("{}")); err == nil && is {
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
				id, _, err := b.StoreCallback(t.Context(), c, []byte("{}"))
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
			id, _, err := b.StoreCallback(t.Context(), callbackFor(request(order.Deposit, number, "1"), "G"), []byte("{}"))
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
			entries, err := b.PendingCallbacks(t.Context(), limit)
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
		_, _, err = b.StoreCallback(t.Context(), second, []byte("{}"))
		require.NoError(t, err)
		entries, err := b.Callbacks(t.Context(), order.Key{Merchant: merchant, Number: "stored"})
		require.NoError(t, err)
		require.Equal(t, []tarspay.State{tarspay.StateSucceeded, tarspay.StateInProgress},
			[]tarspay.State{entries[0].Callback.State, entries[1].Callback.State})
		require.True(t, slices.IsSortedFunc(entries, func(a, b InboxEntry) int { return a.FirstAt.Compare(b.FirstAt) }))
	})
}

// A callback of an order that is none of ours is dealt with by a person.
func TestSetCallbackAside(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Deposit, "stray", "1")
		id, _, err := b.StoreCallback(t.Context(), callbackFor(r, "G"), []byte("{}"))
		require.NoError(t, err)
		var trail []string
		aside := func(by, why, code, trace string, status InboxStatus) {
			t.Helper()
			e, refusal, err := b.SetCallbackAside(t.Context(), id, by, why)
			require.NoError(t, err)
			if code != "" {
				require.Equal(t, code, refusal.Code)
			} else {
				require.Nil(t, refusal)
			}
			require.Equal(t, status, e.Status)
			read, err := b.Callback(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, read, e)
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

		_, fresh, err := b.StoreCallback(t.Context(), callbackFor(r, "G"), []byte("{}"))
		require.NoError(t, err)
		require.False(t, fresh)
		unmatched, err = b.UnmatchedCallbacks(t.Context(), 0)
		require.NoError(t, err)
		require.Empty(t, unmatched)
		_, _, err = b.SetCallbackAside(t.Context(), "nobody\x00", "amina", "x")
		require.ErrorIs(t, err, ErrNotFound)
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
		id, _, err := b.StoreCallback(t.Context(), callbackFor(r, "G"), []byte("{}"))
		require.NoError(t, err)
		require.NoError(t, b.MarkCallback(t.Context(), id, Unmatched))
		open(t, b, r)
		trail := b.trail(t, r.Key())
		e, refusal, err := b.SetCallbackAside(t.Context(), id, "amina", "not ours")
		require.NoError(t, err)
		require.Equal(t, CodeNotUnmatched, refusal.Code)
		require.Equal(t, Unmatched, e.Status)
		require.Equal(t, append(trail, "amina: set_aside refused CALLBACK_NOT_UNMATCHED"), b.trail(t, r.Key()))
		pending, err := b.PendingCallbacks(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, pending, 1)
		b.clean(t)
	})
}

// Text that PostgreSQL would not take must not keep a callback out.
func TestCallbacksWithTextThatColumnsDoNotTake(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		c := callbackFor(request(order.Withdrawal, "W\x00\xff", "100"), "G\x00")
		id, fresh, err := b.StoreCallback(t.Context(), c, []byte("{}"))
		require.NoError(t, err)
		require.True(t, fresh)
		_, err = b.Callback(t.Context(), id)
		require.NoError(t, err)
	})
}
