package sqldb

import (
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// toy is a schema of two tables, the same on both engines.
var toy = Schema{
	Migrations: fstest.MapFS{
		"sqlite/00001_toy.sql":   &fstest.MapFile{Data: []byte(toyTables)},
		"postgres/00001_toy.sql": &fstest.MapFile{Data: []byte(toyTables)},
	},
	Versions: "toy_versions", Own: "things", Constraints: []string{"things_name"}, SumTooLarge: "look at the things",
}

// things is the duty of whoever writes the toy.
var things = Duty{Writes: []string{"things"}}

const toyTables = `-- +goose Up
CREATE TABLE things (name TEXT NOT NULL CONSTRAINT things_name UNIQUE, amount BIGINT NOT NULL);
CREATE TABLE others (name TEXT NOT NULL);
`

// next is the toy of the release after, whose second migration has the statements.
func next(statements string) Schema {
	files, later := make(fstest.MapFS), toy
	for _, engine := range []string{SQLite, Postgres} {
		files[engine+"/00001_toy.sql"] = &fstest.MapFile{Data: []byte(toyTables)}
		files[engine+"/00002_notes.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + statements)}
	}
	later.Migrations = files
	return later
}

const toyNotes = `ALTER TABLE things ADD COLUMN note TEXT NOT NULL DEFAULT '';
UPDATE things SET note = 'of ' || name;
`

// testDB is a database of one engine.
type testDB struct {
	*DB
	url string
}

func opened(t *testing.T, url string) *testDB {
	t.Helper()
	return openedAs(t, url, toy)
}

func openedAs(t *testing.T, url string, schema Schema) *testDB {
	t.Helper()
	d, err := Open(t.Context(), url, schema, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return &testDB{d, url}
}

func migrated(t *testing.T, url string) *testDB {
	t.Helper()
	d := opened(t, url)
	require.NoError(t, d.Migrate(t.Context()))
	return d
}

// exec runs SQL past the retries.
func (d *testDB) exec(query string, args ...any) error {
	_, err := d.write.Exec(d.write.Rebind(query), args...)
	return err
}

// put adds a thing.
func (d *testDB) put(t *testing.T, name string, amount int64) error {
	t.Helper()
	return d.Write(t.Context(), func(x *Tx) error {
		_, err := x.Put(t.Context(), "INSERT INTO things (name, amount) VALUES (?, ?)", name, amount)
		return err
	})
}

// together runs do so often at once.
func together(n int, do func(i int)) {
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { do(i) })
	}
	running.Wait()
}
