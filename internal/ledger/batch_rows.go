package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// RowOutcome is what became of a row of a batch.
type RowOutcome string

// The outcomes. A row is begun before its order is started, so that what was begun is
// started or refused, also after a worker was killed.
const (
	RowWaiting RowOutcome = ""
	RowBegun   RowOutcome = "begun"
	RowStarted RowOutcome = "started" // its order was started
	RowEnded   RowOutcome = "ended"   // its order has ended
	RowRefused RowOutcome = "refused" // no order was started
)

// RowResult is the outcome of a start of a row.
type RowResult struct {
	Seq     int
	Outcome RowOutcome   // RowStarted or RowRefused
	Reason  order.Reason // of RowRefused
}

// BatchProgress says how a batch stands.
type BatchProgress struct {
	State   order.BatchState
	Waiting int // rows that were not begun
	Open    int // rows whose order has not ended
}

// BeginBatchRows notes which orders have ended, and begins as many of the next rows as
// the window allows: at most window orders of the batch are open. It returns every row
// that is begun: also rows of a batch that was paused or cancelled since. A batch of
// which nothing is left is completed.
func (l *Ledger) BeginBatchRows(ctx context.Context, id string, window, most int) (begun []order.BatchRow, progress BatchProgress, err error) {
	var page []batchRowRow
	var b batchRow
	err = l.inTx(ctx, func(t tx) error {
		if b, _, err = t.lockBatch(ctx, id); err != nil {
			return err
		}
		if err := t.endRows(ctx, b); err != nil {
			return err
		}
		if progress, err = t.progress(ctx, b); err != nil {
			return err
		}
		if next := min(window-progress.Open, most, progress.Waiting); next > 0 && b.State == order.BatchRunning {
			_, err := t.Put(ctx, "UPDATE batch_rows SET outcome = 'begun', at = ? WHERE batch = ? AND outcome = '' AND seq IN (SELECT seq FROM batch_rows WHERE batch = ? AND outcome = '' ORDER BY seq LIMIT ?)",
				t.At.UnixMilli(), id, id, next)
			if err != nil {
				return err
			}
			progress.Waiting, progress.Open = progress.Waiting-next, progress.Open+next
		}
		if progress.Waiting+progress.Open == 0 && b.State == order.BatchRunning {
			if err := t.completeBatch(ctx, b); err != nil {
				return err
			}
			progress.State = order.BatchCompleted
		}
		page = nil
		return t.List(ctx, &page, "SELECT "+batchRowColumns+" FROM batch_rows WHERE batch = ? AND outcome = 'begun' ORDER BY seq LIMIT ?", id, most)
	})
	if err == nil {
		begun, err = l.private.batchRows(b.ID, b.Merchant, b.DataKey, page)
	}
	if err != nil {
		return nil, BatchProgress{}, fmt.Errorf("ledger: go on with batch %s: %w", id, err)
	}
	return begun, progress, nil
}

// endRows notes which started rows have an order that has ended. It deletes the content
// of rows whose order the ledger has: the order has it, and it is erased with the order.
func (t tx) endRows(ctx context.Context, b batchRow) error {
	const ours = "SELECT 1 FROM orders o WHERE o.merchant = batch_rows.merchant AND o.number = batch_rows.number"
	for _, change := range []string{
		"UPDATE batch_rows SET request = '' WHERE batch = ? AND outcome = 'started' AND request <> '' AND EXISTS (" + ours + ")",
		"UPDATE batch_rows SET outcome = 'ended' WHERE batch = ? AND outcome = 'started' AND EXISTS (" + ours + " AND NOT (o." + openOrders + "))",
	} {
		if _, err := t.Put(ctx, change, b.ID); err != nil {
			return err
		}
	}
	return nil
}

func (t tx) progress(ctx context.Context, b batchRow) (BatchProgress, error) {
	var counts []struct {
		Outcome RowOutcome `db:"outcome"`
		Rows    int        `db:"rows"`
	}
	err := t.List(ctx, &counts, "SELECT outcome, COUNT(*) AS rows FROM batch_rows WHERE batch = ? GROUP BY outcome", b.ID)
	progress := BatchProgress{State: b.State}
	for _, c := range counts {
		switch c.Outcome {
		case RowWaiting:
			progress.Waiting += c.Rows
		case RowBegun, RowStarted:
			progress.Open += c.Rows
		case RowEnded, RowRefused:
		}
	}
	return progress, err
}

func (t tx) completeBatch(ctx context.Context, b batchRow) error {
	if _, err := t.moveBatch(ctx, b.ID, b.ChangedBy, order.BatchCompleted, order.BatchRunning); err != nil {
		return err
	}
	return t.noteOther(ctx, order.Key{Merchant: b.Merchant}, entry{
		action: ActionBatchCompleted, source: FromBatch, evidence: "batch " + b.ID, before: batchStep(order.BatchRunning), after: batchStep(order.BatchCompleted),
	})
}

// RecordBatchRows records the outcomes of starts.
func (l *Ledger) RecordBatchRows(ctx context.Context, id string, results []RowResult) error {
	err := l.inTx(ctx, func(t tx) error {
		b, key, err := t.lockBatch(ctx, id)
		if err != nil {
			return err
		}
		for _, r := range results {
			from := "outcome = 'begun'"
			if r.Outcome == RowRefused {
				from = "outcome IN ('begun', 'started')"
			}
			_, err := t.Put(ctx, "UPDATE batch_rows SET outcome = ?, code = ?, text = ?, at = ? WHERE batch = ? AND seq = ? AND "+from,
				r.Outcome, r.Reason.Code, key.Seal(rowColumn("text", r.Seq), sanitizeText(r.Reason.Text)), t.At.UnixMilli(), b.ID, r.Seq)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ledger: record rows of batch %s: %w", id, err)
	}
	return nil
}

// UnwrittenBatchRows returns rows that were started before this long, and whose order
// the ledger does not have: its workflow may have refused it.
func (l *Ledger) UnwrittenBatchRows(ctx context.Context, id string, age time.Duration, limit int) ([]order.BatchRow, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	var page []batchRowRow
	err = l.db.List(ctx, &page, "SELECT "+batchRowColumns+` FROM batch_rows r WHERE batch = ? AND outcome = 'started' AND at <= ?
		AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.merchant = r.merchant AND o.number = r.number) ORDER BY seq LIMIT ?`,
		id, now.Add(-age).UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("ledger: rows of batch %s without an order: %w", id, err)
	}
	rows := make([]order.BatchRow, len(page))
	for i, row := range page {
		rows[i] = order.BatchRow{Seq: row.Seq, Line: row.Line, Request: order.Request{Merchant: row.Merchant, Number: row.Number}}
	}
	return rows, nil
}

// BatchCount counts rows of a batch.
type BatchCount struct {
	State  order.State  `json:"state,omitempty"` // of the orders; empty: the ledger does not have them
	Row    RowOutcome   `json:"row,omitempty"`   // of the rows without an order; empty: they wait
	Rows   int          `json:"rows"`
	Amount money.Amount `json:"amount"`
}

// BatchCounts counts the rows of a batch by state and currency.
func (l *Ledger) BatchCounts(ctx context.Context, id string) ([]BatchCount, error) {
	var rows []struct {
		State    order.State `db:"state"`
		Outcome  RowOutcome  `db:"outcome"`
		Currency string      `db:"currency"`
		Rows     int         `db:"rows"`
		Amount   int64       `db:"amount"`
	}
	err := l.db.List(ctx, &rows, `
		SELECT COALESCE(o.state, '') AS state, CASE WHEN o.id IS NULL THEN r.outcome ELSE '' END AS outcome, r.currency,
			COUNT(*) AS rows, CAST(SUM(r.amount) AS BIGINT) AS amount
		FROM batch_rows r LEFT JOIN orders o ON `+rowsOrder+`
		WHERE r.batch = ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, id)
	if err != nil {
		return nil, fmt.Errorf("ledger: count batch %.32q: %w", id, err)
	}
	counts := make([]BatchCount, len(rows))
	for i, row := range rows {
		read := amounts{currency: row.Currency}
		if counts[i] = (BatchCount{State: row.State, Row: row.Outcome, Rows: row.Rows, Amount: read.of(row.Amount)}); read.err != nil {
			return nil, fmt.Errorf("ledger: count batch %.32q: %w", id, read.err)
		}
	}
	return counts, nil
}

// rowsOrder is the SQL condition that o is the order of row r. A number that is another
// order's is that order's before the row is begun.
const rowsOrder = "o.merchant = r.merchant AND o.number = r.number AND r.outcome IN ('started', 'ended')"

// BatchRowFilter selects rows of a batch.
type BatchRowFilter struct {
	Batch    string
	After    int           // the Seq of the last row of the page before
	States   []order.State // of the orders
	Outcomes []RowOutcome  // of rows that have no order in the ledger
	Limit    int
}

// BatchRow is a row of a batch with its order.
type BatchRow struct {
	Seq     int
	Line    int
	Outcome RowOutcome
	Reason  order.Reason // why it was refused
	Order   *order.Order // nil: the ledger has none
	Request order.Request
	Hidden  string // "encrypted" or "erased": the request's content cannot be read
}

// BatchRows lists rows of a batch in the sequence of the file.
func (l *Ledger) BatchRows(ctx context.Context, filter BatchRowFilter) ([]BatchRow, error) {
	var b batchRow
	if err := l.db.Get(ctx, &b, "SELECT "+batchColumns+" FROM batches WHERE id = ?", filter.Batch); err != nil {
		return nil, fmt.Errorf("ledger: list rows: %w", missing(err, "batch %.32q", filter.Batch))
	}
	var where conditions
	where.add("r.batch = ?", filter.Batch)
	where.add("r.seq > ?", filter.After)
	if where.among("r.outcome", texts(filter.Outcomes)); len(filter.Outcomes) > 0 {
		where.add("o.id IS NULL")
	}
	where.among("o.state", texts(filter.States))
	var page []batchRowRow
	err := l.db.List(ctx, &page, `SELECT r.batch, r.seq, r.line, r.merchant, r.number, r.currency, r.amount, r.request, r.outcome, r.code, r.text, r.at
		FROM batch_rows r LEFT JOIN orders o ON `+rowsOrder+where.sql()+" ORDER BY r.seq LIMIT ?", append(where.args, pageSize(filter.Limit))...)
	if err != nil {
		return nil, fmt.Errorf("ledger: list rows of batch %s: %w", b.ID, err)
	}
	found, err := l.private.openRows(b, page)
	if err == nil {
		err = l.addOrders(ctx, b, found)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: list rows of batch %s: %w", b.ID, err)
	}
	return found, nil
}

// openRows decrypts rows.
func (p private) openRows(b batchRow, page []batchRowRow) ([]BatchRow, error) {
	texts, err := p.texts(batchSubject(b.Merchant, b.ID), b.DataKey, false)
	if err != nil {
		return nil, err
	}
	found := make([]BatchRow, len(page))
	for i, row := range page {
		read := amounts{currency: row.Currency}
		one := BatchRow{
			Seq: row.Seq, Line: row.Line, Outcome: row.Outcome, Reason: order.Reason{Code: row.Code},
			Request: order.Request{Kind: order.Withdrawal, Merchant: row.Merchant, Number: row.Number, Amount: read.of(row.Amount)},
		}
		if one.Reason.Text, err = texts.open(rowColumn("text", row.Seq), row.Text); err != nil {
			return nil, err
		}
		text, err := texts.open(rowColumn("request", row.Seq), row.Request)
		if err != nil {
			return nil, err
		}
		switch {
		case hidden(text):
			one.Hidden = text
		case text != "":
			if err := json.Unmarshal([]byte(text), &one.Request); err != nil {
				return nil, err
			}
			one.Request.Proof = nil
		}
		if found[i] = one; read.err != nil {
			return nil, read.err
		}
	}
	return found, nil
}

// addOrders adds the orders of rows.
func (l *Ledger) addOrders(ctx context.Context, b batchRow, rows []BatchRow) error {
	at := make(map[string]int, len(rows))
	args := []any{b.Merchant}
	for i, row := range rows {
		if row.Outcome == RowBegun || row.Outcome == RowStarted || row.Outcome == RowEnded {
			at[row.Request.Number] = i
			args = append(args, row.Request.Number)
		}
	}
	if len(at) == 0 {
		return nil
	}
	var found []orderRow
	err := l.db.List(ctx, &found, "SELECT "+orderColumns+" FROM orders WHERE merchant = ? AND number IN ("+placeholders(len(at))+")", args...)
	if err != nil {
		return err
	}
	for _, row := range found {
		o, err := l.private.order(row)
		if err != nil {
			return err
		}
		to := &rows[at[o.Number]]
		to.Order, to.Request, to.Hidden = &o, o.Request, o.Hidden
	}
	return nil
}

// batchRows decrypts the requests of rows that are to be started.
func (p private) batchRows(id, merchant, wrapped string, page []batchRowRow) ([]order.BatchRow, error) {
	texts, err := p.texts(batchSubject(merchant, id), wrapped, false)
	if err != nil {
		return nil, err
	}
	rows := make([]order.BatchRow, len(page))
	for i, row := range page {
		text, err := texts.open(rowColumn("request", row.Seq), row.Request)
		if err != nil {
			return nil, err
		}
		rows[i] = order.BatchRow{Seq: row.Seq, Line: row.Line}
		if err := json.Unmarshal([]byte(text), &rows[i].Request); err != nil {
			return nil, fmt.Errorf("row %d: %w", row.Seq, err)
		}
	}
	return rows, nil
}

const batchRowColumns = "batch, seq, line, merchant, number, currency, amount, request, outcome, code, text, at"

type batchRowRow struct {
	Batch    string     `db:"batch"`
	Seq      int        `db:"seq"`
	Line     int        `db:"line"`
	Merchant string     `db:"merchant"`
	Number   string     `db:"number"`
	Currency string     `db:"currency"`
	Amount   int64      `db:"amount"`
	Request  string     `db:"request"`
	Outcome  RowOutcome `db:"outcome"`
	Code     string     `db:"code"`
	Text     string     `db:"text"`
	At       int64      `db:"at"`
}
