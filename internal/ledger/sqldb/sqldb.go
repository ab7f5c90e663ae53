// Package sqldb accesses the SQL database of the ledger: two engines, opening,
// retries, transactions and migrations. It knows nothing about the tables except
// the Schema.
//
// The same SQL runs on PostgreSQL (production) and on SQLite (development and the
// demo; several processes may share the file). The differences are in engine.go
// and in the migrations.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
)

// Schema describes the tables of a DB.
type Schema struct {
	Migrations  fs.FS    // a folder per engine, "postgres" and "sqlite"
	Versions    string   // the table of versions, which Migrate creates
	Own         string   // a table that the first migration creates: a database with this table and no version is foreign
	Constraints []string // unique constraints whose violation is a conflict: the transaction is retried
	SumTooLarge string   // the message of CodeSum
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	engine engine
	schema Schema
	write  *sqlx.DB
	read   *sqlx.DB         // the same pool as write on PostgreSQL
	clock  func() time.Time // nil: the engine's clock
	writes sql.TxOptions    // of a transaction that writes; pq lets it write in a read-only session unless it says otherwise

	// away returns the error for a database that does not answer. Only this
	// closure has the URL, so that a logged DB does not show it.
	away func(context.Context, error) *Error
}

// Options are the options of Open.
type Options struct {
	Existing    bool // a missing SQLite file is an *Error with CodeNoFile, and is not created
	Unencrypted bool // allow an unencrypted connection to PostgreSQL on another machine
	ReadOnly    bool // the database refuses every write; a missing SQLite file is not created
}

// Duty lists the tables that a process must be able to use.
type Duty struct{ Writes, Reads []string }

// Open connects to "postgres://user:password@host/name?…", "postgresql://…" or
// "sqlite:path/to/file.db", which is created with its directory if it does not
// exist. It does not migrate.
//
// The error is an *Error with CodeURL, CodeNoFile, CodeUnencrypted or
// CodeUnreachable. It never shows the password.
func Open(ctx context.Context, url string, schema Schema, options Options) (*DB, error) {
	engine, err := engineFor(url)
	if err != nil {
		return nil, err
	}
	if err := engine.prepare(url, options); err != nil {
		return nil, err
	}
	d := &DB{engine: engine, schema: schema, writes: sql.TxOptions{ReadOnly: options.ReadOnly}}
	d.away = func(ctx context.Context, err error) *Error { return unreachable(ctx, url, err) }
	if d.write, d.read, err = engine.open(url, options); err != nil {
		return nil, err
	}
	// Two processes that create a SQLite file at the same time may conflict.
	err = d.retryConflict(ctx, func() error { return d.write.PingContext(ctx) })
	if err != nil {
		_ = d.Close()
		return nil, d.away(ctx, err)
	}
	return d, nil
}

// Engine returns Postgres or SQLite.
func (d *DB) Engine() string { return d.engine.name }

// Pools returns the pools of writing and of reading sessions, for tests. On
// PostgreSQL both are the same pool.
func (d *DB) Pools() (write, read *sqlx.DB) { return d.write, d.read }

// Ping reports whether the database answers and this program can work with its
// schema: its own version or a newer one.
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

// Ready reports whether the tables of a duty can be used now. It does Ping, and takes
// the locks of a write and of a read, within about a second. It changes nothing. It
// closes sessions that refuse writes.
//
// The error is an *Error with CodeUnreachable, CodeSchema, CodeForeign,
// CodeReadOnly, CodeForbidden or CodeBusy.
func (d *DB) Ready(ctx context.Context, duty Duty) error {
	if err := d.Ping(ctx); err != nil {
		return err
	}
	var failure *Error
	err := d.engine.ready(ctx, d.write, duty)
	switch {
	case err == nil:
		return nil
	case d.engine.readOnly(err):
		d.closeIdle()
		return &Error{Code: CodeReadOnly, Text: "the ledger's database takes no writes: its server is a standby, or was made read-only"}
	case d.engine.forbidden(err):
		return &Error{Code: CodeForbidden, Text: "the login of this process lacks a right in the ledger's database: " + err.Error() + "; check its role, and run worker migrate --roles"}
	case errors.As(d.codedError(ctx, err), &failure):
		return failure
	}
	return d.away(ctx, err)
}

// Run runs a script of statements, in one transaction.
func (d *DB) Run(ctx context.Context, script string) error {
	begun, err := d.write.BeginTxx(ctx, &d.writes)
	if err != nil {
		return err
	}
	if _, err = begun.ExecContext(ctx, script); err != nil {
		return errors.Join(err, ignoreDone(begun.Rollback()))
	}
	return begun.Commit()
}

// closeIdle closes the idle sessions. The sessions in use stay open: renew is called
// again when one of their writes is refused.
func (d *DB) closeIdle() {
	d.write.SetMaxIdleConns(0)
	d.write.SetMaxIdleConns(poolSize)
}

// codedError converts timeouts to an *Error with CodeBusy, and overflows to one
// with CodeSum. After a timeout the statement may have taken effect nevertheless.
func (d *DB) codedError(ctx context.Context, err error) error {
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
	if err == nil || errors.Is(ctx.Err(), context.Canceled) ||
		!d.engine.busy(err) && !(late && errors.Is(err, context.DeadlineExceeded)) {
		return d.sumError(err)
	}
	return &Error{
		Code:  CodeBusy,
		Text:  "the ledger's database did not get to it in time: somebody else holds a lock (a migration, a backup, a transaction left open), or it has too much to do; try again later",
		cause: ctx.Err(),
	}
}

// Close closes all connections.
func (d *DB) Close() error {
	if d.read == d.write {
		return d.write.Close()
	}
	return errors.Join(d.read.Close(), d.write.Close())
}

// SetClock sets the clock of the rows' times, for tests that skip time. Call it
// before any other use of the database.
func (d *DB) SetClock(clock func() time.Time) { d.clock = clock }

// Now returns the time that is stored in rows: the server's on PostgreSQL, the
// machine's on SQLite. It is in UTC, in whole milliseconds.
//
// Compare times of the database with Now only, never with the clock of a process.
// The clocks of two machines differ, and a process may be suspended after it has
// read its clock.
func (d *DB) Now(ctx context.Context) (time.Time, error) {
	now, err := d.readClock(ctx, d.read)
	if err != nil {
		return time.Time{}, fmt.Errorf("ledger: read the clock: %w", err)
	}
	return now, nil
}

// readClock reads the database's time, in a transaction or outside.
func (d *DB) readClock(ctx context.Context, from sqlx.QueryerContext) (time.Time, error) {
	var milliseconds int64
	expression := d.clockExpression()
	if own, err := strconv.ParseInt(expression, 10, 64); err == nil {
		return time.UnixMilli(own).UTC(), nil
	}
	err := sqlx.GetContext(ctx, from, &milliseconds, "SELECT "+expression)
	return time.UnixMilli(milliseconds).UTC(), err
}

// clockExpression is an SQL expression for the database's time in Unix milliseconds: the
// server's clock, or the number that the process's clock says now.
func (d *DB) clockExpression() string {
	switch {
	case d.clock != nil:
		return strconv.FormatInt(d.clock().UnixMilli(), 10)
	case d.engine.clock == "":
		return strconv.FormatInt(time.Now().UnixMilli(), 10)
	}
	return d.engine.clock
}
