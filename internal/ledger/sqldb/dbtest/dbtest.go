// Package dbtest gives tests an empty database of each engine.
package dbtest

import (
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/lib/pq" // the driver "postgres"
	"github.com/stretchr/testify/require"
)

// envURL names the server on which tests may create schemas and databases.
const envURL = "TEST_POSTGRES_URL"

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
	own, err := url.Parse(Server(t))
	require.NoError(t, err)
	schema := randomName()
	admin(t, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { admin(t, "DROP SCHEMA "+schema+" CASCADE") })
	query := own.Query()
	query.Set("search_path", schema)
	own.RawQuery = query.Encode()
	return own.String()
}

// Server returns TEST_POSTGRES_URL, the URL of a server on which tests may create
// schemas.
func Server(t testing.TB) string {
	t.Helper()
	server := os.Getenv(envURL)
	if server == "" {
		t.Fatal(envURL + " is not set: these tests need a PostgreSQL; run `make test`, which finds or installs one and starts it")
	}
	return server
}

// Each runs a test on both engines, each with an empty database.
func Each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	each(t, SQLite, Postgres, test)
}

func each(t *testing.T, sqlite, postgres func(testing.TB) string, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, sqlite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, postgres(t))
	})
}

// randomName returns a name for a schema or a database, which no other one has.
func randomName() string {
	var name [8]byte
	_, _ = rand.Read(name[:]) // never fails
	return "ledger_" + hex.EncodeToString(name[:])
}
