package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx"
)

// Tx is one transaction; its methods are one statement each.
type Tx struct {
	ForUpdate string    // ends a SELECT whose row must stay as it was read until the transaction ends
	At        time.Time // the database's time, stamped on everything that the transaction writes

	tx *sqlx.Tx
}

// Write runs do in a transaction, again from the start if it collided with
// another one. do must not keep anything from an earlier run.
func (d *DB) Write(ctx context.Context, do func(*Tx) error) error {
	return d.explained(ctx, d.again(ctx, func() error {
		begun, err := d.write.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}
		at, err := d.readClock(ctx, begun)
		if err == nil {
			err = do(&Tx{tx: begun, ForUpdate: d.engine.forUpdate, At: at})
		}
		if err != nil {
			return errors.Join(err, ignoreDone(begun.Rollback()))
		}
		return begun.Commit()
	}))
}

// View runs do in a transaction that writes nothing and sees one state of the
// whole database, however often it reads.
func (d *DB) View(ctx context.Context, do func(*Tx) error) error {
	begun, err := d.read.BeginTxx(ctx, &d.engine.snapshot)
	if err != nil {
		return err
	}
	defer func() { _ = begun.Rollback() }() // nothing was written
	return do(&Tx{tx: begun})
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
func (d *DB) again(ctx context.Context, do func() error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := do()
		readOnly := d.engine.readOnly(err)
		if err == nil || attempt == collisions || !readOnly && !d.collided(err) {
			return err
		}
		if readOnly {
			d.renew()
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

// collided reports whether a transaction lost against another one.
func (d *DB) collided(err error) bool { return d.engine.collided(err, d.schema.Constraints) }

// Get reads one row; sql.ErrNoRows if there is none.
func (t *Tx) Get(ctx context.Context, into any, query string, args ...any) error {
	return t.tx.GetContext(ctx, into, t.tx.Rebind(query), args...)
}

// List reads all rows.
func (t *Tx) List(ctx context.Context, into any, query string, args ...any) error {
	return t.tx.SelectContext(ctx, into, t.tx.Rebind(query), args...)
}

// Rows reads row by row. The caller closes it.
func (t *Tx) Rows(ctx context.Context, query string, args ...any) (*sqlx.Rows, error) {
	return t.tx.QueryxContext(ctx, t.tx.Rebind(query), args...)
}

// Put writes and returns how many rows it wrote.
func (t *Tx) Put(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := t.tx.ExecContext(ctx, t.tx.Rebind(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// PutRows writes one row per element of rows, whose members are named in the
// query, and reads what the query returns.
func (t *Tx) PutRows(ctx context.Context, into any, query string, rows any) error {
	bound, args, err := t.tx.BindNamed(query, rows)
	if err != nil {
		return err
	}
	return t.tx.SelectContext(ctx, into, bound, args...)
}

// Get reads one row outside of a transaction: one statement sees one state.
// sql.ErrNoRows if there is none.
func (d *DB) Get(ctx context.Context, into any, query string, args ...any) error {
	return d.explained(ctx, d.read.GetContext(ctx, into, d.read.Rebind(query), args...))
}

// List reads all rows outside of a transaction.
func (d *DB) List(ctx context.Context, into any, query string, args ...any) error {
	return d.explained(ctx, d.read.SelectContext(ctx, into, d.read.Rebind(query), args...))
}
