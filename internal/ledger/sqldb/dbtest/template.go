package dbtest

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
)

// Template makes databases that are copies of one. A copy of a database of PostgreSQL
// takes a tenth of the time of all migrations. A package's tests share one Template, and
// call Close after the last of them.
type Template struct {
	migrate func(ctx context.Context, url string) error

	sqlite   func() ([]byte, error)
	postgres func() (string, error)
	made     string // the database of postgres, once there is one
}

// NewTemplate returns a Template of the tables that migrate makes. Nothing is made before
// a test asks for a copy.
func NewTemplate(migrate func(ctx context.Context, url string) error) *Template {
	p := &Template{migrate: migrate}
	p.sqlite, p.postgres = sync.OnceValues(p.makeSQLite), sync.OnceValues(p.makePostgres)
	return p
}

// SQLite returns the URL of a file with the tables. It is removed when the test ends.
func (p *Template) SQLite(t testing.TB) string {
	t.Helper()
	tables, err := p.sqlite()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ledger.db")
	require.NoError(t, os.WriteFile(file, tables, 0o600))
	return "sqlite:" + file
}

// Postgres returns the URL of a database with the tables, on the server of
// TEST_POSTGRES_URL. It is dropped when the test ends.
func (p *Template) Postgres(t testing.TB) string {
	t.Helper()
	Server(t) // stops a test without one
	template, err := p.postgres()
	require.NoError(t, err)
	name := randomName()
	admin(t, "CREATE DATABASE "+name+" TEMPLATE "+template)
	t.Cleanup(func() { admin(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return inDatabase(name)
}

// Each runs a test on both engines, each with a copy of its own.
func (p *Template) Each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	each(t, p.SQLite, p.Postgres, test)
}

// Close drops the database that copies were made of.
func (p *Template) Close() error {
	if p.made == "" {
		return nil
	}
	return execute("DROP DATABASE " + p.made + " WITH (FORCE)")
}

func (p *Template) makeSQLite() ([]byte, error) {
	folder, err := os.MkdirTemp("", "template")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "ledger.db")
	if err := p.migrate(context.Background(), "sqlite:"+file); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

func (p *Template) makePostgres() (string, error) {
	name := randomName()
	if err := execute("CREATE DATABASE " + name); err != nil {
		return "", err
	}
	p.made = name
	return name, p.migrate(context.Background(), inDatabase(name))
}

// admin runs a statement that is no part of a test.
func admin(t testing.TB, statement string) {
	t.Helper()
	require.NoError(t, execute(statement))
}

// execute runs a statement on the server, in a session of its own.
func execute(statement string) error {
	server, err := sqlx.Open("postgres", os.Getenv(envURL))
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }()
	_, err = server.Exec(statement)
	return err
}

// inDatabase returns the URL of another database of the server.
func inDatabase(name string) string {
	own, err := url.Parse(os.Getenv(envURL))
	if err != nil {
		panic(err) // execute has used it
	}
	own.Path = "/" + name
	return own.String()
}
