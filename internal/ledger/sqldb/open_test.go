package sqldb

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
)

func TestOpenRefusesURLs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "ledger.db", "/var/ledger.db", "mysql://u:geheim@h/db", "sqlite:", "sqlite::memory:", "sqlite:/var/x.db?mode=ro",
		"postgres://u:geheim%zz@h/db", "postgres://u:geheim@h:port/db", "postgres://u:geheim@h/db?sslmode=perhaps",
		"postgres://u:geheim@h/db?connect_timeout=soon", "http://u:geheim@h/",
	} {
		_, err := Open(t.Context(), text, toy, Options{})
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
		"closed port":   {"postgres://u:geheim@" + closed.Addr().String() + "/db?sslmode=disable", "PostgreSQL at " + closed.Addr().String() + "/db) refused the connection, so nothing listens at " + closed.Addr().String() + "; check"},
		"escaped":       {"postgres://u:ge%2Fheim@" + closed.Addr().String() + "/db", "refused the connection"},
		"in parameters": {"postgres://" + closed.Addr().String() + "/db?user=u&password=geheim", "refused the connection"},
		"garbage":       {"sqlite:" + garbage, "not a database"},
	} {
		_, err := Open(t.Context(), test.url, toy, Options{})
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
	l, err := Open(t.Context(), "sqlite:"+path, toy, Options{})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	for file, mode := range map[string]os.FileMode{filepath.Dir(path): os.ModeDir | 0o700, path: 0o600} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode(), file)
	}
	l, err = Open(t.Context(), "sqlite:"+path, toy, Options{Existing: true})
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
		_, err := Open(t.Context(), "sqlite:"+path, toy, Options{})
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
		_, err := Open(t.Context(), "sqlite:"+path, toy, Options{Existing: true})
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
	own, err := url.Parse(dbtest.Postgres(t))
	require.NoError(t, err)
	own.User = url.UserPassword("nobody_here", "geheim")
	_, err = Open(t.Context(), own.String(), toy, Options{})
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
	_, err = Open(ctx, "postgres://u:geheim@"+deaf.Addr().String()+"/db?sslmode=disable", toy, Options{})
	var failure *Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, CodeUnreachable, failure.Code)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Contains(t, failure.Text, "PostgreSQL at "+deaf.Addr().String()+"/db) did not answer in time; check")
}

func TestConnectionSettings(t *testing.T) {
	t.Parallel()
	b := opened(t, dbtest.Postgres(t))
	var timeout string
	require.NoError(t, b.Get(t.Context(), &timeout, "SHOW idle_in_transaction_session_timeout"))
	require.Equal(t, "30s", timeout)
	b = opened(t, dbtest.Postgres(t)+"&idle_in_transaction_session_timeout=7s")
	require.NoError(t, b.Get(t.Context(), &timeout, "SHOW idle_in_transaction_session_timeout"))
	require.Equal(t, "7s", timeout)

	b = opened(t, dbtest.SQLite(t))
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
