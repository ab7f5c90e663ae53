// Package ledger stores in SQL: orders and their states, every attempt to send a
// create, every amount that moved, the callbacks received, the decisions of
// people, and comparisons of the gateway's balance with ours.
//
// Books are double entry. A transfer moves an amount between two accounts of one
// merchant and currency. Transfers are never changed or deleted. The balances are
// updated in the same transaction. An order's state changes by compare-and-set
// along the state table of package order, in the same transaction as its
// transfers. Money that moved at the gateway without an order is booked by two
// persons: see Adjustment.
//
// Every change of an order, and every refused action of a person, writes one audit
// entry in the same transaction. The entries of an order are a chain: each has a
// hash over itself and the hash of the previous one. Each is sealed with a key that is
// not in the database. The order's history is read from them.
//
// Package sqldb accesses the database, PostgreSQL or SQLite. Package worklist
// writes the texts for people.
package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/migrations"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

var schema = sqldb.Schema{
	Migrations: migrations.Files,
	// Builds from before the first release kept their versions in other tables: ledger_migrations
	// and ledger_versions. So their databases are refused.
	Versions: "ledger_schema",
	Own:      "orders",
	// Violated if a concurrent transaction stored the same gateway id, or added to the
	// audit's tree.
	Constraints: []string{"orders_gateway_id", "audit_tree_pkey", "audit_tree_entry", "audit_tree_hashes_pkey", "checkpoints_pkey"},
	SumTooLarge: "a sum of the books would be larger than can be held; nothing was written. Look at the merchant's largest orders and adjustments",
}

// What Ready demands of each process.
var (
	DriveOrders = sqldb.Duty{ // worker
		Writes: []string{"orders", "submissions", "transfers", "books", "audit", "chains"}, Reads: []string{"inbox", "moves"},
	}
	TakeCallbacks = sqldb.Duty{Writes: []string{"inbox"}, Reads: []string{"orders"}} // receiver
)

// Ledger is an open database. It is safe for concurrent use.
type Ledger struct {
	db        *sqldb.DB
	keys      *seal.Keys // nil: entries of the audit are not sealed
	authority Authority  // nil: no roster
	private   private
	erasing   Erasing
	zones     map[string]string // the time zone of merchants, where this process knows it
	proved    *provedEnds

	twoPersonClose func(stake money.Amount) bool // nil: one person closes any discrepancy
}

// Authority says who may act: see package authority. Permit and PermitStart are
// called within a transaction, with the time of the transaction. A proof with a time Done is
// one of the audit: it may have expired since then, and everything else is asked as of now.
type Authority interface {
	// Refresh is called before such a transaction.
	Refresh()
	// Permit returns why the action on the order is refused, or what the audit keeps of
	// it. An action that needs no signature has no proof.
	Permit(action order.Action, o order.Order, at time.Time) (envelope.Kept, *order.Refusal)
	// PermitStart does the same for the start of an order, and returns the proof. That of
	// an unsigned start is empty: two persons must approve the order.
	PermitStart(request order.Request, at time.Time) (proof string, refusal *order.Refusal)
	// PermitAdjustment does the same for an action on an adjustment. The adjustment is
	// as proposed, or as it is on record.
	PermitAdjustment(action string, who order.Who, adjustment order.AdjustmentProposal, at time.Time) (proof string, refusal *order.Refusal)
	// PermitResume does the same for the end of a stop of the scope and the id.
	PermitResume(who order.Who, scope order.StopScope, id int64, at time.Time) (proof string, refusal *order.Refusal)
	// PermitDiscrepancy does the same for closing a discrepancy with the stake. If two
	// persons close it, a system is not one of them.
	PermitDiscrepancy(who order.Who, d order.DiscrepancySigned, stake money.Amount, two bool, at time.Time) (proof string, refusal *order.Refusal)
	// PermitErasure does the same for the erasure of an order's personal data.
	PermitErasure(who order.Who, key order.Key, at time.Time) (proof string, refusal *order.Refusal)
	// PermitClosing does the same for the closing of a day.
	PermitClosing(who order.Who, day order.DayRef, at time.Time) (proof string, refusal *order.Refusal)
}

// SetAuthority sets who may act. Without an authority everybody may, and signed
// actions are refused with ROSTER_NOT_SET. Call it before any other use of the
// ledger.
func (l *Ledger) SetAuthority(authority Authority) { l.authority = authority }

// Option is an option of Open and OpenExisting.
type Option func(*options)

type options struct {
	sqldb.Options
	keys *seal.Keys
	ring *vault.Ring
}

// AllowUnencrypted permits a connection to PostgreSQL on another machine that may
// be unencrypted. Without it, Open returns CodeUnencrypted.
func AllowUnencrypted(allow bool) Option {
	return func(o *options) { o.Unencrypted = allow }
}

// SealWith seals every entry of the audit that the ledger writes, and signs
// checkpoints. Without keys, or with nil, entries have no seal, which VerifyAudit
// reports.
func SealWith(keys *seal.Keys) Option {
	return func(o *options) { o.keys = keys }
}

// ReadOnly opens the ledger so that the database refuses every write. A missing SQLite
// file is not created.
func ReadOnly() Option {
	return func(o *options) { o.ReadOnly = true }
}

// Open connects to "postgres://user:password@host/name?…", "postgresql://…" or
// "sqlite:path/to/file.db", which is created with its directory if it does not
// exist. It does not migrate.
//
// The error is an *Error with CodeURL, CodeUnencrypted or CodeUnreachable. It
// never shows the password.
func Open(ctx context.Context, url string, options ...Option) (*Ledger, error) {
	return connect(ctx, url, false, options)
}

// OpenExisting is Open, but does not create a SQLite file: a missing one is an
// *Error with CodeNoFile.
func OpenExisting(ctx context.Context, url string, options ...Option) (*Ledger, error) {
	return connect(ctx, url, true, options)
}

func connect(ctx context.Context, url string, existing bool, changes []Option) (*Ledger, error) {
	var chosen options
	chosen.Existing = existing
	for _, change := range changes {
		change(&chosen)
	}
	db, err := sqldb.Open(ctx, url, schema, chosen.Options)
	if err != nil {
		return nil, err
	}
	return &Ledger{db: db, keys: chosen.keys, private: private{chosen.ring, chosen.ReadOnly}, proved: new(provedEnds)}, nil
}

// Migrate migrates the schema to the version of this program. Any number of
// processes may call it at once. It does not change a schema of this version or a
// newer one.
//
// The error is an *Error with CodeUnreachable or CodeForeign, one with CodeSchema if
// the login may not migrate, or the database's error of a migration.
func (l *Ledger) Migrate(ctx context.Context) error { return l.db.Migrate(ctx) }

// Ping reports whether the database answers and this program can work with its
// schema: its own version or a newer one.
//
// The error is an *Error with CodeUnreachable, CodeSchema or CodeForeign.
func (l *Ledger) Ping(ctx context.Context) error { return l.db.Ping(ctx) }

// Ready reports whether a process can do its duty now: DriveOrders or TakeCallbacks.
// It does Ping, and takes the locks of its writes and reads, within about a second. It
// changes nothing. It closes sessions that refuse writes.
//
// The error is an *Error with CodeUnreachable, CodeSchema, CodeForeign,
// CodeReadOnly, CodeForbidden or CodeBusy.
func (l *Ledger) Ready(ctx context.Context, duty sqldb.Duty) error { return l.db.Ready(ctx, duty) }

// GrantRoles makes the database roles of migrations/roles.sql and gives each what its
// process needs. It may be repeated, and must be after every migration. SQLite has no
// roles: the error is an *order.Refusal with order.CodeInvalidRequest.
func (l *Ledger) GrantRoles(ctx context.Context) error {
	if l.db.Engine() != sqldb.Postgres {
		return order.Refuse(order.CodeInvalidRequest, "SQLite has no roles: they are for PostgreSQL")
	}
	script, err := migrations.Files.ReadFile("roles.sql")
	if err == nil {
		err = l.db.Run(ctx, string(script))
	}
	if err != nil {
		return fmt.Errorf("ledger: grant the roles: %w", err)
	}
	return nil
}

// Close closes all connections.
func (l *Ledger) Close() error { return l.db.Close() }

// SetClock sets the clock of the rows' times, for tests that skip time. Call it
// before any other use of the ledger.
func (l *Ledger) SetClock(clock func() time.Time) { l.db.SetClock(clock) }

// Now returns the time that is stored in rows: the server's on PostgreSQL, the
// machine's on SQLite. It is in UTC, in whole milliseconds.
//
// Compare times of the ledger with Now only, never with the clock of a process.
// The clocks of two machines differ, and a process may be suspended after it has
// read its clock.
func (l *Ledger) Now(ctx context.Context) (time.Time, error) { return l.db.Now(ctx) }

// moment converts a time column: Unix milliseconds; 0 is the zero time.
func moment(milliseconds int64) time.Time {
	if milliseconds == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds).UTC()
}

// amounts converts amount columns (minor units) of one currency. It keeps the last
// error.
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
