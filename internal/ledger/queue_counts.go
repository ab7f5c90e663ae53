package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// QueueCount is the number of items of a kind.
type QueueCount struct {
	Items  int       `json:"items"`
	Oldest time.Time `json:"oldest,omitzero"` // time since which the oldest item is due; zero if there is none
}

// QueueCounts counts the items of NeedsPerson. Every kind is in the map. The
// database counts, so no item is loaded.
func (l *Ledger) QueueCounts(ctx context.Context, unknownFor time.Duration) (map[QueueKind]QueueCount, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	query, args := counting(now, unknownFor)
	var found []struct {
		Kind   QueueKind `db:"kind"`
		Items  int       `db:"items"`
		Oldest int64     `db:"oldest"`
	}
	if err := l.db.List(ctx, &found, query, args...); err != nil {
		return nil, fmt.Errorf("ledger: count what needs a person: %w", err)
	}
	counts := make(map[QueueKind]QueueCount, len(found))
	for _, f := range found {
		counts[f.Kind] = QueueCount{Items: f.Items, Oldest: moment(f.Oldest)}
	}
	return counts, nil
}

// counting returns the statement of QueueCounts: a row per kind.
func counting(at time.Time, unknownFor time.Duration) (query string, args []any) {
	queries := make([]string, len(queues))
	for i, queue := range queues {
		count := queue.count(at, unknownFor)
		queries[i] = count.query(queue.kind)
		args = append(args, count.args...)
	}
	return "WITH " + lookedAt + " AS MATERIALIZED (" + mayNeedPerson + ") " + strings.Join(queries, " UNION ALL "), args
}

// mayNeedPerson selects the open orders that may be in a queue of orders, with the columns
// that its conditions use. Most open orders wait for the gateway and are left out. The open
// orders are read once for all queues: no index has their state, so that a change of state
// writes none.
const (
	lookedAt      = "looked_at"
	mayNeedPerson = `SELECT id, merchant, number, kind, country, state, reason_code, not_before, created_at, ended_at
		FROM orders WHERE ` + openOrders + ` AND state <> 'submitted'`
)

// tally is an SQL query with one row per item, and the column since.
type tally struct {
	rows string
	args []any
}

// query returns the SQL that counts the rows and finds the oldest.
func (t tally) query(kind QueueKind) string {
	return "SELECT '" + string(kind) + "' AS kind, COUNT(*) AS items, COALESCE(MIN(since), 0) AS oldest FROM (" + t.rows + ") q"
}

// tallyRows counts the rows of a query without arguments.
func tallyRows(rows string) func(time.Time, time.Duration) tally {
	return func(time.Time, time.Duration) tally { return tally{rows: rows} }
}

// tallyOrders counts the orders of all the selections. No order may be in two of
// them.
func tallyOrders(ways ...dueOrders) func(time.Time, time.Duration) tally {
	queries, args := make([]string, len(ways)), []any(nil)
	for i, due := range ways {
		queries[i] = due.query("", lookedAt)
		args = append(args, due.args...)
	}
	return func(time.Time, time.Duration) tally { return tally{strings.Join(queries, " UNION ALL "), args} }
}

// tallyOrdersFor counts the orders that have been due for longer than unknownFor.
func tallyOrdersFor(due dueOrders) func(time.Time, time.Duration) tally {
	rows := "SELECT since FROM (" + due.query("", lookedAt) + ") o WHERE since <= ?"
	return func(at time.Time, unknownFor time.Duration) tally {
		return tally{rows, append(append([]any(nil), due.args...), at.Add(-unknownFor).UnixMilli())}
	}
}

// tallyUnsent counts the orders that have waited to be sent for longer than unknownFor.
func tallyUnsent(at time.Time, unknownFor time.Duration) tally {
	return tallyOrdersFor(waitingToBeSent(at))(at, unknownFor)
}

// tallyCallbacks counts the callbacks that need a person. A callback with two
// reasons counts once. Each reason has an index.
func tallyCallbacks(at time.Time, _ time.Duration) tally {
	return tally{`
		SELECT id, first_at AS since FROM inbox WHERE status = 'unmatched' AND ` + notDone + `
		UNION SELECT id, first_at FROM inbox WHERE status = 'stored' AND ` + notDone + ` AND first_at < ?
		UNION SELECT id, first_at FROM inbox WHERE problem_at > 0 AND problem_at < ? AND ` + notDone,
		[]any{at.Add(-deliveryDeadline).UnixMilli(), at.Add(-problemDeadline).UnixMilli()}}
}
