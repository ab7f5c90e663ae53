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
}

// inTx runs do in a transaction. It retries the transaction after a conflict with
// another one. do must not keep state between tries.
func (l *Ledger) inTx(ctx context.Context, do func(tx) error) error {
	return l.db.Write(ctx, func(t *sqldb.Tx) error { return do(tx{t, l.keys, l.private}) })
}

// missing converts sql.ErrNoRows to ErrNotFound.
func missing(err error, format string, values ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: "+format, append([]any{ErrNotFound}, values...)...)
	}
	return err
}
