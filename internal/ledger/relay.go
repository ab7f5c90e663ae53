package ledger

import (
	"context"
	"fmt"
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
	OR outcome = 'done' AND action IN ('discrepancy', 'close_discrepancy')
	OR outcome = 'refused' AND action = 'batch')`

var ofBatch = "action IN ('" + strings.Join(texts(batchActions), "', '") + "')"

// Round places the next events, and returns how many. If it is less than a page, there
// were no more.
func (r *Relay) Round(ctx context.Context) (placed int, more bool, err error) {
	var highest int64
	if err := r.ledger.db.Get(ctx, &highest, "SELECT COALESCE(MAX(id), 0) FROM audit"); err != nil || highest == r.placed {
		return 0, false, wrapRelay(err)
	}
	settled := int64(0)
	if r.highest != 0 {
		ended, err := r.ledger.db.Ended(ctx, r.reader)
		if err != nil {
			return 0, false, wrapRelay(err)
		}
		if ended {
			settled = r.highest
		}
	}
	next := Relay{ledger: r.ledger}
	err = r.ledger.inTx(ctx, func(t tx) (err error) {
		if next.highest, next.reader, err = t.highestEntry(ctx); err != nil {
			return err
		}
		next.placed, placed, err = t.placeEvents(ctx, settled)
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

// highestEntry returns the highest visible id of an entry, and the id of this
// transaction, which it gets after that. The transaction must not have one yet, so call it
// first.
func (t tx) highestEntry(ctx context.Context) (highest, reader int64, err error) {
	if err := t.Get(ctx, &highest, "SELECT COALESCE(MAX(id), 0) FROM audit"); err != nil {
		return 0, 0, err
	}
	reader, err = t.ID(ctx)
	return highest, reader, err
}

// eventRow is an event and its place.
type eventRow struct {
	Position int64  `db:"position"`
	Merchant string `db:"merchant"`
	AuditID  int64  `db:"audit_id"`
}

// placeEvents places a page of events. No entry with an id up to settled becomes visible
// any more. It returns up to which id every event has its place.
func (t tx) placeEvents(ctx context.Context, settled int64) (last int64, placed int, err error) {
	if err := t.Get(ctx, &last, "SELECT last_id FROM event_relay WHERE one = 1"+t.ForUpdate); err != nil {
		return 0, 0, err
	}
	var rows []eventRow
	err = t.List(ctx, &rows, `SELECT id AS audit_id, merchant FROM audit a WHERE id > ? AND `+isEvent+`
		AND NOT EXISTS (SELECT 1 FROM events e WHERE e.audit_id = a.id) ORDER BY id LIMIT ?`, last, relayPage)
	if err != nil {
		return 0, 0, err
	}
	if len(rows) > 0 {
		if err := t.storeEvents(ctx, rows); err != nil {
			return 0, 0, err
		}
	}
	if len(rows) == relayPage {
		settled = min(settled, rows[len(rows)-1].AuditID)
	}
	if settled <= last {
		return last, len(rows), nil
	}
	_, err = t.Put(ctx, "UPDATE event_relay SET last_id = ? WHERE one = 1", settled)
	return settled, len(rows), err
}

func (t tx) storeEvents(ctx context.Context, rows []eventRow) error {
	var size int64
	if err := t.Get(ctx, &size, lastPosition); err != nil {
		return err
	}
	for i := range rows {
		rows[i].Position = size + int64(i) + 1
	}
	var stored []int64
	return t.PutRows(ctx, &stored, "INSERT INTO events (position, merchant, audit_id) VALUES (:position, :merchant, :audit_id) RETURNING position", rows)
}
