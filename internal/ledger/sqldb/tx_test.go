package sqldb

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
)

func TestAgain(t *testing.T) {
	t.Parallel()
	l := &DB{engine: postgres}
	collision := fmt.Errorf("settle: %w", &pq.Error{Code: "40P01"})
	runs := 0
	require.NoError(t, l.retryConflict(t.Context(), func() error {
		if runs++; runs < 4 {
			return collision
		}
		return nil
	}))
	require.Equal(t, 4, runs)

	runs = 0
	require.ErrorIs(t, l.retryConflict(t.Context(), func() error { runs++; return collision }), collision)
	require.Equal(t, maxTries, runs)

	runs = 0
	require.ErrorIs(t, l.retryConflict(t.Context(), func() error { runs++; return io.EOF }), io.EOF)
	require.Equal(t, 1, runs)

	ctx, cancel := context.WithCancel(t.Context())
	runs = 0
	err := l.retryConflict(ctx, func() error { runs++; cancel(); return collision })
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, runs)
}

// What violates one of the schema's constraints met another transaction, and is
// run again; every other violation is an error at once.
func TestViolationsThatAreCollisions(t *testing.T) {
	t.Parallel()
	b := migrated(t, dbtest.Postgres(t))
	require.NoError(t, b.put(t, "taken", 1))
	insert := func(name string) (runs int, err error) {
		err = b.Write(t.Context(), func(x *Tx) error {
			if runs++; runs == 3 {
				name = "free"
			}
			_, err := x.Put(t.Context(), "INSERT INTO things (name, amount) VALUES (?, ?)", name, 1)
			return err
		})
		return runs, err
	}
	runs, err := insert("taken")
	require.NoError(t, err)
	require.Equal(t, 3, runs)

	b.schema.Constraints = nil
	runs, err = insert("taken")
	require.Error(t, err)
	require.Equal(t, 1, runs)
}

// A sum that does not fit has a code, and the schema's own advice.
func TestSumsThatDoNotFit(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		b := migrated(t, url)
		require.NoError(t, b.put(t, "most", math.MaxInt64))
		require.NoError(t, b.put(t, "one", 1))
		var failure *Error
		require.ErrorAs(t, b.Get(t.Context(), new(int64), "SELECT CAST(SUM(amount) AS BIGINT) FROM things"), &failure)
		require.Equal(t, Error{Code: CodeSum, Text: "look at the things"}, *failure)
	})
}

// Statements of one round trip are all done or none is, and each tells its rows.
func TestPutAll(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		b := migrated(t, url)
		require.NoError(t, b.put(t, "a", 1))
		require.NoError(t, b.put(t, "b", 1))
		together := func(name string) (counts []int64, err error) {
			err = b.Write(t.Context(), func(x *Tx) (err error) {
				counts, err = x.PutAll(t.Context(),
					Statement{"UPDATE things SET amount = amount + ? WHERE amount = ?", []any{1, 1}},
					Statement{"INSERT INTO things (name, amount) VALUES (?, ?) ON CONFLICT DO NOTHING", []any{"a", 5}},
					Statement{"INSERT INTO things (name, amount) VALUES (?, ?)", []any{name, 5}})
				return err
			})
			return counts, err
		}
		_, err := together("b")
		require.Error(t, err)
		var total int64
		require.NoError(t, b.Get(t.Context(), &total, "SELECT CAST(SUM(amount) AS BIGINT) FROM things"))
		require.EqualValues(t, 2, total)
		counts, err := together("c")
		require.NoError(t, err)
		require.Equal(t, []int64{2, 0, 1}, counts)
		require.NoError(t, b.Write(t.Context(), func(x *Tx) error {
			counts, err = x.PutAll(t.Context())
			return err
		}))
		require.Empty(t, counts)
	})
}

// The time of Clock is that of Write.
func TestClockOfAStatement(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		b := migrated(t, url)
		before, err := b.Now(t.Context())
		require.NoError(t, err)
		var read int64
		require.NoError(t, b.WriteUndated(t.Context(), func(x *Tx) error {
			return x.Get(t.Context(), &read, "SELECT "+x.Clock())
		}))
		after, err := b.Now(t.Context())
		require.NoError(t, err)
		require.GreaterOrEqual(t, read, before.UnixMilli())
		require.LessOrEqual(t, read, after.UnixMilli())
	})
}

// A view sees one state, whatever is written meanwhile.
func TestView(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		b := migrated(t, url)
		require.NoError(t, b.View(t.Context(), func(x *Tx) error {
			for range 2 {
				var things int
				require.NoError(t, x.Get(t.Context(), &things, "SELECT COUNT(*) FROM things"))
				require.Zero(t, things)
				require.NoError(t, b.put(t, rand.Text(), 1))
			}
			return nil
		}))
		require.Error(t, b.View(t.Context(), func(x *Tx) error {
			_, err := x.Put(t.Context(), "DELETE FROM things")
			return err
		}), "it writes nothing")
	})
}
