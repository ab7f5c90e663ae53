package sqldb

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
)

// What is opened for reading only reads what others write, and the database refuses
// every write of it. With SQLite, also when no writer has the file open.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		b := migrated(t, url)
		require.NoError(t, b.put(t, "one", 1))
		reader, err := Open(t.Context(), url, toy, Options{ReadOnly: true})
		require.NoError(t, err)
		names := func() (found []string) {
			require.NoError(t, reader.List(t.Context(), &found, "SELECT name FROM things ORDER BY name"))
			return found
		}
		require.NoError(t, reader.Ping(t.Context()))
		require.Equal(t, []string{"one"}, names())
		require.NoError(t, b.put(t, "two", 2))
		require.Equal(t, []string{"one", "two"}, names())
		refused := func() {
			t.Helper()
			err := reader.Write(t.Context(), func(w *Tx) error {
				_, err := w.Put(t.Context(), "DELETE FROM things")
				return err
			})
			require.Error(t, err)
			for _, pool := range []interface{ Ping() error }{reader.write, reader.read} {
				require.NoError(t, pool.Ping())
			}
			_, err = reader.write.ExecContext(t.Context(), "CREATE TABLE more (id BIGINT)")
			require.ErrorContains(t, err, "read")
			require.Error(t, reader.Run(t.Context(), "DELETE FROM things"))
		}
		refused()
		require.NoError(t, b.Close())
		require.Equal(t, []string{"one", "two"}, names())
		refused()
		require.NoError(t, reader.Close())

		reader, err = Open(t.Context(), url, toy, Options{ReadOnly: true})
		require.NoError(t, err)
		require.Equal(t, []string{"one", "two"}, names(), "nobody else has it open")
		refused()
		require.NoError(t, reader.Close())
	})
}

func TestReadingMakesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Open(t.Context(), "sqlite:"+filepath.Join(dir, "sub", "ledger.db"), toy, Options{ReadOnly: true})
	var failure *Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, CodeNoFile, failure.Code)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// A ledger that nobody has migrated, and an older one, is refused; a newer one is read.
func TestReadersDemandTheTables(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		require.NoError(t, opened(t, url).Close()) // with SQLite, there is an empty file
		reader, err := Open(t.Context(), url, toy, Options{ReadOnly: true})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, reader.Close()) })
		var failure *Error
		require.ErrorAs(t, reader.Ping(t.Context()), &failure)
		require.Equal(t, CodeSchema, failure.Code)
		require.ErrorContains(t, failure, "run worker migrate")
		require.Error(t, reader.Migrate(t.Context()), "it changes nothing")
		b := migrated(t, url)
		require.NoError(t, reader.Ping(t.Context()))
		require.NoError(t, b.exec("INSERT INTO toy_versions (version_id, is_applied) VALUES (99, "+map[string]string{SQLite: "1", Postgres: "true"}[b.Engine()]+")"))
		require.NoError(t, reader.Ping(t.Context()))
	})
}
