package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// Tx is a transaction. Each of its methods runs one statement.
type Tx struct {
	ForUpdate string    // the end of a SELECT that locks its rows until the transaction ends
	At        time.Time // the database's time, stored in all rows that the transaction writes

	tx     *sqlx.Tx
	engine *engine
	clock  func() string
}

// Write runs do in a transaction. It retries the transaction after a conflict with
// another one. do must not keep state between tries.
func (d *DB) Write(ctx context.Context, do func(*Tx) error) error {
	return d.WriteUndated(ctx, func(t *Tx) (err error) {
		if t.At, err = d.readClock(ctx, t.tx); err != nil {
			return err
		}
		return do(t)
	})
}

// WriteUndated is Write for rows without a time, and for a first statement that reads Clock,
// which do stores in At. It does not read the database's clock, so it needs a statement
// less.
func (d *DB) WriteUndated(ctx context.Context, do func(*Tx) error) error {
	return d.codedError(ctx, d.retryConflict(ctx, func() error {
		begun, err := d.write.BeginTxx(ctx, &d.writes)
		if err != nil {
			return err
		}
		err = do(&Tx{tx: begun, engine: &d.engine, ForUpdate: d.engine.forUpdate, clock: d.clockExpression})
		if err != nil {
			return errors.Join(err, ignoreDone(begun.Rollback()))
		}
		return begun.Commit()
	}))
}

// View runs do in a read-only transaction. All its reads see the same state of the
// database.
func (d *DB) View(ctx context.Context, do func(*Tx) error) error {
	begun, err := d.read.BeginTxx(ctx, &d.engine.snapshot)
	if err != nil {
		return err
	}
	defer func() { _ = begun.Rollback() }() // nothing was written
	return do(&Tx{tx: begun, engine: &d.engine})
}

// ignoreDone ignores the error of a rollback if the transaction has already ended.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// The most tries of a transaction, and the pauses between them.
const (
	maxTries   = 10
	firstPause = 2 * time.Millisecond
	longPause  = 250 * time.Millisecond
)

// retryConflict retries do after conflicts and refusals of a read-only session, up
// to maxTries.
func (d *DB) retryConflict(ctx context.Context, do func() error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := do()
		readOnly := d.engine.readOnly(err)
		if err == nil || attempt == maxTries || !readOnly && !d.collided(err) {
			return err
		}
		if readOnly {
			d.closeIdle()
		}
		timer := time.NewTimer(pause/2 + rand.N(pause)) //nolint:gosec // spreads retries, guards nothing
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		case <-timer.C:
		}
		pause = min(2*pause, longPause)
	}
}

// collided reports whether a transaction failed because of a conflict with another
// one.
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

// Clock returns an SQL expression for the database's time in Unix milliseconds, for
// WriteUndated.
func (t *Tx) Clock() string { return t.clock() }

// Statement is a statement that writes one table.
type Statement struct {
	Query string
	Args  []any
}

// PutAll runs statements that write different tables, and returns how many rows each
// wrote. It is one round trip where the engine can. No statement may depend on what
// another one writes: PostgreSQL shows it none of that, SQLite all.
func (t *Tx) PutAll(ctx context.Context, statements ...Statement) ([]int64, error) {
	counts := make([]int64, len(statements))
	if len(statements) < 2 || !t.engine.together {
		for i, s := range statements {
			var err error
			if counts[i], err = t.Put(ctx, s.Query, s.Args...); err != nil {
				return nil, err
			}
		}
		return counts, nil
	}
	parts, found, into := make([]string, len(statements)), make([]string, len(statements)), make([]any, len(statements))
	var args []any
	for i, s := range statements {
		parts[i] = fmt.Sprintf("w%d AS (%s RETURNING 1)", i, s.Query)
		found[i] = fmt.Sprintf("(SELECT COUNT(*) FROM w%d)", i)
		into[i], args = &counts[i], append(args, s.Args...)
	}
	query := "WITH " + strings.Join(parts, ", ") + " SELECT " + strings.Join(found, ", ")
	return counts, t.tx.QueryRowxContext(ctx, t.tx.Rebind(query), args...).Scan(into...)
}

// HoldBack waits until every transaction that has written to the table has ended.
// Others that write to it wait until this one ends.
func (t *Tx) HoldBack(ctx context.Context, table string) error {
	if t.engine.holdBack == "" {
		return nil
	}
	_, err := t.tx.ExecContext(ctx, fmt.Sprintf(t.engine.holdBack, table))
	return err
}

// PutRows runs the query for every element of rows, whose fields the query names,
// and reads the returned rows.
func (t *Tx) PutRows(ctx context.Context, into any, query string, rows any) error {
	bound, args, err := t.tx.BindNamed(query, rows)
	if err != nil {
		return err
	}
	return t.tx.SelectContext(ctx, into, bound, args...)
}

// TransactionID is an SQL expression for the id of the transaction. A transaction gets its
// id with its first write, or by this. Ids increase. 0 on SQLite.
func (t *Tx) TransactionID() string { return t.engine.transactionID }

// ID returns the id of the transaction: see TransactionID.
func (t *Tx) ID(ctx context.Context) (id int64, err error) {
	err = t.Get(ctx, &id, "SELECT "+t.TransactionID())
	return id, err
}

// OldestRunning is an SQL expression: every transaction with a lower id has ended.
func (d *DB) OldestRunning() string { return d.engine.oldestRunning }

// Ended reports whether every transaction with an id up to this one has ended.
func (d *DB) Ended(ctx context.Context, id int64) (bool, error) {
	var oldest int64
	err := d.Get(ctx, &oldest, "SELECT "+d.OldestRunning())
	return oldest > id, err
}

// Get reads one row outside of a transaction. sql.ErrNoRows if there is none.
func (d *DB) Get(ctx context.Context, into any, query string, args ...any) error {
	return d.codedError(ctx, d.read.GetContext(ctx, into, d.read.Rebind(query), args...))
}

// List reads all rows outside of a transaction.
func (d *DB) List(ctx context.Context, into any, query string, args ...any) error {
	return d.codedError(ctx, d.read.SelectContext(ctx, into, d.read.Rebind(query), args...))
}
