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

// sqlLine is the cost of an order in the databases, by pg_stat_statements. Only explicit
// transactions count as transactions.
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

// countedPostgres are settings of a PostgreSQL that syncs commits to disk, as in production,
// and counts statements. No checkpoint happens, so WAL has no full-page images, whose number
// would be random.
var countedPostgres = []string{"shared_preload_libraries=pg_stat_statements", "fsync=on", "checkpoint_timeout=1h", "max_wal_size=20GB"}

// eventsLine is what events add to the cost of an order in the ledger's database: the
// relay's work, beside the line sql of the path. The relay works for all new events at once,
// so it costs less per order the more orders there are.
type eventsLine struct {
	Bench string `json:"bench"`
	place
	Orders       int     `json:"orders"` // on each side
	OrdersPerS   float64 `json:"orders_per_s"`
	Statements   float64 `json:"statements"`
	Transactions float64 `json:"transactions"`
	WALBytes     float64 `json:"wal_bytes"` // of the relay's own statements: less than the WAL of orders varies
}

// relayWAL returns the bytes of WAL of the relay's statements so far.
func relayWAL(ctx context.Context, db *sql.DB) (bytes int64, err error) {
	err = db.QueryRowContext(ctx, `SELECT coalesce(sum(wal_bytes), 0)::bigint FROM pg_stat_statements JOIN pg_database d ON d.oid = dbid
		WHERE d.datname = 'postgres' AND query ~ '\m(INTO events|UPDATE event_relay|event_relay WHERE)\M' AND query !~ 'pg_stat_statements'`).Scan(&bytes)
	return bytes, err
}

// sqlSettle is the time for work after an order's end.
const sqlSettle = 2 * time.Second

// sqlIdle is how long the load without orders is measured.
const sqlIdle = 10 * time.Second

// The owners of what the databases do.
const (
	ofLedger   = "ledger"
	ofTemporal = "temporal" // its visibility included
)

// sql measures the cost in the databases of withdrawals that a callback finishes, and of floor
// workflows. It subtracts the load without orders, which it measures separately.
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
	return r.eventsCost(ctx, db, idle)
}

// eventsCost compares orders with those whose events get no places, in turn.
func (r *rig) eventsCost(ctx context.Context, db *sql.DB, idle work) error {
	line := eventsLine{Bench: "events", place: r.place}
	var timed round
	ours := func() error {
		one, err := r.round(ctx, r.options.Orders, r.ours)
		timed.add(one)
		return err
	}
	timed.cpu = make(usage)
	var difference counts
	var wal int64
	for range r.options.Rounds {
		before, err := relayWAL(ctx, db)
		if err != nil {
			return err
		}
		with, err := counting(ctx, db, ours)
		if err != nil {
			return err
		}
		after, err := relayWAL(ctx, db)
		if err != nil {
			return err
		}
		wal += after - before
		without, err := withoutRelay(ctx, db, func() (work, error) { return counting(ctx, db, ours) })
		if err != nil {
			return err
		}
		difference = difference.less(without.less(idle, ofLedger), 1).less(with.less(idle, ofLedger), -1)
		line.Orders += r.options.Orders
	}
	each := difference.line(line.Orders)
	line.OrdersPerS = digits(timed.perSecond())
	line.Statements, line.Transactions, line.WALBytes = each.Statements, each.Transactions, digits(float64(wal)/float64(line.Orders))
	return r.out.Encode(line)
}

// withoutRelay calls a function while the relay cannot place events, because its row is
// locked. It tries again every few seconds, which costs a little. withoutRelay returns when
// all events have their places.
func withoutRelay(ctx context.Context, db *sql.DB, run func() (work, error)) (done work, err error) {
	held, err := db.BeginTx(ctx, nil)
	if err != nil {
		return done, err
	}
	if _, err = held.ExecContext(ctx, "SELECT last_id FROM event_relay WHERE one = 1 FOR UPDATE"); err == nil {
		done, err = run()
	}
	if err := errors.Join(err, held.Rollback()); err != nil {
		return done, err
	}
	for behind := true; behind; {
		if err := pause(ctx, sqlSettle); err != nil {
			return done, err
		}
		err := db.QueryRowContext(ctx, "SELECT last_id < (SELECT MAX(id) FROM audit) FROM event_relay").Scan(&behind)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// work counts the work in the databases during a time, by owner.
type work struct {
	took time.Duration
	in   map[string]counts
}

type counts struct{ statements, transactions, walBytes float64 }

// counting counts the work while a function runs.
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

// read returns the work so far, without the queries of read itself.
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

// less subtracts the load without orders for the same time.
func (w work) less(idle work, owner string) counts {
	return w.in[owner].less(idle.in[owner], w.took.Seconds()/idle.took.Seconds())
}

// line returns the work per order.
func (c counts) line(orders int) sqlLine {
	each := float64(orders)
	return sqlLine{
		Bench: "sql", Orders: orders,
		Statements: digits(c.statements / each), Transactions: digits(c.transactions / each), WALBytes: digits(c.walBytes / each),
	}
}
