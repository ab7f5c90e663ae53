package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Relay gives events their places, in the order in which their transactions commit. Any
// number of relays may run at once.
//
// The places are not taken inside the transactions of the orders: there, a counter would
// be a lock that all orders wait for, and a sequence would give a place to an event that
// becomes visible after a later one was read.
type Relay struct {
	ledger *Ledger
	placed int64 // every event with an id up to this has its place

	// The highest id of the round before, and the transaction that read it: see settledID.
	// highest is 0 when there was no such round.
	highest, reader int64
}

// NewRelay returns a relay.
func (l *Ledger) NewRelay() *Relay { return &Relay{ledger: l} }

// relayPage is the number of events that one round places.
const relayPage = 1000

// isEvent is the SQL condition for entries of the audit that are events: changes of an
// order's or a batch's state, discrepancies, and a batch that is broken, which is the entry
// of a refusal.
var isEvent = `merchant <> '' AND (
	outcome = 'done' AND before_state <> after_state AND (chain = 'order' OR ` + ofBatch + `)
	OR outcome = 'done' AND action IN ('discrepancy', 'close_discrepancy', 'remind_discrepancy')
	OR outcome = 'refused' AND action = 'batch')`

var ofBatch = "action IN ('" + strings.Join(texts(batchActions), "', '") + "')"

// Round places the next events, and returns how many. If it is less than a page, there
// were no more.
//
// It needs one statement if there is nothing new, and four otherwise, whatever the number of
// events.
func (r *Relay) Round(ctx context.Context) (placed int, more bool, err error) {
	var now struct {
		Highest int64 `db:"highest"`
		Oldest  int64 `db:"oldest"`
	}
	err = r.ledger.db.Get(ctx, &now, "SELECT (SELECT COALESCE(MAX(id), 0) FROM audit) AS highest, "+r.ledger.db.OldestRunning()+" AS oldest")
	if err != nil || now.Highest == r.placed {
		return 0, false, wrapRelay(err)
	}
	settled := int64(0)
	if r.highest != 0 && now.Oldest > r.reader {
		settled = r.highest
	}
	next := Relay{ledger: r.ledger}
	err = r.ledger.inUndatedTx(ctx, func(t tx) error {
		seen, err := t.lockRelay(ctx)
		if err != nil {
			return err
		}
		next.highest, next.reader = seen.Highest, seen.Reader
		next.placed, placed, err = t.placeEvents(ctx, seen.Last, settled)
		return err
	})
	if err != nil {
		return 0, false, wrapRelay(err)
	}
	if settled == 0 && r.highest != 0 { // go on waiting for the same transactions
		next.highest, next.reader = r.highest, r.reader
	}
	*r = next
	return placed, placed == relayPage, nil
}

func wrapRelay(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("ledger: give events their places: %w", err)
}

// relayRow is the table event_relay, and what lockRelay reads with it.
type relayRow struct {
	Last    int64 `db:"last_id"` // every event with an id up to this has its place
	Highest int64 `db:"highest"` // the highest visible id of an entry
	Reader  int64 `db:"reader"`  // the id of this transaction, which it got after Highest was read
}

// lockRelay makes other rounds wait. Call it first: the transaction must have no id yet.
func (t tx) lockRelay(ctx context.Context) (row relayRow, err error) {
	err = t.Get(ctx, &row, "SELECT last_id, (SELECT COALESCE(MAX(id), 0) FROM audit) AS highest, "+t.TransactionID()+
		" AS reader FROM event_relay WHERE one = 1"+t.ForUpdate)
	return row, err
}

// placeEvents places a page of the events after last. No entry with an id up to settled
// becomes visible any more. It returns up to which id every event has its place.
func (t tx) placeEvents(ctx context.Context, last, settled int64) (upTo int64, placed int, err error) {
	var ids []int64
	err = t.List(ctx, &ids, `INSERT INTO events (position, merchant, audit_id)
		SELECT (`+lastPosition+`) + ROW_NUMBER() OVER (ORDER BY id), merchant, id
		FROM (SELECT id, merchant FROM audit a WHERE id > ? AND `+isEvent+`
			AND NOT EXISTS (SELECT 1 FROM events e WHERE e.audit_id = a.id) ORDER BY id LIMIT ?) page
		RETURNING audit_id`, last, relayPage)
	if err != nil {
		return 0, 0, err
	}
	if len(ids) == relayPage {
		settled = min(settled, slices.Max(ids))
	}
	if settled <= last {
		return last, len(ids), nil
	}
	_, err = t.Put(ctx, "UPDATE event_relay SET last_id = ? WHERE one = 1", settled)
	return settled, len(ids), err
}
