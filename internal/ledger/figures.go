package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// OpenCount is the number of open orders of a kind in a state.
type OpenCount struct {
	Kind   order.Kind
	State  order.State
	Orders int
	Oldest time.Time // when the oldest of them was created
}

// OpenCounts counts the open orders by kind and state. What is not returned has none.
func (l *Ledger) OpenCounts(ctx context.Context) ([]OpenCount, error) {
	var rows []struct {
		Kind   order.Kind  `db:"kind"`
		State  order.State `db:"state"`
		Orders int         `db:"orders"`
		Oldest int64       `db:"oldest"`
	}
	err := l.db.List(ctx, &rows, "SELECT kind, state, COUNT(*) AS orders, MIN(created_at) AS oldest FROM orders WHERE "+openOrders+" GROUP BY kind, state")
	if err != nil {
		return nil, fmt.Errorf("ledger: count the open orders: %w", err)
	}
	found := make([]OpenCount, len(rows))
	for i, row := range rows {
		found[i] = OpenCount{row.Kind, row.State, row.Orders, moment(row.Oldest)}
	}
	return found, nil
}

// Holdings is what a merchant has at the gateway, as the ledger has it.
type Holdings struct {
	Merchant            string
	Available, InFlight money.Amount
	ComparedAt          time.Time // when the gateway's balance was last compared; zero if never
}

// Holdings lists the holdings of all merchants, a row per currency.
func (l *Ledger) Holdings(ctx context.Context) ([]Holdings, error) {
	var rows []struct {
		Merchant  string `db:"merchant"`
		Currency  string `db:"currency"`
		Available int64  `db:"available"`
		InFlight  int64  `db:"in_flight"`
		At        int64  `db:"at"`
	}
	err := l.db.List(ctx, &rows, `
		SELECT merchant, currency, available, in_flight, COALESCE((
			SELECT at FROM snapshots s WHERE s.merchant = b.merchant AND s.currency = b.currency ORDER BY id DESC LIMIT 1), 0) AS at
		FROM books b ORDER BY merchant, currency`)
	if err != nil {
		return nil, fmt.Errorf("ledger: holdings: %w", err)
	}
	found := make([]Holdings, len(rows))
	for i, row := range rows {
		read := amounts{currency: row.Currency}
		found[i] = Holdings{row.Merchant, read.of(row.Available), read.of(row.InFlight), moment(row.At)}
		if read.err != nil {
			return nil, fmt.Errorf("ledger: holdings of %s: %w", row.Merchant, read.err)
		}
	}
	return found, nil
}

// OldestUnplaced returns when the oldest event happened that no relay has given a place:
// no webhook and no list of events has it yet. It is zero if there is none.
func (l *Ledger) OldestUnplaced(ctx context.Context) (time.Time, error) {
	var at int64
	err := l.db.Get(ctx, &at, `SELECT COALESCE(MIN(at), 0) FROM audit a
		WHERE id > (SELECT last_id FROM event_relay WHERE one = 1) AND `+isEvent+` AND NOT EXISTS (SELECT 1 FROM events e WHERE e.audit_id = a.id)`)
	if err != nil {
		return time.Time{}, fmt.Errorf("ledger: find the oldest event without a place: %w", err)
	}
	return moment(at), nil
}
