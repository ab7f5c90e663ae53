package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// ErrLeaseLost is the error of a deliverer whose lease another one has, or whose endpoint a
// person has changed meanwhile. It has written nothing.
var ErrLeaseLost = errors.New("ledger: the lease of the webhook endpoint is lost")

// States of a delivery that did not succeed at the first try.
const (
	deliveryPending   = "pending"
	deliveryDelivered = "delivered"
	deliveryGivenUp   = "given_up"
	deliveryReplayed  = "replayed"
)

// webhookLadder has the pauses after each failed try of an event. Together they are three
// days. After the last try the event is given up.
var webhookLadder = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour,
	12 * time.Hour, 12 * time.Hour, 12 * time.Hour, 12 * time.Hour, 13*time.Hour + 17*time.Minute + 25*time.Second,
}

// Limits of the deliveries to one endpoint.
const (
	webhookPage     = 100            // events that are read at once, and failed ones that are tried again at once
	webhookBacklog  = 20             // while every try fails: so many events fail, then new ones wait
	webhookProbe    = time.Minute    // while every try fails: how often one of them is tried out of turn
	webhookPatience = 24 * time.Hour // every try has failed for so long: the endpoint is paused
)

// WebhookBacklog is how many events in a row fail before new ones wait.
const WebhookBacklog = webhookBacklog

// deliveryRow is a row of webhook_deliveries.
type deliveryRow struct {
	Endpoint string `db:"endpoint"`
	Position int64  `db:"position"`
	EventID  string `db:"event_id"`
	Type     string `db:"type"`
	Merchant string `db:"merchant"`
	Number   string `db:"number"`
	State    string `db:"state"`
	Tries    int64  `db:"tries"`
	Rung     int64  `db:"rung"`
	NextTry  int64  `db:"next_try"`
	Status   int64  `db:"status"`
	Why      string `db:"why"`
	FirstAt  int64  `db:"first_at"`
	At       int64  `db:"at"`
}

const deliveryColumns = "endpoint, position, event_id, type, merchant, number, state, tries, rung, next_try, status, why, first_at, at"

// firstOfItsOrder is the SQL condition for a pending delivery d before which no other one of
// its order is pending.
const firstOfItsOrder = `d.state = 'pending' AND (d.number = '' OR NOT EXISTS (
	SELECT 1 FROM webhook_deliveries b WHERE b.endpoint = d.endpoint AND b.state = 'pending'
		AND b.merchant = d.merchant AND b.number = d.number AND b.position < d.position))`

// fewFailed is the SQL condition for an endpoint w that takes new events.
var fewFailed = fmt.Sprintf(`(w.failing_since = 0 OR (SELECT COUNT(*) FROM (
	SELECT 1 FROM webhook_deliveries d WHERE d.endpoint = w.id AND d.state = 'pending' LIMIT %d) q) < %[1]d)`, webhookBacklog)

// WebhookWork lists the endpoints to which something can be delivered now, and which no
// deliverer has.
func (l *Ledger) WebhookWork(ctx context.Context) ([]string, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	err = l.db.List(ctx, &found, `SELECT w.id FROM webhook_endpoints w WHERE w.state = 'active' AND w.lease_until <= ? AND (
			w.replay_from >= 0 OR w.retry_now = 1
			OR w.position < (`+lastPosition+`) AND `+fewFailed+`
			OR EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint = w.id AND d.next_try <= ? AND `+firstOfItsOrder+`)
			OR w.failing_since > 0 AND w.tried_at <= ? AND EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint = w.id AND d.state = 'pending')
		) ORDER BY w.id`, now.UnixMilli(), now.UnixMilli(), now.Add(-webhookProbe).UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("ledger: list webhook endpoints with work: %w", err)
	}
	return found, nil
}

// WebhookLease lets one deliverer write about an endpoint, until another one takes it.
type WebhookLease struct {
	Endpoint string
	fence    int64
}

// TakeWebhook takes the lease of an endpoint for a time. taken is false if another
// deliverer has it, or the endpoint is not active.
func (l *Ledger) TakeWebhook(ctx context.Context, id, owner string, life time.Duration) (lease WebhookLease, taken bool, err error) {
	err = l.inTx(ctx, func(t tx) error {
		var row webhookRow
		taken = false
		err := t.Get(ctx, &row, "SELECT "+webhookColumns+" FROM webhook_endpoints WHERE id = ?"+t.ForUpdate, id)
		if err != nil || row.State != WebhookActive || row.LeaseUntil > t.At.UnixMilli() {
			return err
		}
		if err := t.applyWishes(ctx, &row); err != nil {
			return err
		}
		lease, taken = WebhookLease{Endpoint: id, fence: row.Fence + 1}, true
		_, err = t.Put(ctx, "UPDATE webhook_endpoints SET lease_owner = ?, lease_until = ?, fence = ?, position = ?, replay_from = -1, retry_now = 0 WHERE id = ?",
			sanitizeText(owner), t.At.Add(life).UnixMilli(), lease.fence, row.Position, id)
		return err
	})
	if err != nil {
		return WebhookLease{}, false, fmt.Errorf("ledger: take webhook endpoint %s: %w", id, err)
	}
	return lease, taken, nil
}

// applyWishes does what a person has asked for: a replay, or a try of all that failed.
func (t tx) applyWishes(ctx context.Context, row *webhookRow) error {
	if row.ReplayFrom >= 0 && row.ReplayFrom < row.Position {
		row.Position = row.ReplayFrom
		_, err := t.Put(ctx, "UPDATE webhook_deliveries SET state = 'replayed', at = ? WHERE endpoint = ? AND state = 'pending' AND position > ?",
			t.At.UnixMilli(), row.ID, row.Position)
		if err != nil {
			return err
		}
	}
	if row.RetryNow == 0 {
		return nil
	}
	return t.retryAll(ctx, row.ID)
}

// retryAll has everything tried at once that failed. The try is out of turn: it takes no
// rung of the ladder.
func (t tx) retryAll(ctx context.Context, endpoint string) error {
	_, err := t.Put(ctx, "UPDATE webhook_deliveries SET next_try = ?, rung = rung - 1 WHERE endpoint = ? AND state = 'pending' AND next_try > ?",
		t.At.UnixMilli(), endpoint, t.At.UnixMilli())
	return err
}

// WebhookPage is what a deliverer delivers next.
type WebhookPage struct {
	URL     string
	Secrets []string
	Types   []string       // of the events that the endpoint wants; none: all
	Retries []WebhookEvent // that failed before; no two of one order
	Events  []Event        // after the endpoint's position
	// Waiting are the orders of which an event is pending. Their new events wait.
	Waiting map[order.Key]bool
	// Last is the position that is reached once Events are done with.
	Last int64
	// More reports whether there is more than this page.
	More bool

	position int64
}

// WebhookEvent is an event that failed before.
type WebhookEvent struct {
	Event
	Probe bool // it is tried out of turn
	rung  int64
	tries int64
	first int64
}

// WebhookPage reads what the holder of a lease delivers next. The error is ErrLeaseLost if
// the endpoint is not the holder's any more, is not active, or is to be replayed.
func (l *Ledger) WebhookPage(ctx context.Context, lease WebhookLease) (WebhookPage, error) {
	page, err := l.webhookPage(ctx, lease)
	if err != nil && !errors.Is(err, ErrLeaseLost) {
		return page, fmt.Errorf("ledger: read the events of webhook endpoint %s: %w", lease.Endpoint, err)
	}
	return page, err
}

func (l *Ledger) webhookPage(ctx context.Context, lease WebhookLease) (WebhookPage, error) {
	row, err := l.webhookRow(ctx, lease.Endpoint)
	if err != nil {
		return WebhookPage{}, err
	}
	now, err := l.Now(ctx)
	if err != nil {
		return WebhookPage{}, err
	}
	if row.Fence != lease.fence || row.State != WebhookActive || row.ReplayFrom >= 0 || row.RetryNow != 0 {
		return WebhookPage{}, ErrLeaseLost
	}
	page := WebhookPage{
		URL: row.URL, Secrets: row.secrets(now), Types: readList(row.Types), Waiting: make(map[order.Key]bool), Last: row.Position, position: row.Position,
	}
	if page.Retries, err = l.webhookRetries(ctx, row, now); err != nil {
		return page, err
	}
	page.More = len(page.Retries) == webhookPage
	var room bool
	if err := l.db.Get(ctx, &room, "SELECT "+fewFailed+" FROM webhook_endpoints w WHERE w.id = ?", row.ID); err != nil || !room {
		return page, err
	}
	return page, l.webhookEvents(ctx, row, &page)
}

// webhookRetries returns the failed events whose time has come. If there is none, and
// every try fails, it returns one out of turn.
func (l *Ledger) webhookRetries(ctx context.Context, row webhookRow, now time.Time) ([]WebhookEvent, error) {
	const due = "SELECT " + deliveryColumns + " FROM webhook_deliveries d WHERE d.endpoint = ? AND " + firstOfItsOrder
	var rows []deliveryRow
	err := l.db.List(ctx, &rows, due+" AND d.next_try <= ? ORDER BY d.next_try, d.position LIMIT ?", row.ID, now.UnixMilli(), webhookPage)
	probe := err == nil && len(rows) == 0 && row.FailingSince > 0 && row.TriedAt <= now.Add(-webhookProbe).UnixMilli()
	if probe {
		err = l.db.List(ctx, &rows, due+" ORDER BY d.next_try, d.position LIMIT 1", row.ID)
	}
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	positions := make([]any, len(rows))
	for i, row := range rows {
		positions[i] = row.Position
	}
	var where conditions
	where.add("e.position IN ("+placeholders(len(rows))+")", positions...)
	events, err := l.eventsWhere(ctx, where, len(rows))
	if err != nil {
		return nil, err
	}
	retries := make([]WebhookEvent, 0, len(events))
	for _, e := range events {
		i := slices.IndexFunc(rows, func(r deliveryRow) bool { return r.Position == e.Position })
		retries = append(retries, WebhookEvent{Event: e, Probe: probe, rung: rows[i].Rung, tries: rows[i].Tries, first: rows[i].FirstAt})
	}
	return retries, nil
}

// webhookEvents reads the events after the endpoint's position, and which of their orders
// wait.
func (l *Ledger) webhookEvents(ctx context.Context, row webhookRow, page *WebhookPage) error {
	last, err := l.LastEvent(ctx)
	if err != nil || last <= row.Position {
		return err
	}
	page.Events, err = l.Events(ctx, EventFilter{Merchants: readList(row.Merchants), After: row.Position, Limit: webhookPage})
	if err != nil {
		return err
	}
	page.Last = last
	if len(page.Events) == webhookPage {
		page.Last, page.More = page.Events[webhookPage-1].Position, true
	}
	var numbers []string
	for _, e := range page.Events {
		page.Last = max(page.Last, e.Position)
		if e.Number != "" && !slices.Contains(numbers, e.Number) {
			numbers = append(numbers, e.Number)
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	var where conditions
	where.add("endpoint = ?", row.ID)
	where.add("state = 'pending'")
	where.among("number", numbers)
	var waiting []struct {
		Merchant string `db:"merchant"`
		Number   string `db:"number"`
	}
	if err := l.db.List(ctx, &waiting, "SELECT DISTINCT merchant, number FROM webhook_deliveries"+where.sql(), where.args...); err != nil {
		return err
	}
	for _, w := range waiting {
		page.Waiting[order.Key{Merchant: w.Merchant, Number: w.Number}] = true
	}
	return nil
}

// WebhookTry is what became of an event.
type WebhookTry struct {
	Event     Event
	Retry     *WebhookEvent // the event, if it failed before
	Delivered bool
	Waits     bool // it was not tried, because an earlier event of its order failed
	Status    int
	Why       string
}

// WebhookProgress is what a deliverer has done with a page.
type WebhookProgress struct {
	Position  int64 // every event up to it is delivered, or is in Tries
	Delivered int   // how many tries succeeded
	// Tries are the tries that failed, the events that wait, and whatever became of
	// Retries.
	Tries []WebhookTry
	Gone  string        // the endpoint wants no events any more: why; the endpoint is disabled
	Life  time.Duration // the lease goes on for so long
}

// RecordWebhook writes what a deliverer has done. The error is ErrLeaseLost if the lease is
// another one's: then nothing was written.
func (l *Ledger) RecordWebhook(ctx context.Context, lease WebhookLease, done WebhookProgress) error {
	err := l.inTx(ctx, func(t tx) error {
		var row webhookRow
		err := t.Get(ctx, &row, "SELECT "+webhookColumns+" FROM webhook_endpoints WHERE id = ? AND fence = ?"+t.ForUpdate, lease.Endpoint, lease.fence)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrLeaseLost
		}
		if err != nil {
			return err
		}
		recovered := done.Delivered > 0 && row.FailingSince > 0 && t.At.UnixMilli()-row.FailingSince >= webhookProbe.Milliseconds()
		row.judge(t.At, done)
		until := t.At.Add(done.Life).UnixMilli()
		if row.State != WebhookActive {
			until = 0
		}
		_, err = t.Put(ctx, `UPDATE webhook_endpoints SET position = ?, lease_until = ?, failing_since = ?, tried_at = ?, problem = ?, state = ?, state_at = ?,
			changed_by = ?, changed_at = ? WHERE id = ? AND fence = ?`,
			max(row.Position, done.Position), until, row.FailingSince, row.TriedAt, row.Problem, row.State, row.StateAt, row.ChangedBy, row.ChangedAt,
			lease.Endpoint, lease.fence)
		for _, try := range done.Tries {
			if err == nil {
				err = t.putDelivery(ctx, lease.Endpoint, try)
			}
		}
		if err == nil && recovered {
			err = t.retryAll(ctx, lease.Endpoint)
		}
		return err
	})
	if err != nil && !errors.Is(err, ErrLeaseLost) {
		return fmt.Errorf("ledger: record the deliveries to webhook endpoint %s: %w", lease.Endpoint, err)
	}
	return err
}

// ReleaseWebhook ends a lease, if it is still the holder's.
func (l *Ledger) ReleaseWebhook(ctx context.Context, lease WebhookLease) error {
	err := l.inTx(ctx, func(t tx) error {
		_, err := t.Put(ctx, "UPDATE webhook_endpoints SET lease_until = 0 WHERE id = ? AND fence = ?", lease.Endpoint, lease.fence)
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: release webhook endpoint %s: %w", lease.Endpoint, err)
	}
	return nil
}

// judge sets what follows for the endpoint from a page's tries.
func (r *webhookRow) judge(at time.Time, done WebhookProgress) {
	failed := slices.ContainsFunc(done.Tries, func(try WebhookTry) bool { return !try.Delivered && !try.Waits })
	for _, try := range done.Tries {
		if !try.Delivered && !try.Waits {
			r.TriedAt, r.Problem = at.UnixMilli(), sanitizeText(try.Why)
		}
	}
	switch {
	case done.Delivered > 0:
		r.FailingSince = 0
	case failed && r.FailingSince == 0:
		r.FailingSince = at.UnixMilli()
	}
	was := r.State
	switch {
	case r.State != WebhookActive:
	case done.Gone != "":
		r.State, r.TriedAt, r.Problem = WebhookDisabled, at.UnixMilli(), sanitizeText(done.Gone)
	case failed && r.FailingSince > 0 && at.UnixMilli()-r.FailingSince >= webhookPatience.Milliseconds():
		r.State = WebhookPaused
	}
	if r.State != was {
		r.StateAt, r.ChangedBy, r.ChangedAt = at.UnixMilli(), "", at.UnixMilli()
	}
}

// putDelivery writes the row of an event that failed, waits, or failed before.
func (t tx) putDelivery(ctx context.Context, endpoint string, try WebhookTry) error {
	e, now := try.Event, t.At.UnixMilli()
	row := deliveryRow{
		Endpoint: endpoint, Position: e.Position, EventID: e.ID, Type: e.Type, Merchant: e.Merchant, Number: e.Number, State: deliveryPending,
		NextTry: now, Status: int64(try.Status), Why: sanitizeText(try.Why), FirstAt: now, At: now,
	}
	if try.Retry != nil {
		row.Rung, row.Tries, row.FirstAt = try.Retry.rung, try.Retry.tries, try.Retry.first
	}
	switch {
	case try.Waits:
	case try.Delivered:
		row.State, row.Tries = deliveryDelivered, row.Tries+1
	case row.Rung >= int64(len(webhookLadder)):
		row.State, row.Tries = deliveryGivenUp, row.Tries+1
	case try.Retry != nil && try.Retry.Probe: // its next try stays where it was
		_, err := t.Put(ctx, "UPDATE webhook_deliveries SET tries = tries + 1, status = ?, why = ?, at = ? WHERE endpoint = ? AND position = ? AND state = 'pending'",
			row.Status, row.Why, row.At, endpoint, row.Position)
		return err
	default:
		row.NextTry, row.Rung, row.Tries = t.At.Add(webhookLadder[row.Rung]).UnixMilli(), row.Rung+1, row.Tries+1
	}
	_, err := t.Put(ctx, "INSERT INTO webhook_deliveries ("+deliveryColumns+") VALUES ("+placeholders(14)+`)
		ON CONFLICT (endpoint, position) DO UPDATE SET state = excluded.state, tries = excluded.tries, rung = excluded.rung, next_try = excluded.next_try,
			status = excluded.status, why = excluded.why, at = excluded.at`,
		row.Endpoint, row.Position, row.EventID, row.Type, row.Merchant, row.Number, row.State, row.Tries, row.Rung, row.NextTry, row.Status, row.Why,
		row.FirstAt, row.At)
	return err
}
