package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// InboxStatus is the status of a callback. It only goes forward.
type InboxStatus string

// The statuses, in the order in which a callback takes them.
const (
	Stored    InboxStatus = "stored"    // received; no workflow has been signalled
	Unmatched InboxStatus = "unmatched" // there is no such order
	Signalled InboxStatus = "signalled" // the order's workflow has been signalled
	Late      InboxStatus = "late"      // the order had ended; a workflow of its own handles the callback
	Done      InboxStatus = "done"      // handled
)

var inboxStatuses = []InboxStatus{Stored, Unmatched, Signalled, Late, Done}

// InboxEntry is a callback as received. The receiver has verified it, but whoever has the
// receiver's database login can store others: nothing is booked on one before its signature
// was verified again.
type InboxEntry struct {
	ID       string           `json:"id"` // tarspay.Callback.Fingerprint; another one if that was taken: see StoreCallback
	Callback tarspay.Callback `json:"callback"`
	Status   InboxStatus      `json:"status"`
	Hidden   string           `json:"hidden,omitempty"`  // Encrypted or Erased: of the callback, only the key of its order is known
	Problem  string           `json:"problem,omitempty"` // why this callback cannot be delivered; empty: it can
	Received int              `json:"received"`          // number of times
	FirstAt  time.Time        `json:"first_at"`
	LastAt   time.Time        `json:"last_at"`

	// What the gateway has sent, and its signature in hex. Both are empty if they cannot be
	// read.
	Body      []byte `json:"-"`
	Signature string `json:"-"`

	key     order.Key // the stored key, if it differs from the callback's
	damaged bool      // the stored callback cannot be decoded
}

// Damaged reports whether the stored callback cannot be decoded. Then only its key
// is known, and nobody can act on it.
func (e InboxEntry) Damaged() bool { return e.damaged }

// Key returns the key of the callback's order, as it is looked up.
func (e InboxEntry) Key() order.Key {
	if e.key != (order.Key{}) {
		return e.key
	}
	return sanitizeOrderKey(order.Key{Merchant: e.Callback.Merchant, Number: e.Callback.OrderNumber})
}

// Proven reports whether the gateway has signed the callback as it is stored. What is
// encrypted or was erased cannot be verified.
func (e InboxEntry) Proven(verifier *tarspay.Verifier) bool {
	if verifier == nil {
		return false
	}
	signed, err := verifier.ParseCallback(e.Body, e.Signature)
	return err == nil && signed.Fingerprint() == e.Callback.Fingerprint()
}

// StoreCallback stores a verified callback, its body, at most tarspay.MaxCallbackBytes, and
// the gateway's signature of the body, in hex. Callbacks with the same fingerprint are the same
// callback: a repetition is counted, and fresh is false. The gateway may be
// answered OK only after StoreCallback has returned.
//
// The id is the callback's fingerprint. Whoever has the receiver's database login can store
// something else under it before. So a row that is there already is this callback only if the
// verifier proves that; otherwise the callback is stored under another id, which nobody can
// know before. Without a verifier, the row is believed.
func (l *Ledger) StoreCallback(
	ctx context.Context, callback tarspay.Callback, body []byte, signature string, verifier *tarspay.Verifier,
) (id string, fresh bool, err error) {
	row, err := l.private.callbackRow(callback, body, signature)
	if err != nil {
		return "", false, fmt.Errorf("ledger: store callback: %w", err)
	}
	var there inboxRow
	err = l.inUndatedTx(ctx, func(t tx) (err error) {
		if there, err = t.store(ctx, row); err != nil || there.Received == 1 || verifier == nil {
			return err
		}
		if e := t.entry(there); !e.Proven(verifier) || e.key != (order.Key{}) || e.Callback.Fingerprint() != callback.Fingerprint() {
			beside := row
			beside.ID = besideID(callback, body, signature)
			there, err = t.store(ctx, beside)
		}
		return err
	})
	if err != nil {
		return "", false, fmt.Errorf("ledger: store callback: %w", err)
	}
	return there.ID, there.Received == 1, nil
}

// callbackRow returns a callback as it is stored.
func (p private) callbackRow(callback tarspay.Callback, body []byte, signature string) (inboxRow, error) {
	if len(body) > tarspay.MaxCallbackBytes {
		return inboxRow{}, fmt.Errorf("%d bytes are more than %d", len(body), tarspay.MaxCallbackBytes)
	}
	text, err := besideBody(callback, body)
	if err != nil {
		return inboxRow{}, err
	}
	signed, err := hex.DecodeString(signature)
	if err != nil {
		return inboxRow{}, fmt.Errorf("its signature is not hex: %w", err)
	}
	row := inboxRow{ID: callback.Fingerprint(), Merchant: sanitizeKey(callback.Merchant), Number: sanitizeKey(callback.OrderNumber), Status: Stored}
	key, err := p.ring.NewKey(callbackSubject(row.Merchant, row.Number))
	if err != nil {
		return inboxRow{}, err
	}
	row.Callback, row.DataKey = key.Seal("callback", text), key.Stored()
	row.Body, row.Signature = []byte(key.Seal("body", string(body))), []byte(key.Seal("signature", string(signed)))
	return row, nil
}

// store inserts a callback, or counts that it came again. It returns the row as it is stored.
func (t tx) store(ctx context.Context, row inboxRow) (there inboxRow, err error) {
	err = t.Get(ctx, &there, `
		INSERT INTO inbox (id, merchant, number, callback, body, signature, data_key, status, received, first_at, last_at)
		SELECT ?, ?, ?, ?, ?, ?, ?, ?, 1, now, now FROM (SELECT `+t.Clock()+` AS now) c WHERE 1 = 1
		ON CONFLICT (id) DO UPDATE SET received = inbox.received + 1, last_at = excluded.last_at
		RETURNING `+inboxColumns,
		row.ID, row.Merchant, row.Number, row.Callback, row.Body, row.Signature, row.DataKey, row.Status)
	return there, err
}

// besideID returns the id of a callback whose fingerprint another row has. It depends on the
// signature, which nobody but the gateway can make: so it is not known before the callback is.
func besideID(callback tarspay.Callback, body []byte, signature string) string {
	hash := sha256.New()
	for _, part := range []string{"tarspay callback beside", callback.Fingerprint(), signature} {
		fmt.Fprintf(hash, "%d %s ", len(part), part)
	}
	hash.Write(body)
	return hex.EncodeToString(hash.Sum(nil))
}

// besideBody returns what is stored of a callback beside its body: nothing if the body says
// it, else the callback as JSON.
func besideBody(callback tarspay.Callback, body []byte) (string, error) {
	text, err := json.Marshal(callback)
	if err != nil {
		return "", err
	}
	if said, err := tarspay.DecodeCallback(body); err == nil {
		again, err := json.Marshal(said)
		if err == nil && bytes.Equal(again, text) {
			return "", nil
		}
	}
	return strings.ToValidUTF8(string(text), "\uFFFD"), nil
}

// Callback reads a callback. ErrNotFound if there is none of that id; ErrDamaged
// if it cannot be decoded.
func (l *Ledger) Callback(ctx context.Context, id string) (InboxEntry, error) {
	var row inboxRow
	if err := l.db.Get(ctx, &row, "SELECT "+inboxColumns+" FROM inbox WHERE id = ?", id); err != nil {
		return InboxEntry{}, fmt.Errorf("ledger: %w", missing(err, "callback %s", id))
	}
	return l.private.callback(row)
}

func callbackSubject(merchant, number string) vault.Subject {
	return vault.Subject{Table: "inbox", Merchant: merchant, Number: number}
}

// Callbacks returns the callbacks of an order, oldest first, at most MaxPage.
func (l *Ledger) Callbacks(ctx context.Context, key order.Key) ([]InboxEntry, error) {
	entries, err := l.callbacks(ctx, "merchant = ? AND number = ?", MaxPage, sanitizeKey(key.Merchant), sanitizeKey(key.Number))
	if err != nil {
		return nil, fmt.Errorf("ledger: callbacks of %s: %w", key, err)
	}
	return entries, nil
}

const (
	// unreadAfter is the time after which a signalled callback of an ended order counts
	// as not processed.
	unreadAfter = 5 * time.Second
	// recheckLateAfter is the time after which a late callback is listed again, because its
	// workflow may no longer run. That workflow queries the gateway for a day.
	recheckLateAfter = 10 * time.Minute
	// aheadAtMost is the most by which a time that a process of ours has stored is ahead of the
	// ledger's clock. Whoever has the receiver's database login can store any time.
	aheadAtMost = time.Minute
)

// notDone is the SQL condition for callbacks that are not handled. Its text must equal the
// condition of the index inbox_status: only then do both engines use the index.
const notDone = "status <> 'done'"

// PendingCallbacks lists the callbacks to deliver, oldest first:
//   - stored ones that came at least unmarked ago. Younger ones may be signalled, and not
//     marked yet. Here and below, a time that lies ahead hides nothing.
//   - unmatched ones whose order exists now
//   - signalled ones that were not handled although their order has ended. A signal
//     that arrives while the workflow ends is lost.
//   - late ones that were not touched for a while. Their workflow may no longer run.
func (l *Ledger) PendingCallbacks(ctx context.Context, limit int, unmarked time.Duration) ([]InboxEntry, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	ahead := now.Add(aheadAtMost).UnixMilli()
	entries, err := l.callbacks(ctx, notDone+` AND (status = 'stored' AND (last_at <= ? OR last_at > ?)
		OR status = 'late' AND (told_at < ? OR told_at > ?)
		OR status = 'unmatched' AND EXISTS (
			SELECT 1 FROM orders o WHERE o.merchant = inbox.merchant AND o.number = inbox.number)
		OR status = 'signalled' AND (last_at < ? OR last_at > ?) AND EXISTS (
			SELECT 1 FROM orders o WHERE o.merchant = inbox.merchant AND o.number = inbox.number AND NOT o.`+openOrders+`))`,
		pageSize(limit), now.Add(-unmarked).UnixMilli(), ahead, now.Add(-recheckLateAfter).UnixMilli(), ahead, now.Add(-unreadAfter).UnixMilli(), ahead)
	if err != nil {
		return nil, fmt.Errorf("ledger: pending callbacks: %w", err)
	}
	return entries, nil
}

// UnmatchedCallbacks lists the callbacks of unknown orders, oldest first.
func (l *Ledger) UnmatchedCallbacks(ctx context.Context, limit int) ([]InboxEntry, error) {
	entries, err := l.callbacks(ctx, "status = 'unmatched' AND "+notDone, pageSize(limit))
	if err != nil {
		return nil, fmt.Errorf("ledger: unmatched callbacks: %w", err)
	}
	return entries, nil
}

func (l *Ledger) callbacks(ctx context.Context, where string, limit int, args ...any) ([]InboxEntry, error) {
	var rows []inboxRow
	err := l.db.List(ctx, &rows, "SELECT "+inboxColumns+" FROM inbox WHERE "+where+" ORDER BY first_at, id LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, err
	}
	entries := make([]InboxEntry, len(rows))
	for i, row := range rows {
		entries[i] = l.private.entry(row)
	}
	return entries, nil
}

// MarkCallback sets a callback's status and clears its problem. A status earlier
// than the stored one changes nothing: the process that signalled the callback may
// be slower than the workflow that handled it. The same status again updates the
// time at which the callback was last touched. ErrNotFound if there is no callback
// of that id.
func (l *Ledger) MarkCallback(ctx context.Context, id string, status InboxStatus) error {
	var earlier conditions
	earlier.add("id = ?", id)
	reached := false
	for _, s := range inboxStatuses {
		if reached {
			earlier.add("status <> ?", s)
		}
		reached = reached || s == status
	}
	if !reached {
		return fmt.Errorf("ledger: mark callback %s: %q is no status", id, status)
	}
	err := l.inTx(ctx, func(t tx) error {
		updated, err := t.Put(ctx, "UPDATE inbox SET status = ?, told_at = ?, problem = '', problem_at = 0"+earlier.sql(),
			append([]any{status, t.At.UnixMilli()}, earlier.args...)...)
		if err != nil || updated == 1 {
			return err
		}
		var found string
		return missing(t.Get(ctx, &found, "SELECT id FROM inbox WHERE id = ?", id), "callback %s", id)
	})
	if err != nil {
		return fmt.Errorf("ledger: mark callback %s: %w", id, err)
	}
	return nil
}

// MarkSignalled marks callbacks as Signalled that are Stored. It changes no other ones.
func (l *Ledger) MarkSignalled(ctx context.Context, ids []string) error {
	for some := range slices.Chunk(ids, keysPerQuery) {
		err := l.inTx(ctx, func(t tx) error {
			args := []any{Signalled, t.At.UnixMilli(), Stored}
			for _, id := range some {
				args = append(args, id)
			}
			_, err := t.Put(ctx, "UPDATE inbox SET status = ?, told_at = ?, problem = '', problem_at = 0 WHERE status = ? AND id IN ("+placeholders(len(some))+")", args...)
			return err
		})
		if err != nil {
			return fmt.Errorf("ledger: mark %d callbacks as signalled: %w", len(some), err)
		}
	}
	return nil
}

// handled marks a callback as Done.
func (t tx) handled(id string) write {
	return statement("UPDATE inbox SET status = 'done', told_at = ?, problem = '', problem_at = 0 WHERE id = ?", t.At.UnixMilli(), id)
}

// CallbackSummary is a callback without its content, which may have personal data.
type CallbackSummary struct {
	ID       string      `json:"id"`
	Key      order.Key   `json:"key"`
	Status   InboxStatus `json:"status"`
	Received int         `json:"received"` // number of times
	FirstAt  time.Time   `json:"first_at"`
	LastAt   time.Time   `json:"last_at"`
}

// SetCallbackAside marks a callback as handled by a person. The callback is of an
// unknown order, or cannot be delivered. It is not listed again if the gateway
// repeats it. The action is audited, done or refused. The callback is returned in
// its new status.
//
// The refusal's codes are WHO_MISSING, WHY_MISSING, TEXT_TOO_LONG,
// CALLBACK_NOT_UNMATCHED and CALLBACK_NOT_FOUND. The last one is not audited.
func (l *Ledger) SetCallbackAside(ctx context.Context, id string, who order.Who) (CallbackSummary, *order.Refusal, error) {
	var e InboxEntry
	var refusal *order.Refusal
	id = sanitizeText(id) // typed by a person
	err := l.inTx(ctx, func(t tx) error {
		var row inboxRow
		err := t.Get(ctx, &row, "SELECT "+inboxColumns+" FROM inbox WHERE id = ?", id)
		if err != nil {
			return missing(err, "callback %s", id)
		}
		e = t.entry(row)
		refusal, err = t.onBooks(ctx, e.Key(), id, entry{
			action: ActionSetAside, actor: who.By, mark: who.ID, evidence: "callback " + id, reason: order.Reason{Code: e.due(), Text: who.Why},
		}, func(ours bool, _ *entry) (*order.Refusal, error) {
			return t.setAside(ctx, &e, ours, row.due(t.At), who.By, who.Why)
		})
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return CallbackSummary{}, order.Refuse(CodeCallbackNotFound, "there is no callback %s", id), nil
	}
	if err != nil {
		return CallbackSummary{}, nil, fmt.Errorf("ledger: set callback %s aside: %w", id, err)
	}
	return CallbackSummary{e.ID, e.Key(), e.Status, e.Received, e.FirstAt, e.LastAt}, refusal, nil
}

// CodeCallbackNotFound says that there is no callback of the id.
const CodeCallbackNotFound = "CALLBACK_NOT_FOUND"

func (t tx) setAside(ctx context.Context, e *InboxEntry, ours, stuck bool, by, why string) (*order.Refusal, error) {
	if refusal := requirePerson("setting a callback aside", by, why); refusal != nil {
		return refusal, nil
	}
	switch {
	case ours && e.Status == Unmatched && !stuck:
		return order.Refuse(CodeNotUnmatched, "the order of callback %s is here by now; the callback is handed to it by itself", e.ID), nil
	case e.Status != Unmatched && !stuck:
		return order.Refuse(CodeNotUnmatched,
			"callback %s is %s; only one of an order that we do not have, or that cannot be passed on, can be set aside", e.ID, e.Status), nil
	}
	updated, err := t.Put(ctx, "UPDATE inbox SET status = ?, problem = '', problem_at = 0, told_at = ? WHERE id = ? AND status = ?",
		Done, t.At.UnixMilli(), e.ID, e.Status)
	if err == nil && updated == 0 {
		return order.Refuse(CodeNotUnmatched, "callback %s has been passed on meanwhile", e.ID), nil
	}
	e.Status, e.Problem = Done, ""
	return nil, err
}

// InboxCounts returns the number of callbacks in each status. Every status is in
// the map.
func (l *Ledger) InboxCounts(ctx context.Context) (map[InboxStatus]int, error) {
	var rows []struct {
		Status InboxStatus `db:"status"`
		Count  int         `db:"count"`
	}
	err := l.db.List(ctx, &rows, "SELECT status, COUNT(*) AS count FROM inbox WHERE "+notDone+" GROUP BY status UNION ALL SELECT '"+string(Done)+
		"', (SELECT COUNT(*) FROM inbox) - (SELECT COUNT(*) FROM inbox WHERE "+notDone+")")
	if err != nil {
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

const inboxColumns = "id, merchant, number, callback, body, signature, data_key, status, problem, problem_at, received, first_at, last_at"

type inboxRow struct {
	ID        string      `db:"id"`
	Merchant  string      `db:"merchant"`
	Number    string      `db:"number"`
	Callback  string      `db:"callback"` // empty: the body says it
	Body      []byte      `db:"body"`
	Signature []byte      `db:"signature"`
	DataKey   string      `db:"data_key"`
	Status    InboxStatus `db:"status"`
	Problem   string      `db:"problem"`
	ProblemAt int64       `db:"problem_at"`
	Received  int         `db:"received"`
	FirstAt   int64       `db:"first_at"`
	LastAt    int64       `db:"last_at"`
}

// entry decodes the row. A row that cannot be decoded becomes a damaged entry with
// its key, so that the other rows are still listed.
func (p private) entry(r inboxRow) InboxEntry {
	e, err := p.callback(r)
	if err != nil {
		e.Callback = tarspay.Callback{Merchant: r.Merchant, OrderNumber: r.Number}
		e.Problem, e.damaged = "what is kept of it cannot be read", true
	}
	return e
}

// sent returns what the gateway has sent. What cannot be read is empty: it proves nothing.
func (r inboxRow) sent(texts rowTexts) (body []byte, signature string) {
	text, err := texts.open("body", string(r.Body))
	signed, unsigned := texts.open("signature", string(r.Signature))
	if err != nil || unsigned != nil || hidden(text) || hidden(signed) {
		return nil, ""
	}
	return []byte(text), hex.EncodeToString([]byte(signed))
}

// callback decrypts and decodes the row. A callback whose key is gone was erased.
func (p private) callback(r inboxRow) (InboxEntry, error) {
	e := InboxEntry{
		ID: r.ID, Status: r.Status, Problem: r.Problem, Received: r.Received, FirstAt: moment(r.FirstAt), LastAt: moment(r.LastAt),
	}
	texts, err := p.texts(callbackSubject(r.Merchant, r.Number), r.DataKey, r.DataKey == "")
	if err == nil {
		r.Callback, err = texts.open("callback", r.Callback)
	}
	if err == nil && r.Callback == "" { // the body says it, unless that cannot be read
		var body string
		if body, err = texts.open("body", string(r.Body)); hidden(body) {
			r.Callback = body
		}
	}
	if err == nil && !hidden(r.Callback) {
		e.Body, e.Signature = r.sent(texts)
	}
	if err != nil {
		return e, fmt.Errorf("ledger: callback %s: %w: %w", r.ID, ErrDamaged, err)
	}
	if hidden(r.Callback) {
		e.Hidden, e.Callback = r.Callback, tarspay.Callback{Merchant: r.Merchant, OrderNumber: r.Number}
		return e, nil
	}
	if r.Callback == "" {
		e.Callback, err = tarspay.DecodeCallback(e.Body)
	} else {
		err = json.Unmarshal([]byte(r.Callback), &e.Callback)
	}
	if err != nil {
		return e, fmt.Errorf("ledger: callback %s: %w: %w", r.ID, ErrDamaged, err)
	}
	if key := (order.Key{Merchant: r.Merchant, Number: r.Number}); e.Key() != key {
		e.key = key
	}
	return e, nil
}
