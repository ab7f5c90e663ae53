// Package sqldb is the SQL database that the ledger is kept in: two engines,
// opening, retries, transactions and migrations. It does not know what the tables
// mean: see Schema.
//
// The same SQL runs on PostgreSQL (production) and on SQLite (development and
// the demo; several processes may share the file). What differs is in engine.go
// and in the migrations.
package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jmoiron/sqlx"
)

// Schema is what a DB has to know of its tables.
type Schema struct {
	Migrations  fs.FS    // a folder per engine, "postgres" and "sqlite"
	Versions    string   // the table of versions, which migrating makes
	Own         string   // a table that the first migration makes: if it is there without a version, the database is foreign
	Written     []string // the tables that Ready takes the locks of
	Constraints []string // unique constraints whose violation means that a transaction collided and is run again
	SumTooLarge string   // the text of CodeSum: what to look at
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	engine engine
	schema Schema
	write  *sqlx.DB
	read   *sqlx.DB         // the same pool as write on PostgreSQL
	clock  func() time.Time // nil: the engine's own

	// away makes the error of a database that does not answer. It knows the
	// URL, which no field does: a DB may end up in a log.
	away func(context.Context, error) *Error
}

// Options say how a database is opened.
type Options struct {
	Existing    bool // a SQLite file that does not exist is an *Error with CodeNoFile, and is not made
	Unencrypted bool // a PostgreSQL on another machine need not be encrypted
}

// Open connects to "postgres://user:password@host/name?…",
// "postgresql://…" or "sqlite:path/to/file.db", which is made if it does not
// exist, with its directory. It does not migrate.
//
// The error is an *Error with CodeURL, CodeNoFile, CodeUnencrypted or
// CodeUnreachable. It never shows the password.
func Open(ctx context.Context, url string, schema Schema, options Options) (*DB, error) {
	engine, err := engineFor(url)
	if err != nil {
		return nil, err
	}
	if err := engine.prepare(url, !options.Existing); err != nil {
		return nil, err
	}
	d := &DB{engine: engine, schema: schema}
	d.away = func(ctx context.Context, err error) *Error { return unreachable(ctx, url, err) }
	if d.write, d.read, err = engine.open(url, options); err != nil {
		return nil, err
	}
	// Two processes that make a SQLite file at once may collide.
	err = d.again(ctx, func() error { return d.write.PingContext(ctx) })
	if err != nil {
		_ = d.Close()
		return nil, d.away(ctx, err)
	}
	return d, nil
}

// Engine is Postgres or SQLite.
func (d *DB) Engine() string { return d.engine.name }

// Pools are the pools of sessions that write and that read, the same one on
// PostgreSQL, for whoever needs the driver itself: tests.
func (d *DB) Pools() (write, read *sqlx.DB) { return d.write, d.read }

// Ping reports whether the database answers and its schema is one that this
// program can work with: its own version, or a newer one, because a migration
// leaves the release before it working.
//
// The error is an *Error with CodeUnreachable, CodeSchema or CodeForeign.
func (d *DB) Ping(ctx context.Context) error {
	version, err := d.version(ctx)
	if err != nil {
		return err
	}
	if wanted := d.newest(); version < wanted {
		return &Error{Code: CodeSchema, Text: schemaText(version, wanted)}
	}
	return nil
}

// Ready reports whether the tables can be written now: it is Ping, and takes the
// locks that writing takes, within a second or so. It changes nothing. A session
// that takes no writes is not used again.
//
// The error is an *Error with CodeUnreachable, CodeSchema, CodeForeign,
// CodeReadOnly or CodeBusy.
func (d *DB) Ready(ctx context.Context) error {
	if err := d.Ping(ctx); err != nil {
		return err
	}
	var failure *Error
	err := d.engine.ready(ctx, d.write, d.schema.Written)
	switch {
	case err == nil:
		return nil
	case d.engine.readOnly(err):
		d.renew()
		return &Error{Code: CodeReadOnly, Text: "the ledger's database takes no writes: its server is a standby, or was made read-only"}
	case errors.As(d.explained(ctx, err), &failure):
		return failure
	}
	return d.away(ctx, err)
}

// renew throws the sessions away that nobody uses now. Those in use follow when
// they meet a write that is refused.
func (d *DB) renew() {
	d.write.SetMaxIdleConns(0)
	d.write.SetMaxIdleConns(poolSize)
}

// explained names the error of a database that is there and did not get to it, or
// that cannot hold a sum.
// What was asked of it may have been done all the same.
func (d *DB) explained(ctx context.Context, err error) error {
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
	if err == nil || errors.Is(ctx.Err(), context.Canceled) ||
		!d.engine.busy(err) && !(late && errors.Is(err, context.DeadlineExceeded)) {
		return d.summed(err)
	}
	return &Error{
		Code:  CodeBusy,
		Text:  "the ledger's database did not get to it in time: somebody else holds a lock (a migration, a backup, a transaction left open), or it has too much to do; try again later",
		cause: ctx.Err(),
	}
}

// Close lets go of all connections.
func (d *DB) Close() error {
	if d.read == d.write {
		return d.write.Close()
	}
	return errors.Join(d.read.Close(), d.write.Close())
}

// SetClock sets the clock that rows are stamped with, for tests that skip
// time. Call it before the database is used.
func (d *DB) SetClock(clock func() time.Time) { d.clock = clock }

// Now is the database's time, with which every row is stamped: the server's on
// PostgreSQL, the machine's on SQLite. UTC, whole milliseconds.
//
// Whatever is compared with a time that the database returned is compared with
// Now, and never with the clock of a process: two machines differ, and a
// suspended process does not know how late it is.
func (d *DB) Now(ctx context.Context) (time.Time, error) {
	now, err := d.readClock(ctx, d.read)
	if err != nil {
		return time.Time{}, fmt.Errorf("ledger: read the clock: %w", err)
	}
	return now, nil
}

// readClock reads the database's time, in a transaction or outside of one.
func (d *DB) readClock(ctx context.Context, from sqlx.QueryerContext) (time.Time, error) {
	switch {
	case d.clock != nil:
		return d.clock().UTC().Truncate(time.Millisecond), nil
	case d.engine.clock == "":
		return time.Now().UTC().Truncate(time.Millisecond), nil
	}
	var milliseconds int64
	err := sqlx.GetContext(ctx, from, &milliseconds, d.engine.clock)
	return time.UnixMilli(milliseconds).UTC(), err
}
