package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	_ "github.com/lib/pq" // the driver behind "postgres"

	"github.com/tarspay-payouts/orchestrator/order"
)

// sqlLine is what an order costs the databases, by pg_stat_statements.
// Transactions are those that were begun: a statement without one is a
// transaction of its own, and counts as a statement.
type sqlLine struct {
	Bench string `json:"bench"`
	place
	Path         string  `json:"path"`
	Database     string  `json:"database"`
	Orders       int     `json:"orders"`
	Statements   float64 `json:"statements"`
	Transactions float64 `json:"transactions"`
	WALBytes     float64 `json:"wal_bytes"`
}

// countedPostgres are settings of a PostgreSQL that does what it would do in
// production (a commit is on the disk before it is answered) and counts it.
// Without a checkpoint WAL has no images of whole pages, which would come by
// chance.
var countedPostgres = []string{"shared_preload_libraries=pg_stat_statements", "fsync=on", "checkpoint_timeout=1h", "max_wal_size=20GB"}

// sqlSettle is how long what is done after an order's end may take.
const sqlSettle = 2 * time.Second

// sqlIdle is how long is looked at what is done for no order.
const sqlIdle = 10 * time.Second

// The owners of what the databases do.
const (
	ofLedger   = "ledger"
	ofTemporal = "temporal" // its visibility included
)

// sql counts what withdrawals that a callback finishes, and floor workflows,
// do in the databases. What is done for no order is counted while nothing
// happens, and taken off.
func (r *rig) sql(ctx context.Context) (err error) {
	db, err := sql.Open("postgres", r.stack.DatabaseURL())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements"); err != nil {
		return fmt.Errorf("count statements: %w", err)
	}
	idle, err := counting(ctx, db, func() error { return pause(ctx, sqlIdle) })
	if err != nil {
		return err
	}
	for _, p := range []struct {
		path      string
		one       func(context.Context, order.Request) error
		databases []string
	}{
		{"withdrawal_callback", r.ours, []string{ofLedger, ofTemporal}},
		{"floor", r.theFloor, []string{ofTemporal}},
	} {
		spent, err := counting(ctx, db, func() error {
			_, err := r.round(ctx, r.options.Orders, p.one)
			return err
		})
		if err != nil {
			return err
		}
		for _, database := range p.databases {
			line := spent.less(idle, database).line(r.options.Orders)
			line.place, line.Path, line.Database = r.place, p.path, database
			if err := r.out.Encode(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// work is what was done in a time, by owner.
type work struct {
	took time.Duration
	in   map[string]counts
}

type counts struct{ statements, transactions, walBytes float64 }

// counting counts what is done while something runs.
func counting(ctx context.Context, db *sql.DB, run func() error) (work, error) {
	before, err := read(ctx, db)
	if err != nil {
		return work{}, err
	}
	began := time.Now()
	if err := run(); err != nil {
		return work{}, err
	}
	if err := pause(ctx, sqlSettle); err != nil {
		return work{}, err
	}
	after, err := read(ctx, db)
	if err != nil {
		return work{}, err
	}
	done := work{took: time.Since(began), in: make(map[string]counts)}
	for owner, now := range after {
		done.in[owner] = now.less(before[owner], 1)
	}
	return done, nil
}

func pause(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(long):
		return nil
	}
}

// read is what the databases have done so far, reading this aside.
func read(ctx context.Context, db *sql.DB) (map[string]counts, error) {
	rows, err := db.QueryContext(ctx, `
		SELECT CASE d.datname WHEN 'postgres' THEN $1 ELSE $2 END,
			coalesce(sum(calls) FILTER (WHERE query !~* '^(begin|start transaction|commit|rollback)'), 0),
			coalesce(sum(calls) FILTER (WHERE query ~* '^(begin|start transaction)'), 0),
			sum(wal_bytes)
		FROM pg_stat_statements JOIN pg_database d ON d.oid = dbid
		WHERE d.datname IN ('postgres', 'temporal', 'temporal_visibility') AND query !~ 'pg_stat_statements'
		GROUP BY 1`, ofLedger, ofTemporal)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	told := make(map[string]counts)
	for rows.Next() {
		var owner string
		var c counts
		if err := rows.Scan(&owner, &c.statements, &c.transactions, &c.walBytes); err != nil {
			return nil, err
		}
		told[owner] = c
	}
	return told, rows.Err()
}

func (c counts) less(other counts, times float64) counts {
	return counts{
		statements:   c.statements - times*other.statements,
		transactions: c.transactions - times*other.transactions,
		walBytes:     c.walBytes - times*other.walBytes,
	}
}

// less takes off what is done in as long a time when nothing happens.
func (w work) less(idle work, owner string) counts {
	return w.in[owner].less(idle.in[owner], w.took.Seconds()/idle.took.Seconds())
}

// line is what each of so many orders did.
func (c counts) line(orders int) sqlLine {
	each := float64(orders)
	return sqlLine{
		Bench: "sql", Orders: orders,
		Statements: digits(c.statements / each), Transactions: digits(c.transactions / each), WALBytes: digits(c.walBytes / each),
	}
}
