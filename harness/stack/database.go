package stack

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"os/exec"
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
	dir    string // of a server of the stack's own

	logins map[string]*url.Userinfo // of processes, by kind; none: all have the URL's
}

func (d database) isFile() bool { return strings.HasPrefix(d.url, "sqlite:") }

// prepareDatabase prepares the place of the ledger; a server of the stack's
// own is started for it.
func (s *Stack) prepareDatabase(ctx context.Context, bin string, ports map[port]string) (database, error) {
	if !s.options.OwnDatabase {
		return openDatabase(ctx, s.options.DatabaseURL, s.dir, s.options.Dir == "")
	}
	s.say("starting PostgreSQL")
	if _, err := os.Stat(filepath.Join(bin, withpostgres)); err != nil {
		return database{}, fmt.Errorf("no %s in %s: run %s", withpostgres, bin, makeCommand(withpostgres))
	}
	made, err := exec.CommandContext(ctx, filepath.Join(bin, withpostgres), "-make").Output() //nolint:gosec // the stack's own program
	if err != nil {
		return database{}, fmt.Errorf("make a PostgreSQL cluster with %s: %w", withpostgres, err)
	}
	address := ports[portPostgres]
	_, number := split(address)
	d := database{dir: strings.TrimSpace(string(made)), schema: "payouts", url: "postgres://postgres@" + address + "/postgres?sslmode=disable"}
	// PostgreSQL's account may not enter our directory: its data is elsewhere.
	if err := os.Symlink(d.dir, filepath.Join(s.dir, Postgres)); err != nil {
		return d, fmt.Errorf("point to the PostgreSQL cluster: %w", err)
	}
	args := []string{"-serve", d.dir, "-port", number}
	for _, setting := range s.options.DatabaseSettings {
		args = append(args, "-set", setting)
	}
	s.programs[Postgres] = program{
		name: Postgres, path: filepath.Join(bin, withpostgres), log: s.Log(Postgres),
		args:  args,
		ready: func(ctx context.Context) error { return d.ping(ctx) },
		whole: true,
	}
	return d, s.Launch(ctx, Postgres)
}

// withpostgres is the program that finds PostgreSQL on this machine.
const withpostgres = "withpostgres"

func (d database) ping(ctx context.Context) error {
	db, err := sql.Open("postgres", d.url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return db.PingContext(ctx)
}

// by returns the database's URL with the login of a process, and with another address
// of its server.
func (d database) by(name string, route func(address string) (string, error)) (string, error) {
	if d.isFile() {
		return d.url, nil
	}
	parsed, err := url.Parse(d.as(name))
	if err != nil {
		return "", errors.New("the database's URL cannot be read") // it may hold a password
	}
	if parsed.Host, err = route(parsed.Host); err != nil {
		return "", err
	}
	return parsed.String(), nil
}

// openDatabase prepares the place of a ledger. A PostgreSQL database is given a schema of the
// stack's own, because a ledger must fit the sandbox's records. The same directory gets the
// same schema, a temporary directory a new one.
func openDatabase(ctx context.Context, server, dir string, temporary bool) (database, error) {
	if server == "" {
		return database{url: "sqlite:" + filepath.Join(dir, "ledger.db")}, nil
	}
	d := database{server: server, schema: schemaOf(dir)}
	if temporary {
		d.schema = "payouts_" + randomHex()
	}
	var err error
	if d.url, err = InSchema(server, d.schema); err != nil {
		return database{}, err
	}
	return d, d.execute(ctx, "CREATE SCHEMA IF NOT EXISTS "+d.schema)
}

// InSchema returns a PostgreSQL database's URL with one of its schemas as the
// place of all tables.
func InSchema(databaseURL, schema string) (string, error) {
	parsed, err := url.Parse(databaseURL)
	if err != nil || (parsed.Scheme != "postgres" && parsed.Scheme != "postgresql") {
		// A URL may hold a password, so the error does not repeat it.
		return "", errors.New("the database must be a PostgreSQL one: postgres://user:password@host/name")
	}
	query := parsed.Query()
	query.Set("search_path", schema)
	parsed.RawQuery = query.Encode()
	return parsed.String(), nil
}

// drop removes the schema, or the stack's own server's data, unless it is kept.
func (d database) drop(keep bool) error {
	if keep {
		return nil
	}
	if d.dir != "" {
		return os.RemoveAll(d.dir)
	}
	if d.schema == "" {
		return nil
	}
	statement := "DROP SCHEMA IF EXISTS " + d.schema + " CASCADE"
	for _, login := range d.logins {
		statement += "; DROP ROLE IF EXISTS " + login.Username()
	}
	return d.execute(context.Background(), statement)
}

func (d database) execute(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	db, err := sql.Open("postgres", cmp.Or(d.server, d.url))
	if err != nil {
		return errors.New("open the database: its URL cannot be read")
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("the ledger's database cannot be used: %w", err)
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
