package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
)

// tx is one transaction that writes.
//
// PostgreSQL's default isolation, READ COMMITTED, is enough. A write depends only
// on rows that the transaction has locked until its end (lockOrder), or on
// conditions in the UPDATE or INSERT itself: a compared state, a compared balance,
// a unique key. It never depends on a row that another transaction may change
// before this one commits.
//
// Locks are always taken in the same sequence, so that transactions cannot
// deadlock: first the order's row, then the books' row. The books' row comes last
// because all orders of a merchant share it, so it is locked only during the
// commit. Approve and Reserve lock it a little earlier, to check that the balance
// covers the order.
//
// Writes that go out together (putAll) keep that sequence: the order's row is locked before,
// and the books' row comes last.
//
// The totals of a decision over a list are locked after the order's row and before the
// books' row.
//
// An adjustment's row is locked before the books' row, too. The head of the
// merchant's audit chain is locked last. A transaction that holds such a head
// waits for no other lock.
//
// OpenOrder under daily limits is the exception. It locks the books' row first. It
// holds the lock while it reads the totals and inserts the order, so that no two
// orders count the same total. The order's row is new, so no other transaction
// holds it. A deadlock needs a concurrent opening of the same number without
// limits. PostgreSQL then aborts one of the two, which is retried.
type tx struct {
	*sqldb.Tx
	keys *seal.Keys
	private
	authority Authority
}

// inTx runs do in a transaction. It retries the transaction after a conflict with
// another one. do must not keep state between tries.
func (l *Ledger) inTx(ctx context.Context, do func(tx) error) error {
	return l.db.Write(ctx, l.bound(do))
}

// inUndatedTx is inTx for rows without a time: see sqldb.DB.WriteUndated.
func (l *Ledger) inUndatedTx(ctx context.Context, do func(tx) error) error {
	return l.db.WriteUndated(ctx, l.bound(do))
}

func (l *Ledger) bound(do func(tx) error) func(*sqldb.Tx) error {
	return func(t *sqldb.Tx) error { return do(tx{t, l.keys, l.private, l.authority}) }
}

// write is a statement of a transaction, and what must be true of how many rows it wrote.
type write struct {
	sqldb.Statement
	check func(rows int64) error // an error rolls back
}

// putAll runs writes of different tables, in one round trip where the engine can: see
// sqldb.Tx.PutAll. The check of the first one comes first.
func (t tx) putAll(ctx context.Context, writes ...write) error {
	statements := make([]sqldb.Statement, len(writes))
	for i, w := range writes {
		statements[i] = w.Statement
	}
	rows, err := t.PutAll(ctx, statements...)
	if err != nil {
		return err
	}
	for i, w := range writes {
		if w.check == nil {
			continue
		}
		if err := w.check(rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// statement returns a write without a check.
func statement(query string, args ...any) write {
	return write{Statement: sqldb.Statement{Query: query, Args: args}}
}

// missing converts sql.ErrNoRows to ErrNotFound.
func missing(err error, format string, values ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: "+format, append([]any{ErrNotFound}, values...)...)
	}
	return err
}
