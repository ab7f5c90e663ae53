package sqldb

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		b := opened(t, url)
		var failure *Error
		require.ErrorAs(t, b.Ping(t.Context()), &failure)
		require.Equal(t, CodeSchema, failure.Code)
		require.Equal(t, fmt.Sprintf("the ledger's tables are at version 0 and this program needs %d: run worker migrate with the URL of their owner", b.newest()), failure.Text)

		require.NoError(t, b.Migrate(t.Context()))
		require.NoError(t, b.Ping(t.Context()))
		require.NoError(t, b.Migrate(t.Context()))
		version, err := b.version(t.Context())
		require.NoError(t, err)
		require.Equal(t, b.newest(), version)

		require.NoError(t, b.exec("INSERT INTO "+toy.Versions+" (version_id, is_applied) VALUES (999, true)"))
		require.NoError(t, b.Ping(t.Context()), "a newer schema serves the release before")
		require.NoError(t, b.Migrate(t.Context()))
	})
}

// The release after adds a migration. What is there stays, and the release before goes on. A
// migration that fails changes nothing, and those before it stay.
func TestMigrateInSteps(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		before := migrated(t, url)
		require.NoError(t, before.put(t, "one", 1))
		version := func() int64 {
			version, err := before.version(t.Context())
			require.NoError(t, err)
			return version
		}

		broken := openedAs(t, url, next(toyNotes+"INSERT INTO nowhere VALUES (1);"))
		var failure *Error
		require.ErrorAs(t, broken.Ping(t.Context()), &failure)
		require.Equal(t, "the ledger's tables are at version 1 and this program needs 2: run worker migrate with the URL of their owner", failure.Text)
		require.ErrorContains(t, broken.Migrate(t.Context()), "migrate from version 1")
		require.Equal(t, int64(1), version())
		require.Error(t, before.Get(t.Context(), new(string), "SELECT note FROM things"), "all or nothing")

		after := openedAs(t, url, next(toyNotes))
		require.NoError(t, after.Migrate(t.Context()))
		require.NoError(t, after.Ping(t.Context()))
		require.Equal(t, int64(2), version())
		require.NoError(t, before.Ping(t.Context()))
		require.NoError(t, before.put(t, "two", 2))
		var notes []string
		require.NoError(t, after.List(t.Context(), &notes, "SELECT note FROM things ORDER BY name"))
		require.Equal(t, []string{"of one", ""}, notes)
	})
}

// A database from before the first release has the tables and another record of
// versions. It is refused whole, and nothing in it changes.
func TestAForeignSchemaIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		b := opened(t, url)
		require.NoError(t, b.exec("CREATE TABLE things (id BIGINT)"))
		require.NoError(t, b.exec("CREATE TABLE ledger_migrations (version_id BIGINT)"))
		require.NoError(t, b.exec("INSERT INTO ledger_migrations VALUES (12)"))
		for name, try := range map[string]func() error{
			"ping":    func() error { return b.Ping(t.Context()) },
			"migrate": func() error { return b.Migrate(t.Context()) },
			"ready":   func() error { return b.Ready(t.Context(), things) },
		} {
			var failure *Error
			require.ErrorAs(t, try(), &failure, name)
			require.Equal(t, CodeForeign, failure.Code, name)
			require.Contains(t, failure.Text, "Use an empty database", name)
			require.True(t, failure.Lasting(), name)
		}
		for table, want := range map[string]int{"things": 1, "others": 0, toy.Versions: 0} {
			var tables int
			require.NoError(t, b.Get(t.Context(), &tables, b.engine.countTables, table))
			require.Equal(t, want, tables, table)
		}

		require.NoError(t, b.exec("DROP TABLE things"))
		require.NoError(t, b.Migrate(t.Context()))
		require.NoError(t, b.Ping(t.Context()))
	})
}

func TestPingTellsWhenTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		l, err := Open(t.Context(), url, toy, Options{})
		require.NoError(t, err)
		require.NoError(t, l.Close())
		var failure *Error
		require.ErrorAs(t, l.Ping(t.Context()), &failure)
		require.Equal(t, CodeUnreachable, failure.Code)
		require.ErrorAs(t, l.Migrate(t.Context()), &failure)
		require.Equal(t, CodeUnreachable, failure.Code)
		require.NoError(t, l.Close()) // twice does no harm
	})
}

func TestManyMigrateAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		failures := make([]error, 6)
		together(len(failures), func(i int) {
			l, err := Open(t.Context(), url, next(toyNotes), Options{})
			if err != nil {
				failures[i] = err
				return
			}
			failures[i] = errors.Join(l.Migrate(t.Context()), l.Ping(t.Context()), l.Close())
		})
		for _, failure := range failures {
			require.NoError(t, failure)
		}
		var applied int
		require.NoError(t, opened(t, url).Get(t.Context(), &applied, "SELECT COUNT(*) FROM "+toy.Versions+" WHERE version_id > 0"))
		require.Equal(t, 2, applied)
	})
}

// Only one worker migrates a PostgreSQL at a time; the lock is its schema's.
func TestMigrateWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	b, other := opened(t, dbtest.Postgres(t)), opened(t, dbtest.Postgres(t))
	session, err := b.write.Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()
	locker, err := b.migrationLock(t.Context())
	require.NoError(t, err)
	require.NoError(t, locker.SessionLock(t.Context(), session))

	waiting, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, b.Migrate(waiting), context.DeadlineExceeded)
	require.True(t, b.engine.noTable(b.Get(t.Context(), new(int), "SELECT COUNT(*) FROM things")))
	require.NoError(t, other.Migrate(t.Context()), "another schema's turn")

	require.NoError(t, locker.SessionUnlock(t.Context(), session))
	require.NoError(t, b.Migrate(t.Context()))
}

func TestMigrateFailsWhole(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		b := opened(t, url)
		require.NoError(t, b.exec("CREATE TABLE others (of_something_else TEXT)"))
		require.ErrorContains(t, b.Migrate(t.Context()), "migrate from version 0")
		version, err := b.version(t.Context())
		require.NoError(t, err)
		require.Zero(t, version)
		require.True(t, b.engine.noTable(b.Get(t.Context(), new(int), "SELECT COUNT(*) FROM things")), "all or nothing")

		require.NoError(t, b.exec("DROP TABLE others"))
		require.NoError(t, b.Migrate(t.Context()))
		require.NoError(t, b.Ping(t.Context()))
	})
}
