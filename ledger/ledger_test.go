package ledger

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

func TestOpenRefusesURLs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "ledger.db", "/var/ledger.db", "mysql://u:geheim@h/db", "sqlite:", "sqlite::memory:", "sqlite:/var/x.db?mode=ro",
		"postgres://u:geheim%zz@h/db", "postgres://u:geheim@h:port/db", "postgres://u:geheim@h/db?sslmode=perhaps",
		"postgres://u:geheim@h/db?connect_timeout=soon", "http://u:geheim@h/",
	} {
		_, err := Open(t.Context(), text)
		var failure *Error
		require.ErrorAs(t, err, &failure, text)
		require.Equal(t, CodeURL, failure.Code, text)
		require.True(t, strings.HasPrefix(err.Error(), "LEDGER_URL_INVALID: the ledger's database URL is not usable: "), err)
		require.NotContains(t, err.Error(), "geheim")
	}
}

func TestOpenTellsWhenTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	require.NoError(t, os.WriteFile(garbage, []byte(strings.Repeat("this is no database ", 100)), 0o600))

	for name, test := range map[string]struct{ url, want string }{
		"closed port":   {"postgres://u:geheim@" + closed.Addr().String() + "/db?sslmode=disable", "PostgreSQL at " + closed.Addr().String() + "/db"},
		"escaped":       {"postgres://u:ge%2Fheim@" + closed.Addr().String() + "/db", "connection refused"},
		"in parameters": {"postgres://" + closed.Addr().String() + "/db?user=u&password=geheim", "connection refused"},
		"garbage":       {"sqlite:" + garbage, "not a database"},
	} {
		_, err := Open(t.Context(), test.url)
		var failure *Error
		require.ErrorAs(t, err, &failure, name)
		require.Equal(t, CodeUnreachable, failure.Code, name)
		require.Contains(t, err.Error(), test.want, name)
		require.NotContains(t, err.Error(), "geheim", name)
		require.NotContains(t, err.Error(), "ge/heim", name)
		require.NoError(t, failure.Unwrap(), name)
	}
}

// Whoever makes the ledger makes its directory, too, for nobody else to read.
func TestOpenMakesTheDirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data", "books", "ledger.db")
	l, err := Open(t.Context(), "sqlite:"+path)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	for file, mode := range map[string]os.FileMode{filepath.Dir(path): os.ModeDir | 0o700, path: 0o600} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode(), file)
	}
	l, err = OpenExisting(t.Context(), "sqlite:"+path)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

// A path that cannot be a file is told at once: waiting does not mend it.
func TestOpenSaysWhyThereCanBeNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for path, want := range map[string]string{
		filepath.Join(file, "ledger.db"):         "the directory of SQLite file " + filepath.Join(file, "ledger.db") + " cannot be made: not a directory",
		filepath.Join(file, "more", "ledger.db"): "cannot be made: not a directory",
		dir:                                      "SQLite file " + dir + " cannot be opened for reading and writing: is a directory",
	} {
		var failure *Error
		_, err := Open(t.Context(), "sqlite:"+path)
		require.ErrorAs(t, err, &failure)
		require.Equal(t, CodeURL, failure.Code)
		require.Contains(t, failure.Text, want)
	}
}

// Who only reads makes nothing: a mistyped path is told, and leaves no file.
func TestOpenExistingMakesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "ledgr.db"), filepath.Join(dir, "none", "ledger.db")} {
		_, err := OpenExisting(t.Context(), "sqlite:"+path)
		var failure *Error
		require.ErrorAs(t, err, &failure)
		require.Equal(t, CodeNoFile, failure.Code)
		require.Contains(t, failure.Text, "SQLite file "+path+" does not exist")
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestMessagesThatRepeatThePasswordAreWithheld(t *testing.T) {
	t.Parallel()
	for url, message := range map[string]string{
		"postgres://u:geheim@h/db":            "cannot parse postgres://u:geheim@h/db",
		"postgres://u:ge%2Fheim@h/db":         "password ge/heim is wrong",
		"postgres://u:ge+%2Fheim@h/db":        "cannot parse postgres://u:ge%2B%2Fheim@h/db",
		"postgres://h/db?password=ge%2Fheim":  "password ge/heim is wrong",
		"postgres://h/db?sslpassword=ge+heim": "key needs ge heim",
		"postgres://u:ge%zzheim@h/db":         "cannot parse postgres://u:ge%zzheim@h/db",
	} {
		err := unreachable(t.Context(), url, errors.New(message))
		require.Contains(t, err.Error(), "the driver's message is withheld because it repeats the password", url)
		require.NotContains(t, err.Error(), "heim", url)
	}
	err := unreachable(t.Context(), "postgres://u:geheim@db.example:5432/payouts", errors.New("too many clients"))
	require.Equal(t, "LEDGER_UNREACHABLE: the ledger's database (PostgreSQL at db.example:5432/payouts) cannot be used: too many clients", err.Error())
}

func TestOpenWithWrongPassword(t *testing.T) {
	t.Parallel()
	own, err := url.Parse(postgresURL(t))
	require.NoError(t, err)
	own.User = url.UserPassword("nobody_here", "geheim")
	_, err = Open(t.Context(), own.String())
	var failure *Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, CodeUnreachable, failure.Code)
	require.NotContains(t, err.Error(), "geheim")
}

func TestOpenGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	require.NoError(t, err)
	defer func() { require.NoError(t, deaf.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Open(ctx, "postgres://u:geheim@"+deaf.Addr().String()+"/db?sslmode=disable")
	var failure *Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, CodeUnreachable, failure.Code)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestConnectionSettings(t *testing.T) {
	t.Parallel()
	b := opened(t, postgresURL(t))
	var timeout string
	require.NoError(t, b.get(t.Context(), &timeout, "SHOW idle_in_transaction_session_timeout"))
	require.Equal(t, "30s", timeout)
	b = opened(t, postgresURL(t)+"&idle_in_transaction_session_timeout=7s")
	require.NoError(t, b.get(t.Context(), &timeout, "SHOW idle_in_transaction_session_timeout"))
	require.Equal(t, "7s", timeout)

	b = opened(t, sqliteURL(t))
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000",
	} {
		var write, read string
		require.NoError(t, b.write.Get(&write, "PRAGMA "+pragma))
		require.NoError(t, b.read.Get(&read, "PRAGMA "+pragma))
		require.Equal(t, [2]string{want, want}, [2]string{write, read}, pragma)
	}
	_, err := b.read.Exec("CREATE TABLE x (y INTEGER)")
	require.ErrorContains(t, err, "readonly")
	info, err := os.Stat(strings.TrimPrefix(b.url, "sqlite:"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm()) // it holds personal data
}

func TestALedgerInALogShowsNoPassword(t *testing.T) {
	t.Parallel()
	own, err := url.Parse(postgresURL(t))
	require.NoError(t, err)
	own.User = url.UserPassword(own.User.Username(), "geheim")
	b := opened(t, own.String())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, b.Ledger), "geheim", verb)
		require.NotContains(t, fmt.Sprintf(verb, *b.Ledger), "geheim", verb)
	}
}

func TestSQLitePaths(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for text, file := range map[string]string{
		"sqlite:relative.db":                  "relative.db",
		"sqlite:" + dir + "/absolute.db":      "absolute.db",
		"sqlite://" + dir + "/slashes.db":     "slashes.db",
		"sqlite:with space, % and #signs%.db": "with space, % and #signs%.db",
	} {
		migrated(t, text)
		require.FileExists(t, filepath.Join(dir, file), text)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	forEachURL(t, func(t *testing.T, url string) {
		b := opened(t, url)
		var failure *Error
		require.ErrorAs(t, b.Ping(t.Context()), &failure)
		require.Equal(t, CodeSchema, failure.Code)
		require.Equal(t, fmt.Sprintf("the ledger's tables are at version 0 and this program needs %d: start a worker, which migrates them", b.engine.newest()), failure.Text)

		require.NoError(t, b.Migrate(t.Context()))
		require.NoError(t, b.Ping(t.Context()))
		require.NoError(t, b.Migrate(t.Context()))
		version, err := b.version(t.Context())
		require.NoError(t, err)
		require.Equal(t, b.engine.newest(), version)

		require.NoError(t, b.exec("INSERT INTO "+versionTable+" (version_id, is_applied) VALUES (999, true)"))
		require.NoError(t, b.Ping(t.Context()), "a newer schema serves the release before")
		require.NoError(t, b.Migrate(t.Context()))
	})
}

// A database from before the first release has the tables and another record of
// versions. It is refused whole, and nothing in it changes.
func TestAForeignSchemaIsRefused(t *testing.T) {
	t.Parallel()
	forEachURL(t, func(t *testing.T, url string) {
		b := opened(t, url)
		require.NoError(t, b.exec("CREATE TABLE orders (id BIGINT)"))
		require.NoError(t, b.exec("CREATE TABLE ledger_migrations (version_id BIGINT)"))
		require.NoError(t, b.exec("INSERT INTO ledger_migrations VALUES (12)"))
		for name, try := range map[string]func() error{
			"ping":    func() error { return b.Ping(t.Context()) },
			"migrate": func() error { return b.Migrate(t.Context()) },
			"ready":   func() error { return b.Ready(t.Context()) },
		} {
			var failure *Error
			require.ErrorAs(t, try(), &failure, name)
			require.Equal(t, CodeForeign, failure.Code, name)
			require.Contains(t, failure.Text, "Use an empty database", name)
			require.True(t, failure.Lasting(), name)
		}
		for table, want := range map[string]int{"orders": 1, "books": 0, versionTable: 0} {
			var tables int
			require.NoError(t, b.get(t.Context(), &tables, b.engine.countTables, table))
			require.Equal(t, want, tables, table)
		}

		require.NoError(t, b.exec("DROP TABLE orders"))
		require.NoError(t, b.Migrate(t.Context()))
		require.NoError(t, b.Ping(t.Context()))
	})
}

func TestBothEnginesHaveTheSameMigrations(t *testing.T) {
	t.Parallel()
	names := func(e engine) []string {
		files, err := migrations.ReadDir("migrations/" + e.name)
		require.NoError(t, err)
		var names []string
		for _, file := range files {
			require.Regexp(t, `^\d{5}_[a-z_]+\.sql$`, file.Name())
			names = append(names, file.Name())
		}
		return names
	}
	require.Equal(t, names(embedded), names(postgres))
}

// Everything is stamped with one clock: PostgreSQL's own, however the clock of
// the process goes.
func TestTheClockIsTheServers(t *testing.T) {
	t.Parallel()
	address := postgresURL(t)
	b := migrated(t, address)
	var schema string
	require.NoError(t, b.get(t.Context(), &schema, "SELECT current_schema()"))
	// The server is an hour ahead of this process: its clock is looked for in the
	// test's schema first.
	require.NoError(t, b.exec(`CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE SQL AS $$
		SELECT pg_catalog.clock_timestamp() + INTERVAL '1 hour' $$`))
	ahead := opened(t, strings.Replace(address, "search_path="+schema, "search_path="+schema+"%2Cpg_catalog", 1))
	ahead.books(t, "1000", "0")

	own := time.Now()
	now, err := ahead.Now(t.Context())
	require.NoError(t, err)
	o := open(t, ahead, request(order.Withdrawal, "W1", "1"))
	attempt, err := ahead.NextSubmission(t.Context(), o.Key(), 0)
	require.NoError(t, err)
	for name, stamped := range map[string]time.Time{"now": now, "order": o.CreatedAt, "attempt": attempt.StartedAt} {
		require.WithinRange(t, stamped, own.Add(59*time.Minute), own.Add(61*time.Minute), name)
	}
	young := 0
	for range ahead.OpenOrders(t.Context(), time.Second) {
		young++
	}
	require.Zero(t, young, "the order is not old: both times are the server's")
}

func TestPingTellsWhenTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	forEachURL(t, func(t *testing.T, url string) {
		l, err := Open(t.Context(), url)
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
	forEachURL(t, func(t *testing.T, url string) {
		failures := make([]error, 6)
		together(len(failures), func(i int) {
			l, err := Open(t.Context(), url)
			if err != nil {
				failures[i] = err
				return
			}
			failures[i] = errors.Join(l.Migrate(t.Context()), l.Ping(t.Context()), l.Close())
		})
		for _, failure := range failures {
			require.NoError(t, failure)
		}
		b := opened(t, url)
		var applied int
		require.NoError(t, b.get(t.Context(), &applied, "SELECT COUNT(*) FROM "+versionTable+" WHERE version_id > 0"))
		files, err := migrations.ReadDir("migrations/" + b.engine.name)
		require.NoError(t, err)
		require.Equal(t, len(files), applied)
	})
}

// Only one worker migrates a PostgreSQL at a time; the lock is its schema's.
func TestMigrateWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	b, other := opened(t, postgresURL(t)), opened(t, postgresURL(t))
	session, err := b.write.Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()
	locker, err := b.migrationLock(t.Context())
	require.NoError(t, err)
	require.NoError(t, locker.SessionLock(t.Context(), session))

	waiting, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, b.Migrate(waiting), context.DeadlineExceeded)
	require.True(t, b.engine.noTable(b.get(t.Context(), new(int), "SELECT COUNT(*) FROM orders")))
	require.NoError(t, other.Migrate(t.Context()), "another schema's turn")

	require.NoError(t, locker.SessionUnlock(t.Context(), session))
	require.NoError(t, b.Migrate(t.Context()))
}

func TestMigrateFailsWhole(t *testing.T) {
	t.Parallel()
	forEachURL(t, func(t *testing.T, url string) {
		b := opened(t, url)
		require.NoError(t, b.exec("CREATE TABLE snapshots (of_something_else TEXT)"))
		require.ErrorContains(t, b.Migrate(t.Context()), "migrate from version 0")
		version, err := b.version(t.Context())
		require.NoError(t, err)
		require.Zero(t, version)
		require.True(t, b.engine.noTable(b.get(t.Context(), new(int), "SELECT COUNT(*) FROM orders")), "all or nothing")

		require.NoError(t, b.exec("DROP TABLE snapshots"))
		require.NoError(t, b.Migrate(t.Context()))
		require.NoError(t, b.Ping(t.Context()))
	})
}

func TestTwoHandlesWriteAtOnce(t *testing.T) {
	t.Parallel()
	forEachURL(t, func(t *testing.T, url string) {
		handles := []*testBundle{migrated(t, url), migrated(t, url), migrated(t, url)}
		handles[0].books(t, "200", "0")
		failures := make([]error, 90)
		together(len(failures), func(i int) {
			handle := handles[i%len(handles)]
			_, _, failures[i] = handle.OpenOrder(t.Context(), request(order.Withdrawal, fmt.Sprint("W", i/2), "10"), Terms{})
		})
		for _, failure := range failures {
			require.NoError(t, failure)
		}
		require.Equal(t, map[Account]string{AccountOpening: "-200", AccountInFlight: "200"}, handles[1].balances(t))
		orders, err := handles[2].Orders(t.Context(), Filter{})
		require.NoError(t, err)
		require.Len(t, orders, 45)
		handles[0].clean(t)
	})
}

// A writer that waits for another process's lock gives up with its context.
func TestWaitingForTheWriteLockHonoursTheContext(t *testing.T) {
	t.Parallel()
	b := migrated(t, sqliteURL(t))
	b.books(t, "100", "0")
	other := opened(t, b.url)
	hold, err := other.write.Beginx()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _, err = b.OpenOrder(ctx, request(order.Withdrawal, "W1", "10"), Terms{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = b.Orders(t.Context(), Filter{}) // readers do not wait
	require.NoError(t, err)
	require.NoError(t, hold.Rollback())
	open(t, b, request(order.Withdrawal, "W1", "10"))
}

// A server that insists on more isolation than we need makes transactions
// fail that met another one: they are run again.
func TestCollisionsAreRunAgain(t *testing.T) {
	t.Parallel()
	b := migrated(t, postgresURL(t)+"&default_transaction_isolation=serializable")
	b.books(t, "1000", "0")
	failures := make([]error, 24)
	together(len(failures), func(i int) {
		_, _, failures[i] = b.OpenOrder(t.Context(), request(order.Withdrawal, fmt.Sprint("W", i), "10"), Terms{})
	})
	opened := 0
	for _, failure := range failures {
		if failure == nil {
			opened++
		} else {
			require.True(t, b.engine.collided(failure), failure)
		}
	}
	require.GreaterOrEqual(t, opened, 12)
	require.Equal(t, fmt.Sprint(opened*10), b.balances(t)[AccountInFlight])
	b.clean(t)
}

func TestAgain(t *testing.T) {
	t.Parallel()
	l := &Ledger{engine: postgres}
	collision := fmt.Errorf("settle: %w", &pq.Error{Code: "40P01"})
	runs := 0
	require.NoError(t, l.again(t.Context(), func() error {
		if runs++; runs < 4 {
			return collision
		}
		return nil
	}))
	require.Equal(t, 4, runs)

	runs = 0
	require.ErrorIs(t, l.again(t.Context(), func() error { runs++; return collision }), collision)
	require.Equal(t, collisions, runs)

	runs = 0
	require.ErrorIs(t, l.again(t.Context(), func() error { runs++; return ErrState }), ErrState)
	require.Equal(t, 1, runs)

	ctx, cancel := context.WithCancel(t.Context())
	runs = 0
	err := l.again(ctx, func() error { runs++; cancel(); return collision })
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, runs)
}

func TestFit(t *testing.T) {
	t.Parallel()
	require.Equal(t, "plain ü", fit("plain ü"))
	require.Equal(t, "a\uFFFDb\uFFFD", fit("a\x00b\xff"))
	require.Equal(t, strings.Repeat("x", maxText), fit(strings.Repeat("x", maxText)))
	require.Equal(t, "x"+strings.Repeat("é", maxText/2-1)+"…", fit("x"+strings.Repeat("é", maxText)))
}
