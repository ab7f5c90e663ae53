package workflows_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A request under the number of an erased order is answered with where that order
// stands. Nothing is sent, whether or not it is the same request.
func TestAnErasedOrderIsNotPaidAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ring, err := vault.Parse([]byte("k1:"+strings.Repeat("1", 64)), "test")
			require.NoError(t, err)
			encrypted, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "encrypted.db"), ledger.EncryptWith(ring))
			require.NoError(t, err)
			require.NoError(t, encrypted.Migrate(t.Context()))
			encrypted.SetClock(w.clock.now)
			encrypted.SetErasing(ledger.Erasing{Record: func(ledger.Erasure) error { return nil }})
			*w.books, *encrypted = *encrypted, *w.books
			t.Cleanup(func() { require.NoError(t, encrypted.Close()) })

			r := request(t, kind, "success")
			require.Equal(t, order.Succeeded, w.drive(r).State)
			w.balanced()
			_, refusal, err := w.books.EraseOrder(t.Context(), r.Key(), order.Who{By: "amina", Why: "retention is over"})
			require.NoError(t, err)
			require.Nil(t, refusal)
			before := w.gateway.Book()

			w = w.again()
			view := w.drive(r)
			require.Equal(t, order.Succeeded, view.State)
			require.Equal(t, codes.OrderErased, view.Reason.Code)
			require.Contains(t, view.Reason.Text, "ended as succeeded")

			other := r
			other.Amount = pkr(1600)
			w = w.again()
			view = w.drive(other)
			require.Equal(t, order.Rejected, view.State)
			require.Equal(t, order.CodeOrderConflict, view.Reason.Code)
			require.Equal(t, before, w.gateway.Book(), "nothing was sent")
			w.balanced()
		})
	}
}

// When Temporal has forgotten an order, a repetition by somebody else is audited once, and
// nothing is sent. One by the requester is not audited.
func TestARepetitionOfAForgottenOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := requested(t, order.Withdrawal)
	require.Equal(t, order.Succeeded, w.drive(r).State)
	before := w.gateway.Book()
	for _, by := range []string{"dana", r.RequestedBy, "dana", strings.Repeat("x", 10_000)} {
		again := r
		again.RequestedBy = by
		w = w.again()
		require.Equal(t, order.Succeeded, w.drive(again).State)
	}
	require.Equal(t, before, w.gateway.Book(), "nothing was sent")
	entries, err := w.books.Audit(t.Context(), r.Key())
	require.NoError(t, err)
	var said []string
	for _, entry := range entries {
		if entry.Action == ledger.ActionRepeat {
			require.False(t, entry.Refused)
			said = append(said, entry.Actor)
		}
	}
	require.Equal(t, []string{"dana"}, said)
	w.balanced()
}
