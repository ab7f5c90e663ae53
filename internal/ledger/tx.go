package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
)

// tx is one transaction that writes.
//
// PostgreSQL's default isolation, READ COMMITTED, is enough. Whatever decides
// what is written is either read under a row lock that lasts to the end
// (lockOrder), or is part of the UPDATE or INSERT itself: a state compared, a
// balance compared, a unique key. Nothing is decided on a row that another
// transaction may change before this one commits.
//
// Locks are taken in one order, the order's row and then the books' row, so
// that transactions wait for each other but never in a circle. The books' row
// comes last, because all orders of a merchant share it: it is held for the
// commit and not for more. An approval, and funds that arrive, lock it a little
// earlier, to see whether it covers the order.
//
// An adjustment's row comes before the books' row, too. Its entry in the
// merchant's audit comes last; nobody who holds the head of such a chain waits
// for anything else.
//
// OpenOrder under daily limits is the exception: it locks the books' row first,
// and keeps it while it reads what the limits count and writes the order, so
// that no two orders count the same total. The order's row is its own, and new.
// A circle closes only if somebody opens an order of the same number without
// limits at the same moment; PostgreSQL then ends one of the two, which is run
// again.
type tx struct{ *sqldb.Tx }

// inTx runs do in a transaction, again from the start if it collided with
// another one. do must not keep anything from an earlier run.
func (l *Ledger) inTx(ctx context.Context, do func(tx) error) error {
	return l.db.Write(ctx, func(t *sqldb.Tx) error { return do(tx{t}) })
}

// missing turns "no rows" into ErrNotFound.
func missing(err error, format string, values ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: "+format, append([]any{ErrNotFound}, values...)...)
	}
	return err
}
