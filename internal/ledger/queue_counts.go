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
	counts := make(map[QueueKind]QueueCount, len(queues))
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	for _, queue := range queues {
		var found struct {
			Items  int   `db:"items"`
			Oldest int64 `db:"oldest"`
		}
		count := queue.count(now, unknownFor)
		if err := l.db.Get(ctx, &found, count.query(), count.args...); err != nil {
			return nil, fmt.Errorf("ledger: count what needs a person: %s: %w", queue.kind, err)
		}
		counts[queue.kind] = QueueCount{Items: found.Items, Oldest: moment(found.Oldest)}
	}
	return counts, nil
}

// tally is an SQL query with one row per item, and the column since.
type tally struct {
	rows string
	args []any
}

// query returns the SQL that counts the rows and finds the oldest.
func (t tally) query() string {
	return "SELECT COUNT(*) AS items, COALESCE(MIN(since), 0) AS oldest FROM (" + t.rows + ") q"
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
		queries[i] = due.query("")
		args = append(args, due.args...)
	}
	return func(time.Time, time.Duration) tally { return tally{strings.Join(queries, " UNION ALL "), args} }
}

// tallyOrdersFor counts the orders that have been due for longer than unknownFor.
func tallyOrdersFor(due dueOrders) func(time.Time, time.Duration) tally {
	rows := "SELECT since FROM (" + due.query("") + ") o WHERE since <= ?"
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
		SELECT id, first_at AS since FROM inbox WHERE status = 'unmatched'
		UNION SELECT id, first_at FROM inbox WHERE status = 'stored' AND first_at < ?
		UNION SELECT id, first_at FROM inbox WHERE problem_at > 0 AND problem_at < ? AND status <> 'done'`,
		[]any{at.Add(-deliveryDeadline).UnixMilli(), at.Add(-problemDeadline).UnixMilli()}}
}
