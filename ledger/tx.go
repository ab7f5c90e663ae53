package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx"
)

// tx is one transaction that writes; its methods are one statement each.
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
type tx struct {
	*sqlx.Tx
	forUpdate string
	at        time.Time // the ledger's, stamped on everything that the transaction writes
}

// inTx runs do in a transaction, again from the start if it collided with
// another one. do must not keep anything from an earlier run.
func (l *Ledger) inTx(ctx context.Context, do func(tx) error) error {
	return l.explained(ctx, l.again(ctx, func() error {
		begun, err := l.write.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}
		at, err := l.readClock(ctx, begun)
		if err == nil {
			err = do(tx{Tx: begun, forUpdate: l.engine.forUpdate, at: at})
		}
		if err != nil {
			return errors.Join(err, ignoreDone(begun.Rollback()))
		}
		return begun.Commit()
	}))
}

// ignoreDone forgives a rollback of what the database has ended already.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// How often and how patiently a collision is met.
const (
	collisions = 10
	firstPause = 2 * time.Millisecond
	longPause  = 250 * time.Millisecond
)

// again runs do until it does not collide, and meets no session that takes no
// writes, a bounded number of times.
func (l *Ledger) again(ctx context.Context, do func() error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := do()
		readOnly := l.engine.readOnly(err)
		if err == nil || attempt == collisions || !readOnly && !l.engine.collided(err) {
			return err
		}
		if readOnly {
			l.renew()
		}
		timer := time.NewTimer(pause/2 + rand.N(pause)) //nolint:gosec // spreads collisions, guards nothing
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		case <-timer.C:
		}
		pause = min(2*pause, longPause)
	}
}

// get reads one row; sql.ErrNoRows if there is none.
func (t tx) get(ctx context.Context, into any, query string, args ...any) error {
	return t.GetContext(ctx, into, t.Rebind(query), args...)
}

// list reads all rows.
func (t tx) list(ctx context.Context, into any, query string, args ...any) error {
	return t.SelectContext(ctx, into, t.Rebind(query), args...)
}

// put writes and returns how many rows it wrote.
func (t tx) put(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := t.ExecContext(ctx, t.Rebind(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// putRows writes one row per element of rows, whose members are named in the
// query, and reads what the query returns.
func (t tx) putRows(ctx context.Context, into any, query string, rows any) error {
	bound, args, err := t.BindNamed(query, rows)
	if err != nil {
		return err
	}
	return t.SelectContext(ctx, into, bound, args...)
}

// get and list outside of a transaction: one statement sees one state.
func (l *Ledger) get(ctx context.Context, into any, query string, args ...any) error {
	return l.explained(ctx, l.read.GetContext(ctx, into, l.read.Rebind(query), args...))
}

func (l *Ledger) list(ctx context.Context, into any, query string, args ...any) error {
	return l.explained(ctx, l.read.SelectContext(ctx, into, l.read.Rebind(query), args...))
}

// missing turns "no rows" into ErrNotFound.
func missing(err error, format string, values ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: "+format, append([]any{ErrNotFound}, values...)...)
	}
	return err
}
