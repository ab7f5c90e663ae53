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
// The database, either PostgreSQL or SQLite, is package sqldb. Sentences for
// people are package worklist.
package ledger

import (
	"context"
	"embed"
	"io/fs"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/money"
)

// Migrations go forward only, and each leaves the release before it working:
// workers of two releases run side by side during an upgrade.
//
//go:embed migrations
var migrations embed.FS

var schema = sqldb.Schema{
	Migrations: sub(migrations, "migrations"),
	// Builds from before the first release kept their version in another table.
	Versions: "ledger_versions",
	Own:      "orders",
	Written:  []string{"orders", "submissions", "transfers", "books", "inbox", "audit", "chains"},
	// Somebody has filled in the same gateway id since it was looked for.
	Constraints: []string{"orders_gateway_id"},
	SumTooLarge: "a sum of the books would be larger than can be held; nothing was written. Look at the merchant's largest orders and adjustments",
}

func sub(files fs.FS, folder string) fs.FS {
	found, err := fs.Sub(files, folder)
	if err != nil {
		panic("ledger: migrations are embedded: " + err.Error())
	}
	return found
}

// Ledger is an open database. It is safe for concurrent use.
type Ledger struct{ db *sqldb.DB }

// Option changes how a ledger is opened.
type Option func(*sqldb.Options)

// AllowUnencrypted permits a connection to a PostgreSQL on another machine that
// is not encrypted for certain. Without it, that is CodeUnencrypted.
func AllowUnencrypted(allow bool) Option {
	return func(o *sqldb.Options) { o.Unencrypted = allow }
}

// Open connects to "postgres://user:password@host/name?…",
// "postgresql://…" or "sqlite:path/to/file.db", which is made if it does not
// exist, with its directory. It does not migrate.
//
// The error is an *Error with CodeURL, CodeUnencrypted or CodeUnreachable. It
// never shows the password.
func Open(ctx context.Context, url string, options ...Option) (*Ledger, error) {
	return connect(ctx, url, sqldb.Options{}, options)
}

// OpenExisting is Open for whoever reads what a worker has made: a SQLite file
// that does not exist is an *Error with CodeNoFile, and is not made.
func OpenExisting(ctx context.Context, url string, options ...Option) (*Ledger, error) {
	return connect(ctx, url, sqldb.Options{Existing: true}, options)
}

func connect(ctx context.Context, url string, options sqldb.Options, changes []Option) (*Ledger, error) {
	for _, change := range changes {
		change(&options)
	}
	db, err := sqldb.Open(ctx, url, schema, options)
	if err != nil {
		return nil, err
	}
	return &Ledger{db}, nil
}

// Migrate brings the schema to the version that this program wants. Any number
// of processes may call it at once; a schema that is new enough is left alone.
//
// The error is an *Error with CodeUnreachable or CodeForeign, or what the
// database said to a migration.
func (l *Ledger) Migrate(ctx context.Context) error { return l.db.Migrate(ctx) }

// Ping reports whether the database answers and its schema is one that this
// program can work with: its own version, or a newer one, because a migration
// leaves the release before it working.
//
// The error is an *Error with CodeUnreachable, CodeSchema or CodeForeign.
func (l *Ledger) Ping(ctx context.Context) error { return l.db.Ping(ctx) }

// Ready reports whether orders can be written now: it is Ping, and takes the
// locks that writing takes, within a second or so. It changes nothing. A session
// that takes no writes is not used again.
//
// The error is an *Error with CodeUnreachable, CodeSchema, CodeForeign,
// CodeReadOnly or CodeBusy.
func (l *Ledger) Ready(ctx context.Context) error { return l.db.Ready(ctx) }

// Close lets go of all connections.
func (l *Ledger) Close() error { return l.db.Close() }

// SetClock sets the clock that rows are stamped with, for tests that skip
// time. Call it before the ledger is used.
func (l *Ledger) SetClock(clock func() time.Time) { l.db.SetClock(clock) }

// Now is the ledger's time, with which every row is stamped: the server's on
// PostgreSQL, the machine's on SQLite. UTC, whole milliseconds.
//
// Whatever is compared with a time that the ledger returned is compared with
// Now, and never with the clock of a process: two machines differ, and a
// suspended process does not know how late it is.
func (l *Ledger) Now(ctx context.Context) (time.Time, error) { return l.db.Now(ctx) }

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
