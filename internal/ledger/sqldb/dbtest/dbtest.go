// Package dbtest gives tests an empty database of each engine.
package dbtest

import (
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq" // the driver "postgres"
	"github.com/stretchr/testify/require"
)

// SQLite returns the URL of a file that does not exist yet. It is removed when
// the test ends.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
}

// Postgres returns the URL of an empty schema of the test's own, on the server
// of TEST_POSTGRES_URL. It is dropped when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	server := Server(t)
	var name [8]byte
	_, err := rand.Read(name[:])
	require.NoError(t, err)
	schema := "ledger_" + hex.EncodeToString(name[:])

	admin, err := sqlx.Open("postgres", server)
	require.NoError(t, err)
	_, err = admin.Exec("CREATE SCHEMA " + schema)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.Exec("DROP SCHEMA " + schema + " CASCADE")
		require.NoError(t, err)
		require.NoError(t, admin.Close())
	})
	own, err := url.Parse(server)
	require.NoError(t, err)
	query := own.Query()
	query.Set("search_path", schema)
	own.RawQuery = query.Encode()
	return own.String()
}

// Server returns TEST_POSTGRES_URL, the URL of a server on which tests may create
// schemas.
func Server(t testing.TB) string {
	t.Helper()
	server := os.Getenv("TEST_POSTGRES_URL")
	if server == "" {
		t.Fatal("TEST_POSTGRES_URL is not set: these tests need a PostgreSQL; run `make test`, which finds or installs one and starts it")
	}
	return server
}

// Each runs a test on both engines, each with an empty database.
func Each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}
