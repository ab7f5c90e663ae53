package ledger

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

func TestReady(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(t *testing.T) *testBundle) {
		b := setup(t)
		require.NoError(t, b.Ready(t.Context(), DriveOrders))

		// Somebody holds a lock under which no order can be written.
		free := b.locked(t)
		bounded, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var failure *Error
		require.ErrorAs(t, b.Ready(bounded, DriveOrders), &failure)
		require.Equal(t, CodeBusy, failure.Code)
		free()
		require.NoError(t, b.Ready(t.Context(), DriveOrders))
	})
}

// What waits for a lock until its time is over has a code, reading or writing.
func TestBusy(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(t *testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		free := b.locked(t)
		defer free()
		bounded, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		tries := map[string]func() error{
			"write": func() error { return b.OpenBooks(bounded, "M2", pkr("1"), pkr("0")) },
		}
		if b.onPostgres() { // SQLite's readers wait for nobody
			tries["read"] = func() error { _, err := b.Order(bounded, order.Key{Merchant: merchant, Number: "A"}); return err }
			tries["list"] = func() error { _, err := b.NeedsPerson(bounded, time.Minute, 10); return err }
		}
		for name, try := range tries {
			err := try()
			var failure *Error
			require.ErrorAs(t, err, &failure, "%s: %v", name, err)
			require.Equal(t, CodeBusy, failure.Code, name)
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
		}
	})
}

// locked holds a lock under which no order can be written, until it is freed.
func (b *testBundle) locked(t *testing.T) (free func()) {
	t.Helper()
	other := opened(t, b.url) // as another process would
	begun, err := other.pool().BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	if b.onPostgres() {
		_, err = begun.Exec("LOCK TABLE orders, books, inbox IN ACCESS EXCLUSIVE MODE")
		require.NoError(t, err)
	}
	return func() {
		if err := begun.Rollback(); !errors.Is(err, sql.ErrTxDone) { // the database may have ended it
			require.NoError(t, err)
		}
	}
}
