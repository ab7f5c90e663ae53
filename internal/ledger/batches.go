package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Codes of refusals about a batch. They are stable.
const (
	CodeBatchNotFound  = "BATCH_NOT_FOUND" // there is no such batch
	CodeBatchEnded     = "BATCH_ENDED"     // no further row of it is started any more
	CodeBatchBroken    = "BATCH_BROKEN"    // what was stored is not what its id says
	CodeBatchNotReady  = "BATCH_NOT_READY" // its rows are still being stored
	CodeBatchDifferent = "BATCH_DIFFERENT" // the id belongs to a batch with other content
)

// BatchRecord is a batch as the ledger has it.
type BatchRecord struct {
	order.Batch
	State     order.BatchState `json:"state"`
	CreatedAt time.Time        `json:"created_at"`
	ChangedAt time.Time        `json:"changed_at"`           // when the state last changed
	ChangedBy string           `json:"changed_by,omitempty"` // who paused, resumed or cancelled it last
	Hidden    string           `json:"hidden,omitempty"`     // "encrypted": the name cannot be read
}

// StoreBatchPage stores some rows of a batch, and the batch with its first page. A row
// that is stored stays as it is. Nothing of the batch runs before MakeBatchReady. The
// codes are INVALID_REQUEST and BATCH_DIFFERENT.
func (l *Ledger) StoreBatchPage(ctx context.Context, b order.Batch, rows []order.BatchRow) (*order.Refusal, error) {
	if refusal := checkPage(b, rows); refusal != nil {
		return refusal, nil
	}
	key, err := l.private.ring.NewKey(batchSubject(b.Merchant, b.ID))
	if err != nil {
		return nil, fmt.Errorf("ledger: store batch %s: %w", b.ID, err)
	}
	fresh, err := newBatchRow(b, key)
	if err != nil {
		return nil, fmt.Errorf("ledger: store batch %s: %w", b.ID, err)
	}
	var refusal *order.Refusal
	err = l.inTx(ctx, func(t tx) (err error) {
		refusal, err = t.storeBatchPage(ctx, fresh, rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: store batch %s: %w", b.ID, err)
	}
	return refusal, nil
}

// checkPage refuses rows that no batch has.
func checkPage(b order.Batch, rows []order.BatchRow) *order.Refusal {
	if len(b.Fingerprint) != 2*sha256Bytes || b.ID != b.Fingerprint[:order.BatchIDDigits] || b.Merchant == "" || b.Rows < 1 {
		return order.Refuse(order.CodeInvalidRequest, "the batch has no merchant, no rows, or another id than that of its fingerprint")
	}
	for _, row := range rows {
		r := row.Request
		if row.Seq < 1 || row.Seq > b.Rows || r.Kind != order.Withdrawal || r.Merchant != b.Merchant || !r.Key().WellFormed() || !r.Amount.IsPositive() {
			return order.Refuse(order.CodeInvalidRequest, "row %d of the batch is no withdrawal of merchant %s", row.Seq, b.Merchant)
		}
	}
	return nil
}

const sha256Bytes = 32

func newBatchRow(b order.Batch, key *vault.Key) (batchRow, error) {
	header, err := json.Marshal(b.Columns)
	if err != nil {
		return batchRow{}, err
	}
	totals, err := json.Marshal(b.Totals)
	return batchRow{
		ID: b.ID, Merchant: sanitizeKey(b.Merchant), Fingerprint: b.Fingerprint, Name: key.Seal("batches.name", sanitizeText(b.Name)),
		Header: string(header), RowCount: b.Rows, Totals: string(totals), State: order.BatchStoring,
		RequestedBy: sanitizeText(b.RequestedBy), DataKey: key.Stored(),
	}, err
}

func (t tx) storeBatchPage(ctx context.Context, fresh batchRow, rows []order.BatchRow) (*order.Refusal, error) {
	fresh.CreatedAt, fresh.ChangedAt = t.At.UnixMilli(), t.At.UnixMilli()
	var ids []string
	err := t.PutRows(ctx, &ids, `
		INSERT INTO batches (id, merchant, fingerprint, name, header, row_count, totals, state, requested_by, data_key, created_at, changed_at)
		VALUES (:id, :merchant, :fingerprint, :name, :header, :row_count, :totals, :state, :requested_by, :data_key, :created_at, :changed_at)
		ON CONFLICT (id) DO NOTHING RETURNING id`, fresh)
	if err != nil {
		return nil, err
	}
	there, key, err := t.lockBatch(ctx, fresh.ID)
	switch {
	case err != nil:
		return nil, err
	case there.Fingerprint != fresh.Fingerprint || there.Merchant != fresh.Merchant || there.RowCount != fresh.RowCount || there.Totals != fresh.Totals:
		return order.Refuse(CodeBatchDifferent, "the id %s belongs to a batch with other content", fresh.ID), nil
	case there.State != order.BatchStoring || len(rows) == 0:
		return nil, nil
	}
	page := make([]batchRowRow, len(rows))
	for i, row := range rows {
		text, err := json.Marshal(row.Request)
		if err != nil {
			return nil, err
		}
		page[i] = batchRowRow{
			Batch: fresh.ID, Seq: row.Seq, Line: row.Line, Merchant: row.Request.Merchant, Number: row.Request.Number,
			Currency: row.Request.Amount.Currency(), Amount: row.Request.Amount.Minor(),
			Request: key.Seal(rowColumn("request", row.Seq), string(text)), At: t.At.UnixMilli(),
		}
	}
	var stored []int
	return nil, t.PutRows(ctx, &stored, `
		INSERT INTO batch_rows (batch, seq, line, merchant, number, currency, amount, request, at)
		VALUES (:batch, :seq, :line, :merchant, :number, :currency, :amount, :request, :at)
		ON CONFLICT DO NOTHING RETURNING seq`, page)
}

// MakeBatchReady lets a batch run if every row is stored and they are what its
// fingerprint says. It returns the state: storing if rows are missing. beat is called
// now and then. It is audited in the merchant's chain.
func (l *Ledger) MakeBatchReady(ctx context.Context, id string, beat func()) (order.BatchState, error) {
	b, err := l.Batch(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return order.BatchStoring, nil
	}
	if err != nil || b.State != order.BatchStoring {
		return b.State, err
	}
	whole, err := l.countsRows(ctx, b)
	if err != nil || !whole {
		return order.BatchStoring, err
	}
	state, reason := order.BatchRunning, order.Reason{}
	same, err := l.sameContent(ctx, b, beat)
	if err != nil {
		return "", fmt.Errorf("ledger: read batch %s: %w", id, err)
	}
	if !same {
		state, reason = order.BatchBroken, order.Reason{Code: CodeBatchBroken, Text: "its rows are not those of its fingerprint or of its totals"}
	}
	taken := entry{
		action: ActionBatch, actor: b.RequestedBy, source: rules.FromOperator, evidence: describeBatch(b), reason: reason, after: batchStep(state),
	}
	if !same { // an entry of a refusal has one state
		taken.refused, taken.before = true, taken.after
	}
	err = l.inTx(ctx, func(t tx) error {
		changed, err := t.moveBatch(ctx, id, "", state, order.BatchStoring)
		if err != nil || !changed {
			return err
		}
		return t.noteOther(ctx, order.Key{Merchant: b.Merchant}, taken)
	})
	if err != nil {
		return "", fmt.Errorf("ledger: make batch %s ready: %w", id, err)
	}
	return state, nil
}

func (l *Ledger) countsRows(ctx context.Context, b BatchRecord) (whole bool, err error) {
	var stored int
	err = l.db.Get(ctx, &stored, "SELECT COUNT(*) FROM batch_rows WHERE batch = ?", b.ID)
	return stored == b.Rows, err
}

// describeBatch says in the audit what a batch is.
func describeBatch(b BatchRecord) string {
	text := fmt.Sprintf("batch %s: %d rows", b.ID, b.Rows)
	for _, total := range b.Totals {
		text += ", " + total.String()
	}
	return text + ", fingerprint " + b.Fingerprint
}

// sameContent reports whether the rows are those of the fingerprint and of the totals.
func (l *Ledger) sameContent(ctx context.Context, b BatchRecord, beat func()) (bool, error) {
	var wrapped string
	if err := l.db.Get(ctx, &wrapped, "SELECT data_key FROM batches WHERE id = ?", b.ID); err != nil {
		return false, err
	}
	digest, sums, next := order.NewBatchDigest(b.Merchant), make(map[string]money.Amount), 1
	for {
		var page []batchRowRow
		err := l.db.List(ctx, &page, "SELECT "+batchRowColumns+" FROM batch_rows WHERE batch = ? AND seq >= ? ORDER BY seq LIMIT ?", b.ID, next, batchPage)
		if err != nil {
			return false, err
		}
		rows, err := l.private.batchRows(b.ID, b.Merchant, wrapped, page)
		if err != nil {
			return false, err
		}
		for i, row := range rows {
			amount := row.Request.Amount
			if sum, has := sums[amount.Currency()]; has {
				if amount, err = sum.Add(amount); err != nil {
					return false, nil //nolint:nilerr // a sum that cannot be held is not that of the totals
				}
			}
			if row.Seq != next || page[i].Number != row.Request.Number || page[i].Amount != row.Request.Amount.Minor() || page[i].Currency != row.Request.Amount.Currency() {
				return false, nil
			}
			sums[amount.Currency()] = amount
			digest.Add(row.Request.Fingerprint())
			next++
		}
		beat()
		if len(page) < batchPage {
			break
		}
	}
	same := digest.Sum() == b.Fingerprint && len(sums) == len(b.Totals)
	for _, total := range b.Totals {
		same = same && sums[total.Currency()] == total
	}
	return same, nil
}

// batchPage is how many rows of a batch are read at once.
const batchPage = 500

// changeBatch pauses, resumes or cancels a batch, and audits it in the chain of its
// merchant, done or refused.
func (l *Ledger) changeBatch(ctx context.Context, action AuditAction, ref order.BatchRef, who order.Who, to order.BatchState, from ...order.BatchState) (
	b BatchRecord, refusal *order.Refusal, err error,
) {
	who.By, who.Why = sanitizeText(who.By), sanitizeText(who.Why)
	err = l.inTx(ctx, func(t tx) error {
		row, _, err := t.lockBatch(ctx, ref.Batch)
		if errors.Is(err, ErrNotFound) || err == nil && row.Merchant != ref.Merchant {
			row, err = batchRow{Merchant: ref.Merchant}, nil
		}
		if err != nil {
			return err
		}
		key := order.Key{Merchant: sanitizeKey(ref.Merchant)}
		e := entry{
			action: action, actor: who.By, source: rules.FromOperator, reason: order.Reason{Text: who.Why}, evidence: "batch " + sanitizeText(ref.Batch),
			mark: bookMark(action, ref.Batch, who.ID),
		}
		var repeated bool
		if repeated, refusal, err = t.repeated(ctx, key, e.mark); err != nil {
			return err
		}
		if !repeated {
			refusal = row.permit(who, to, from)
			if refusal == nil && row.State != to {
				e.before, e.after = batchStep(row.State), batchStep(to)
				if _, err = t.moveBatch(ctx, row.ID, who.By, to, from...); err != nil {
					return err
				}
			}
			e.refuse(refusal)
			if err = t.noteOther(ctx, key, e); err != nil {
				return err
			}
		}
		if row.ID == "" {
			return nil
		}
		if row, _, err = t.lockBatch(ctx, row.ID); err == nil {
			b, err = t.batch(row)
		}
		return err
	})
	if err != nil {
		return BatchRecord{}, nil, fmt.Errorf("ledger: %s %s: %w", action, ref.Batch, err)
	}
	return b, refusal, nil
}

// batchStep returns a batch's state as the audit has it.
func batchStep(state order.BatchState) order.State { return order.State(state) }

// permit refuses a change of a batch's state.
func (r batchRow) permit(who order.Who, to order.BatchState, from []order.BatchState) *order.Refusal {
	if refusal := requirePerson("a change of a batch", who.By, who.Why); refusal != nil {
		return refusal
	}
	switch {
	case r.ID == "":
		return order.Refuse(CodeBatchNotFound, "there is no batch of that id")
	case r.State == to:
	case r.State.Ended():
		return order.Refuse(CodeBatchEnded, "the batch is %s; no further row of it is started", r.State)
	case !slices.Contains(from, r.State):
		return order.Refuse(CodeBatchNotReady, "the batch is %s; try again in a moment", r.State)
	}
	return nil
}

// PauseBatch starts no further row of a batch until it is resumed. Rows that were begun
// are started. The codes are WHO_MISSING, WHY_MISSING, BATCH_NOT_FOUND, BATCH_ENDED and
// BATCH_NOT_READY.
func (l *Ledger) PauseBatch(ctx context.Context, ref order.BatchRef, who order.Who) (BatchRecord, *order.Refusal, error) {
	return l.changeBatch(ctx, ActionPauseBatch, ref, who, order.BatchPaused, order.BatchRunning)
}

// ResumeBatch starts rows of a paused batch again. The codes are those of PauseBatch.
func (l *Ledger) ResumeBatch(ctx context.Context, ref order.BatchRef, who order.Who) (BatchRecord, *order.Refusal, error) {
	return l.changeBatch(ctx, ActionResumeBatch, ref, who, order.BatchRunning, order.BatchPaused)
}

// CancelBatch starts no further row of a batch, for ever. Rows that were begun are
// started, and their orders go on. The codes are those of PauseBatch.
func (l *Ledger) CancelBatch(ctx context.Context, ref order.BatchRef, who order.Who) (BatchRecord, *order.Refusal, error) {
	return l.changeBatch(ctx, ActionCancelBatch, ref, who, order.BatchCancelled, order.BatchRunning, order.BatchPaused)
}

// moveBatch changes the state of a batch that has one of the states. It reports whether
// it did.
func (t tx) moveBatch(ctx context.Context, id, by string, to order.BatchState, from ...order.BatchState) (bool, error) {
	var where conditions
	where.add("id = ?", id)
	where.among("state", texts(from))
	changed, err := t.Put(ctx, "UPDATE batches SET state = ?, changed_at = ?, changed_by = ?"+where.sql(),
		append([]any{to, t.At.UnixMilli(), by}, where.args...)...)
	return changed == 1, err
}

// lockBatch reads a batch and locks its row. ErrNotFound if there is none.
func (t tx) lockBatch(ctx context.Context, id string) (batchRow, *vault.Key, error) {
	var row batchRow
	err := t.Get(ctx, &row, "SELECT "+batchColumns+" FROM batches WHERE id = ?"+t.ForUpdate, id)
	if err != nil {
		return row, nil, missing(err, "batch %s", id)
	}
	texts, err := t.texts(batchSubject(row.Merchant, row.ID), row.DataKey, false)
	return row, texts.key, err
}

// Batch returns a batch. ErrNotFound if there is none.
func (l *Ledger) Batch(ctx context.Context, id string) (BatchRecord, error) {
	var row batchRow
	if err := l.db.Get(ctx, &row, "SELECT "+batchColumns+" FROM batches WHERE id = ?", id); err != nil {
		return BatchRecord{}, fmt.Errorf("ledger: %w", missing(err, "batch %.32q", id))
	}
	return l.private.batch(row)
}

// BatchFilter selects batches. The zero value selects all.
type BatchFilter struct {
	Merchants []string           // any of them; none: all
	States    []order.BatchState // any of them
	After     string             // the id of the last batch of the page before
	Limit     int
}

// Batches lists batches, the newest first. ErrNotFound when After names none.
func (l *Ledger) Batches(ctx context.Context, filter BatchFilter) ([]BatchRecord, error) {
	var where conditions
	where.among("merchant", filter.Merchants)
	where.among("state", texts(filter.States))
	if filter.After != "" {
		var at int64
		if err := l.db.Get(ctx, &at, "SELECT created_at FROM batches WHERE id = ?", filter.After); err != nil {
			return nil, fmt.Errorf("ledger: list batches: %w", missing(err, "batch %.32q", filter.After))
		}
		where.add("(created_at, id) < (?, ?)", at, filter.After)
	}
	var rows []batchRow
	err := l.db.List(ctx, &rows, "SELECT "+batchColumns+" FROM batches"+where.sql()+" ORDER BY created_at DESC, id DESC LIMIT ?",
		append(where.args, pageSize(filter.Limit))...)
	if err != nil {
		return nil, fmt.Errorf("ledger: list batches: %w", err)
	}
	found := make([]BatchRecord, len(rows))
	for i, row := range rows {
		if found[i], err = l.private.batch(row); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func batchSubject(merchant, id string) vault.Subject {
	return vault.Subject{Table: "batches", Merchant: merchant, Number: id}
}

// rowColumn binds an encrypted text to its row.
func rowColumn(column string, seq int) string { return fmt.Sprintf("batch_rows.%s.%d", column, seq) }

const batchColumns = "id, merchant, fingerprint, name, header, row_count, totals, state, requested_by, data_key, created_at, changed_at, changed_by"

type batchRow struct {
	ID          string           `db:"id"`
	Merchant    string           `db:"merchant"`
	Fingerprint string           `db:"fingerprint"`
	Name        string           `db:"name"`
	Header      string           `db:"header"`
	RowCount    int              `db:"row_count"`
	Totals      string           `db:"totals"`
	State       order.BatchState `db:"state"`
	RequestedBy string           `db:"requested_by"`
	DataKey     string           `db:"data_key"`
	CreatedAt   int64            `db:"created_at"`
	ChangedAt   int64            `db:"changed_at"`
	ChangedBy   string           `db:"changed_by"`
}

// batch decrypts and decodes a row.
func (p private) batch(row batchRow) (BatchRecord, error) {
	b := BatchRecord{
		Batch: order.Batch{
			Merchant: row.Merchant, ID: row.ID, Fingerprint: row.Fingerprint, Rows: row.RowCount, RequestedBy: row.RequestedBy,
		},
		State: row.State, CreatedAt: moment(row.CreatedAt), ChangedAt: moment(row.ChangedAt), ChangedBy: row.ChangedBy,
	}
	texts, err := p.texts(batchSubject(row.Merchant, row.ID), row.DataKey, false)
	if err == nil {
		b.Name, b.Hidden, err = texts.read("batches.name", row.Name)
	}
	err = errors.Join(err, json.Unmarshal([]byte(row.Header), &b.Columns), json.Unmarshal([]byte(row.Totals), &b.Totals))
	if err != nil {
		return BatchRecord{}, fmt.Errorf("ledger: batch %s: %w", row.ID, err)
	}
	return b, nil
}
