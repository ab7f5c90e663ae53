package stack

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/lib/pq" // the driver behind "postgres"
)

// databasePatience bounds making and dropping a schema.
const databasePatience = 10 * time.Second

// database is where a stack's ledger is.
type database struct {
	url    string
	server string // PostgreSQL: the URL without our schema
	schema string // PostgreSQL: the stack's own
}

// openDatabase prepares the place of a ledger. A PostgreSQL database is given
// a schema of the stack's own, because a ledger belongs to the gateway's book
// that it was opened against: the same one for the same directory, a new one
// for a temporary directory.
func openDatabase(ctx context.Context, server, dir string, temporary bool) (database, error) {
	if server == "" {
		return database{url: "sqlite:" + filepath.Join(dir, "ledger.db")}, nil
	}
	parsed, err := url.Parse(server)
	if err != nil || (parsed.Scheme != "postgres" && parsed.Scheme != "postgresql") {
		// A URL may hold a password, so the error does not repeat it.
		return database{}, errors.New("the database must be a PostgreSQL one: postgres://user:password@host/name")
	}
	d := database{server: server, schema: schemaOf(dir)}
	if temporary {
		d.schema = "payouts_" + randomHex()
	}
	query := parsed.Query()
	query.Set("search_path", d.schema)
	parsed.RawQuery = query.Encode()
	d.url = parsed.String()
	return d, d.execute(ctx, "CREATE SCHEMA IF NOT EXISTS "+d.schema)
}

// drop removes the schema, unless it is kept.
func (d database) drop(keep bool) error {
	if keep || d.schema == "" {
		return nil
	}
	return d.execute(context.Background(), "DROP SCHEMA IF EXISTS "+d.schema+" CASCADE")
}

func (d database) execute(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	db, err := sql.Open("postgres", d.server)
	if err != nil {
		return errors.New("open the database: its URL cannot be read")
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("the ledger's database cannot be used (%s): %w", strings.ToLower(statement), err)
	}
	return nil
}

func schemaOf(dir string) string {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(dir)) // a hash takes everything
	return fmt.Sprintf("payouts_%x", sum.Sum64())
}

func randomHex() string {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	return hex.EncodeToString(random[:])
}
