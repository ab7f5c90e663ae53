package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// InboxStatus is how far a callback has come. It only ever goes forward.
type InboxStatus string

// The statuses, in the order of a callback's life.
const (
	Stored    InboxStatus = "stored"    // came in; nobody has been told
	Unmatched InboxStatus = "unmatched" // we have no such order
	Signalled InboxStatus = "signalled" // the order's workflow has been told
	Late      InboxStatus = "late"      // the order had ended; it is being handled
	Done      InboxStatus = "done"      // acted upon
)

var inboxStatuses = []InboxStatus{Stored, Unmatched, Signalled, Late, Done}

// InboxEntry is a verified callback as it came in.
type InboxEntry struct {
	ID       string           `json:"id"` // tarspay.Callback.Fingerprint
	Callback tarspay.Callback `json:"callback"`
	Status   InboxStatus      `json:"status"`
	Received int              `json:"received"` // how many times
	FirstAt  time.Time        `json:"first_at"`
	LastAt   time.Time        `json:"last_at"`
}

// Key names the order that the callback speaks of, as it is looked up.
func (e InboxEntry) Key() order.Key {
	return fitOrder(order.Key{Merchant: e.Callback.Merchant, Number: e.Callback.OrderNumber})
}

// StoreCallback writes a verified callback down with its body as it came, at
// most tarspay.MaxCallbackBytes. What says the same is the same callback: a
// repetition is counted and not fresh. Once this has returned, the gateway may
// be told OK.
func (l *Ledger) StoreCallback(ctx context.Context, callback tarspay.Callback, body []byte) (id string, fresh bool, err error) {
	if len(body) > tarspay.MaxCallbackBytes {
		return "", false, fmt.Errorf("ledger: store callback: %d bytes are more than %d", len(body), tarspay.MaxCallbackBytes)
	}
	text, err := json.Marshal(callback)
	if err != nil {
		return "", false, fmt.Errorf("ledger: store callback: %w", err)
	}
	if body == nil {
		body = []byte{}
	}
	id = callback.Fingerprint()
	var received int
	err = l.inTx(ctx, func(t tx) error {
		return t.get(ctx, &received, `
			INSERT INTO inbox (id, merchant, number, callback, body, status, received, first_at, last_at)
			VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)
			ON CONFLICT (id) DO UPDATE SET received = inbox.received + 1, last_at = excluded.last_at
			RETURNING received`,
			id, fitKey(callback.Merchant), fitKey(callback.OrderNumber), string(text), body, Stored, t.at.UnixMilli(), t.at.UnixMilli())
	})
	if err != nil {
		return "", false, fmt.Errorf("ledger: store callback: %w", err)
	}
	return id, received == 1, nil
}

// Callback reads a callback. ErrNotFound if there is none of that id.
func (l *Ledger) Callback(ctx context.Context, id string) (InboxEntry, error) {
	var row inboxRow
	if err := l.get(ctx, &row, "SELECT "+inboxColumns+" FROM inbox WHERE id = ?", id); err != nil {
		return InboxEntry{}, fmt.Errorf("ledger: %w", missing(err, "callback %s", id))
	}
	return row.entry()
}

// Callbacks are all that came in for an order, oldest first, at most MaxPage.
func (l *Ledger) Callbacks(ctx context.Context, key order.Key) ([]InboxEntry, error) {
	entries, err := l.callbacks(ctx, "merchant = ? AND number = ?", MaxPage, fitKey(key.Merchant), fitKey(key.Number))
	if err != nil {
		return nil, fmt.Errorf("ledger: callbacks of %s: %w", key, err)
	}
	return entries, nil
}

// unread is how long a signalled callback may wait for its order's workflow
// before the end of the order means that it was never read.
const unread = 5 * time.Second

// PendingCallbacks are those that somebody has to be told of, oldest first:
// the stored ones, the unmatched ones whose order has since appeared, and the
// signalled ones that nobody acted on although their order has ended: a signal
// that comes together with the one that ends the order is lost with the
// workflow.
func (l *Ledger) PendingCallbacks(ctx context.Context, limit int) ([]InboxEntry, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := l.callbacks(ctx, `status IN ('stored', 'unmatched', 'signalled') AND (status = 'stored'
		OR status = 'unmatched' AND EXISTS (
			SELECT 1 FROM orders o WHERE o.merchant = inbox.merchant AND o.number = inbox.number)
		OR status = 'signalled' AND last_at < ? AND EXISTS (
			SELECT 1 FROM orders o WHERE o.merchant = inbox.merchant AND o.number = inbox.number AND NOT o.`+openStates+`))`,
		pageSize(limit), now.Add(-unread).UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("ledger: pending callbacks: %w", err)
	}
	return entries, nil
}

// UnmatchedCallbacks are those of orders that we do not have, oldest first.
func (l *Ledger) UnmatchedCallbacks(ctx context.Context, limit int) ([]InboxEntry, error) {
	entries, err := l.callbacks(ctx, "status = 'unmatched'", pageSize(limit))
	if err != nil {
		return nil, fmt.Errorf("ledger: unmatched callbacks: %w", err)
	}
	return entries, nil
}

func (l *Ledger) callbacks(ctx context.Context, where string, limit int, args ...any) ([]InboxEntry, error) {
	var rows []inboxRow
	err := l.list(ctx, &rows, "SELECT "+inboxColumns+" FROM inbox WHERE "+where+" ORDER BY first_at, id LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, err
	}
	entries := make([]InboxEntry, len(rows))
	for i, row := range rows {
		if entries[i], err = row.entry(); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// MarkCallback notes how far a callback has come. A status that is behind the
// one on record changes nothing: whoever signalled it may be slower than the
// workflow that acted on it. ErrNotFound if there is none of that id.
func (l *Ledger) MarkCallback(ctx context.Context, id string, status InboxStatus) error {
	var earlier conditions
	earlier.add("id = ?", id)
	reached := false
	for _, s := range inboxStatuses {
		reached = reached || s == status
		if reached {
			earlier.add("status <> ?", s)
		}
	}
	if !reached {
		return fmt.Errorf("ledger: mark callback %s: %q is no status", id, status)
	}
	err := l.inTx(ctx, func(t tx) error {
		updated, err := t.put(ctx, "UPDATE inbox SET status = ?"+earlier.sql(), append([]any{status}, earlier.args...)...)
		if err != nil || updated == 1 {
			return err
		}
		var there string
		return missing(t.get(ctx, &there, "SELECT id FROM inbox WHERE id = ?", id), "callback %s", id)
	})
	if err != nil {
		return fmt.Errorf("ledger: mark callback %s: %w", id, err)
	}
	return nil
}

// SetCallbackAside notes that a person has dealt with a callback of an order
// that we do not have: nothing more is done about it, and it does not come back
// if the gateway repeats it. It is audited whether it is done or refused, and
// returned as it then stands.
//
// The refusal's codes are WHO_MISSING, WHY_MISSING and CALLBACK_NOT_UNMATCHED.
// ErrNotFound if there is none of that id.
func (l *Ledger) SetCallbackAside(ctx context.Context, id, by, why string) (InboxEntry, *order.Refusal, error) {
	var e InboxEntry
	var refusal *order.Refusal
	id = fit(id) // whatever was typed
	err := l.inTx(ctx, func(t tx) error {
		var row inboxRow
		err := t.get(ctx, &row, "SELECT "+inboxColumns+" FROM inbox WHERE id = ?", id)
		if err != nil {
			return missing(err, "callback %s", id)
		}
		if e, err = row.entry(); err != nil {
			return err
		}
		key := e.Key()
		h, err := t.lockOrder(ctx, key)
		ours := err == nil
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if refusal, err = t.setAside(ctx, &e, ours, by, why); err != nil {
			return err
		}
		said := entry{
			action: ActionSetAside, actor: by, source: order.FromOperator, evidence: "callback " + id,
			reason: order.Reason{Code: CodeUnmatched, Text: why},
		}
		said.refuse(refusal)
		if !ours {
			return t.noteOther(ctx, key, said)
		}
		return t.note(ctx, &h, said)
	})
	if err != nil {
		return InboxEntry{}, nil, fmt.Errorf("ledger: set callback %s aside: %w", id, err)
	}
	return e, refusal, nil
}

func (t tx) setAside(ctx context.Context, e *InboxEntry, ours bool, by, why string) (*order.Refusal, error) {
	if refusal := refuseUnsigned("setting a callback aside", by, why); refusal != nil {
		return refusal, nil
	}
	if ours && e.Status == Unmatched {
		return order.Refuse(CodeNotUnmatched, "the order of callback %s is here by now; the callback is handed to it by itself", e.ID), nil
	}
	updated, err := t.put(ctx, "UPDATE inbox SET status = ? WHERE id = ? AND status = ?", Done, e.ID, Unmatched)
	if err == nil && updated == 0 {
		return order.Refuse(CodeNotUnmatched, "callback %s is %s; only one of an order that we do not have can be set aside", e.ID, e.Status), nil
	}
	e.Status = Done
	return nil, err
}

// InboxCounts is how many callbacks stand at each status; all are there.
func (l *Ledger) InboxCounts(ctx context.Context) (map[InboxStatus]int, error) {
	var rows []struct {
		Status InboxStatus `db:"status"`
		Count  int         `db:"count"`
	}
	if err := l.list(ctx, &rows, "SELECT status, COUNT(*) AS count FROM inbox GROUP BY status"); err != nil {
		return nil, fmt.Errorf("ledger: count callbacks: %w", err)
	}
	counts := make(map[InboxStatus]int, len(inboxStatuses))
	for _, status := range inboxStatuses {
		counts[status] = 0
	}
	for _, row := range rows {
		counts[row.Status] = row.Count
	}
	return counts, nil
}

const inboxColumns = "id, callback, status, received, first_at, last_at"

type inboxRow struct {
	ID       string      `db:"id"`
	Callback string      `db:"callback"`
	Status   InboxStatus `db:"status"`
	Received int         `db:"received"`
	FirstAt  int64       `db:"first_at"`
	LastAt   int64       `db:"last_at"`
}

func (r inboxRow) entry() (InboxEntry, error) {
	entry := InboxEntry{ID: r.ID, Status: r.Status, Received: r.Received, FirstAt: moment(r.FirstAt), LastAt: moment(r.LastAt)}
	if err := json.Unmarshal([]byte(r.Callback), &entry.Callback); err != nil {
		return InboxEntry{}, fmt.Errorf("ledger: callback %s: %w: %w", r.ID, ErrDamaged, err)
	}
	return entry, nil
}
