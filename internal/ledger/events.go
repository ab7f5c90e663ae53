package ledger

import (
	"context"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Event is something that happened, for those who wait for it: an order's or a batch's state
// changed, or a discrepancy was opened or closed. It never changes once it is placed.
type Event struct {
	ID       string      `json:"id"`   // evt_ and 32 hex digits of the audit entry's hash
	Type     string      `json:"type"` // an order's kind and its new state, as in withdrawal.succeeded; batch. and its new state; or discrepancy.opened, discrepancy.closed, discrepancy.reminder
	At       time.Time   `json:"at"`
	Merchant string      `json:"merchant"`
	Number   string      `json:"number,omitempty"`  // of the order; absent for what is about no order
	Version  int64       `json:"version,omitempty"` // of an order: the number of the audit entry, so it increases
	Order    *EventOrder `json:"order,omitempty"`   // of a change of an order's state
	// Discrepancy is the difference of discrepancy.opened; of discrepancy.closed it says
	// why it was closed, and of discrepancy.reminder since when it is open.
	Discrepancy *order.Reason `json:"discrepancy,omitempty"`
	Batch       *EventBatch   `json:"batch,omitempty"` // of a change of a batch

	Position int64 `json:"-"` // in the list of all events, from 1
}

// EventOrder is an order right after a change of its state.
type EventOrder struct {
	Kind    order.Kind   `json:"kind"`
	Country string       `json:"country"`
	Way     string       `json:"way"`
	Amount  money.Amount `json:"amount"`
	Before  order.State  `json:"before,omitempty"` // absent if the order was opened
	State   order.State  `json:"state"`
	Paid    money.Amount `json:"paid,omitzero"`
	Fee     money.Amount `json:"fee,omitzero"`
	Reason  order.Reason `json:"reason,omitzero"`
	// GatewayID is the gateway's payOrderId, in states that the gateway has proved.
	GatewayID string `json:"gateway_id,omitempty"`
}

// EventBatch is a batch right after a change of its state.
type EventBatch struct {
	ID    string           `json:"id,omitempty"` // absent if this process cannot decrypt it
	State order.BatchState `json:"state"`
}

// EventFilter selects events. The zero value selects all.
type EventFilter struct {
	Merchants []string // any of them; none: all
	After     int64    // the position of the last event that is known
	Limit     int      // at most MaxPage; 0: 100
}

// Events lists events in the order of their places.
func (l *Ledger) Events(ctx context.Context, filter EventFilter) ([]Event, error) {
	var where conditions
	where.add("e.position > ?", filter.After)
	where.among("e.merchant", filter.Merchants)
	return l.eventsWhere(ctx, where, pageSize(filter.Limit))
}

// eventsWhere lists the events e that fit the conditions, in the order of their places.
func (l *Ledger) eventsWhere(ctx context.Context, where conditions, limit int) ([]Event, error) {
	var rows []placedRow
	err := l.db.List(ctx, &rows, `
		SELECT e.position, a.merchant, a.number, a.chain, a.seq, a.at, a.action, a.before_state, a.after_state, a.code, a.text, a.evidence, a.paid, a.fee, a.hash,
			COALESCE(o.kind, '') AS kind, COALESCE(o.country, '') AS country, COALESCE(o.way, '') AS way, COALESCE(o.currency, '') AS currency,
			COALESCE(o.amount, 0) AS amount, COALESCE(o.gateway_id, '') AS gateway_id, COALESCE(o.data_key, c.data_key, '') AS data_key,
			COALESCE(o.erased_at, c.erased_at, 0) AS erased_at
		FROM events e JOIN audit a ON a.id = e.audit_id
			LEFT JOIN orders o ON a.chain = 'order' AND o.merchant = a.merchant AND o.number = a.number
			LEFT JOIN chains c ON a.chain = 'other' AND c.merchant = a.merchant AND c.number = a.number`+
		where.sql()+" ORDER BY e.position LIMIT ?", append(where.args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("ledger: list events: %w", err)
	}
	events := make([]Event, len(rows))
	for i, row := range rows {
		if events[i], err = l.private.event(row); err != nil {
			return nil, fmt.Errorf("ledger: event %d: %w", row.Position, err)
		}
	}
	return events, nil
}

// placedRow is the entry of an event, with what never changes of its order.
type placedRow struct {
	auditRow
	Position  int64      `db:"position"`
	Kind      order.Kind `db:"kind"`
	Country   string     `db:"country"`
	Way       string     `db:"way"`
	Currency  string     `db:"currency"`
	Amount    int64      `db:"amount"`
	GatewayID string     `db:"gateway_id"`
	DataKey   string     `db:"data_key"`
	ErasedAt  int64      `db:"erased_at"`
}

// proved are the states that an order has only by a proof of the gateway, which names its
// payOrderId.
var proved = []order.State{order.Succeeded, order.PartiallyPaid, order.Refunded}

// about are the types of events that are no change of an order's state.
var about = map[AuditAction]string{
	ActionDiscrepancy: "discrepancy.opened", ActionCloseDiscrepancy: "discrepancy.closed", ActionRemindDiscrepancy: "discrepancy.reminder",
}

// batchActions are the actions of entries about batches.
var batchActions = []AuditAction{ActionBatch, ActionPauseBatch, ActionResumeBatch, ActionCancelBatch, ActionBatchCompleted}

// BatchEventTypes returns the types of events about batches.
func BatchEventTypes() []string {
	states := []order.BatchState{order.BatchBroken, order.BatchCancelled, order.BatchCompleted, order.BatchPaused, order.BatchRunning}
	types := make([]string, len(states))
	for i, state := range states {
		types[i] = batchEvent + string(state)
	}
	return types
}

const batchEvent = "batch."

// namedBatch finds the id in the evidence of an entry about a batch.
var namedBatch = regexp.MustCompile(`^batch ([0-9a-f]{16})(:|$)`)

func (p private) event(r placedRow) (Event, error) {
	texts, err := p.entryTexts(r.Chain, r.Merchant, r.Number, r.DataKey, r.ErasedAt)
	if err == nil {
		r.Text, err = texts.orDamaged().open("audit.text", r.Text)
	}
	aboutBatch := slices.Contains(batchActions, r.Action)
	if err == nil && aboutBatch {
		r.Evidence, err = texts.orDamaged().open("audit.evidence", r.Evidence)
	}
	if err != nil {
		return Event{}, err
	}
	e := Event{ID: EventID(r.Hash), At: moment(r.At), Merchant: r.Merchant, Number: r.Number, Position: r.Position}
	if r.Chain == chainOrder {
		e.Version = r.Seq
	}
	reason := order.Reason{Code: r.Code, Text: r.Text}
	if kind, told := about[r.Action]; told {
		e.Type, e.Discrepancy = kind, &reason
		return e, nil
	}
	if aboutBatch {
		e.Type, e.Batch = batchEvent+string(r.After), &EventBatch{State: order.BatchState(r.After)}
		if named := namedBatch.FindStringSubmatch(r.Evidence); named != nil {
			e.Batch.ID = named[1]
		}
		return e, nil
	}
	read := amounts{currency: r.Currency}
	e.Type = string(r.Kind) + "." + string(r.After)
	e.Order = &EventOrder{
		Kind: r.Kind, Country: r.Country, Way: r.Way, Amount: read.of(r.Amount), Before: r.Before, State: r.After, Reason: reason,
	}
	if r.Paid > 0 {
		e.Order.Paid, e.Order.Fee = read.of(r.Paid), read.of(r.Fee)
	}
	if slices.Contains(proved, r.After) {
		e.Order.GatewayID = r.GatewayID
	}
	return e, read.err
}

// EventID returns the id of the event that an entry of the audit is, from the entry's hash.
func EventID(hash []byte) string { return "evt_" + hex.EncodeToString(hash[:16]) }

// lastPosition selects the position of the newest event; 0: there is none.
const lastPosition = "SELECT COALESCE(MAX(position), 0) FROM events"

// LastEvent returns the position of the newest event; 0: there is none.
func (l *Ledger) LastEvent(ctx context.Context) (position int64, err error) {
	err = l.db.Get(ctx, &position, lastPosition)
	if err != nil {
		return 0, fmt.Errorf("ledger: last event: %w", err)
	}
	return position, nil
}

// lateCommit is more than the time between a row's time and its commit.
const lateCommit = time.Minute

// EventBefore returns a position before every event of that time or later. Some events
// after it may be older, by a minute.
func (l *Ledger) EventBefore(ctx context.Context, at time.Time) (int64, error) {
	// Every event up to low is older; the one after high is not.
	low := int64(0)
	high, err := l.LastEvent(ctx)
	wanted := at.Add(-lateCommit).UnixMilli()
	for err == nil && low < high {
		middle := low + (high-low+1)/2
		var found int64
		err = l.db.Get(ctx, &found, "SELECT a.at FROM events e JOIN audit a ON a.id = e.audit_id WHERE e.position = ?", middle)
		if found < wanted {
			low = middle
		} else {
			high = middle - 1
		}
	}
	if err != nil {
		return 0, fmt.Errorf("ledger: find the events from %s: %w", at.Format(time.RFC3339), err)
	}
	return low, nil
}

// EventAt returns the id of the event at a position. ErrNotFound if there is none.
func (l *Ledger) EventAt(ctx context.Context, position int64) (string, error) {
	var hash []byte
	err := l.db.Get(ctx, &hash, "SELECT a.hash FROM events e JOIN audit a ON a.id = e.audit_id WHERE e.position = ?", position)
	if err != nil {
		return "", fmt.Errorf("ledger: %w", missing(err, "event %d", position))
	}
	return EventID(hash), nil
}
