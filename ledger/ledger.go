// Package ledger is what we know, in SQL: orders and how far they are, every
// create that was about to be sent, every amount that moved, the callbacks
// that came in, what people decided, and the gateway's balance beside ours.
//
// Books are double entry. A transfer moves an amount between two accounts of
// one merchant and currency, rows of transfers are only ever added, and the
// balances are kept beside them in the same transaction. An order's state
// changes by compare-and-set along the table of package order, in the same
// transaction as the money that follows from it. What moved at the gateway and
// belongs to no order is booked by two persons: see Adjustment.
//
// Whatever changes an order, and whatever a person asks for and is refused,
// writes one entry of the audit in the same transaction. The entries of an
// order are a chain, each with a hash over itself and the one before it; the
// order's history is read from them.
//
// The same SQL runs on PostgreSQL (production) and on SQLite (development and
// the demo; several processes may share the file). What differs is in
// engine.go and in the migrations.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Ledger is an open database. It is safe for concurrent use.
type Ledger struct {
	engine engine
	write  *sqlx.DB
	read   *sqlx.DB         // the same pool as write on PostgreSQL
	clock  func() time.Time // nil: the engine's own

	// away makes the error of a database that does not answer. It knows the
	// URL, which no field does: a Ledger may end up in a log.
	away func(context.Context, error) *Error
}

// Option changes how a ledger is opened.
type Option func(*options)

type options struct {
	unencrypted bool
}

// AllowUnencrypted permits a connection to a PostgreSQL on another machine that
// is not encrypted for certain. Without it, that is CodeUnencrypted.
func AllowUnencrypted(allow bool) Option { return func(o *options) { o.unencrypted = allow } }

// Open connects to "postgres://user:password@host/name?…",
// "postgresql://…" or "sqlite:path/to/file.db", which is made if it does not
// exist, with its directory. It does not migrate.
//
// The error is an *Error with CodeURL, CodeUnencrypted or CodeUnreachable. It
// never shows the password.
func Open(ctx context.Context, url string, options ...Option) (*Ledger, error) {
	return connect(ctx, url, true, options)
}

// OpenExisting is Open for whoever reads what a worker has made: a SQLite file
// that does not exist is an *Error with CodeNoFile, and is not made.
func OpenExisting(ctx context.Context, url string, options ...Option) (*Ledger, error) {
	return connect(ctx, url, false, options)
}

func connect(ctx context.Context, url string, create bool, changes []Option) (*Ledger, error) {
	var options options
	for _, change := range changes {
		change(&options)
	}
	engine, err := engineFor(url)
	if err != nil {
		return nil, err
	}
	if err := engine.prepare(url, create); err != nil {
		return nil, err
	}
	l := &Ledger{engine: engine}
	l.away = func(ctx context.Context, err error) *Error { return unreachable(ctx, url, err) }
	if l.write, l.read, err = engine.open(url, options); err != nil {
		return nil, err
	}
	// Two processes that make a SQLite file at once may collide.
	err = l.again(ctx, func() error { return l.write.PingContext(ctx) })
	if err != nil {
		_ = l.Close()
		return nil, l.away(ctx, err)
	}
	return l, nil
}

// Ping reports whether the database answers and its schema is one that this
// program can work with: its own version, or a newer one, because a migration
// leaves the release before it working.
//
// The error is an *Error with CodeUnreachable, CodeSchema or CodeForeign.
func (l *Ledger) Ping(ctx context.Context) error {
	version, err := l.version(ctx)
	if err != nil {
		return err
	}
	if wanted := l.engine.newest(); version < wanted {
		return &Error{Code: CodeSchema, Text: schemaText(version, wanted)}
	}
	return nil
}

// Ready reports whether orders can be written now: it is Ping, and takes the
// locks that writing takes, within a second or so. It changes nothing. A session
// that takes no writes is not used again.
//
// The error is an *Error with CodeUnreachable, CodeSchema, CodeForeign,
// CodeReadOnly or CodeBusy.
func (l *Ledger) Ready(ctx context.Context) error {
	if err := l.Ping(ctx); err != nil {
		return err
	}
	var failure *Error
	err := l.engine.ready(ctx, l.write)
	switch {
	case err == nil:
		return nil
	case l.engine.readOnly(err):
		l.renew()
		return &Error{Code: CodeReadOnly, Text: "the ledger's database takes no writes: its server is a standby, or was made read-only"}
	case errors.As(l.explained(ctx, err), &failure):
		return failure
	}
	return l.away(ctx, err)
}

// renew throws the sessions away that nobody uses now. Those in use follow when
// they meet a write that is refused.
func (l *Ledger) renew() {
	l.write.SetMaxIdleConns(0)
	l.write.SetMaxIdleConns(poolSize)
}

// explained names the error of a database that is there and did not get to it, or
// that cannot hold a sum.
// What was asked of it may have been done all the same.
func (l *Ledger) explained(ctx context.Context, err error) error {
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
	if err == nil || errors.Is(ctx.Err(), context.Canceled) ||
		!l.engine.busy(err) && !(late && errors.Is(err, context.DeadlineExceeded)) {
		return l.summed(err)
	}
	return &Error{
		Code:  CodeBusy,
		Text:  "the ledger's database did not get to it in time: somebody else holds a lock (a migration, a backup, a transaction left open), or it has too much to do; try again later",
		cause: ctx.Err(),
	}
}

// Close lets go of all connections.
func (l *Ledger) Close() error {
	if l.read == l.write {
		return l.write.Close()
	}
	return errors.Join(l.read.Close(), l.write.Close())
}

// SetClock sets the clock that rows are stamped with, for tests that skip
// time. Call it before the ledger is used.
func (l *Ledger) SetClock(clock func() time.Time) { l.clock = clock }

// Now is the ledger's time, with which every row is stamped: the server's on
// PostgreSQL, the machine's on SQLite. UTC, whole milliseconds.
//
// Whatever is compared with a time that the ledger returned is compared with
// Now, and never with the clock of a process: two machines differ, and a
// suspended process does not know how late it is.
func (l *Ledger) Now(ctx context.Context) (time.Time, error) {
	now, err := l.readClock(ctx, l.read)
	if err != nil {
		return time.Time{}, fmt.Errorf("ledger: read the clock: %w", err)
	}
	return now, nil
}

// readClock reads the ledger's time, in a transaction or outside of one.
func (l *Ledger) readClock(ctx context.Context, from sqlx.QueryerContext) (time.Time, error) {
	switch {
	case l.clock != nil:
		return l.clock().UTC().Truncate(time.Millisecond), nil
	case l.engine.clock == "":
		return time.Now().UTC().Truncate(time.Millisecond), nil
	}
	var milliseconds int64
	err := sqlx.GetContext(ctx, from, &milliseconds, l.engine.clock)
	return moment(milliseconds), err
}

// moment reads a time column: Unix milliseconds, zero for never.
func moment(milliseconds int64) time.Time {
	if milliseconds == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds).UTC()
}

// amounts reads amount columns of one currency, minor units.
type amounts struct {
	currency string
	err      error
}

func (a *amounts) of(minor int64) money.Amount {
	amount, err := money.Minor(minor, a.currency)
	if err != nil {
		a.err = err
	}
	return amount
}
