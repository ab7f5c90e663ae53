package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// rekeyPage is the most rows that one transaction of Rekey changes.
const rekeyPage = 200

// Rekeyed is what Rekey has done.
type Rekeyed struct {
	Newest  string   // the data key that every row has now
	Rows    int      // number of rows that did not have it before
	Reasons int      // number of reasons of stops that were in clear
	Retired []string // the data keys that nothing uses any more, also those that were retired before
}

// Rekey wraps the key of every row with the newest data key, and hashes payees and
// metadata with it. It encrypts why payouts were stopped, where that is in clear.
// All other texts, and whatever the audit's chain covers, stay as they are. Then it retires
// the older data keys: from then on the database refuses rows with them, and no process
// needs them. The installation's audit says so. progress is called after each page, with the number of rows so far.
//
// It may run beside workers, be stopped, and be repeated.
//
// The error wraps a *vault.Fault if there is no ring (DATA_KEY_MISSING), or if a row
// does not decrypt. All other rows have the newest key then, and no key is retired.
func (l *Ledger) Rekey(ctx context.Context, progress func(table string, rows int)) (Rekeyed, error) {
	run := rekeying{ledger: l, progress: progress, Rekeyed: Rekeyed{Newest: l.private.ring.Newest()}}
	var err error
	if run.Newest == "" {
		err = &vault.Fault{Code: vault.CodeKeyMissing, Text: "there is no data key to encrypt with: set PAYOUTS_DATA_KEY_FILE"}
	}
	for _, step := range []func(context.Context) error{
		run.reasons, run.tables, run.retire,
		run.tables, // rows that were begun before, and committed after they were looked for
	} {
		if err == nil {
			err = step(ctx)
		}
	}
	if err != nil {
		return run.Rekeyed, fmt.Errorf("ledger: rekey: %w", err)
	}
	return run.Rekeyed, nil
}

// rekeying is one run of Rekey.
type rekeying struct {
	Rekeyed
	ledger   *Ledger
	progress func(table string, rows int)
	failed   int   // number of rows that did not decrypt
	fault    error // of the first one
}

// reasons encrypts why payouts were stopped, in rows of a worker without a data key. The audit
// has the same text, and its chain covers it as it is.
func (r *rekeying) reasons(ctx context.Context) error {
	for {
		var rows []stopRow
		err := r.ledger.inTx(ctx, func(t tx) error {
			rows = nil
			if err := t.List(ctx, &rows, fmt.Sprintf("SELECT "+stopColumns+" FROM stops WHERE data_key = '' ORDER BY id LIMIT %d", rekeyPage)); err != nil {
				return err
			}
			for _, row := range rows {
				key, err := t.ring.NewKey(row.subject())
				if err == nil {
					_, err = t.Put(ctx, "UPDATE stops SET why = ?, data_key = ? WHERE id = ? AND data_key = ''", key.Seal("why", row.Why), key.Stored(), row.ID)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if r.Reasons += len(rows); err != nil || len(rows) < rekeyPage {
			return err
		}
	}
}

// tables wraps the keys of all tables, page by page.
func (r *rekeying) tables(ctx context.Context) error {
	r.failed, r.fault = 0, nil
	for _, table := range keyedTables {
		var last keyedRow
		for {
			page, err := r.page(ctx, table, last)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			rows, err := r.rewrap(ctx, table, page)
			if err != nil {
				return err
			}
			r.Rows += rows
			r.progress(table.name, r.Rows)
			last = page[len(page)-1]
		}
	}
	if r.fault != nil {
		return fmt.Errorf("%d rows do not decrypt, so no data key is retired; the first one: %w", r.failed, r.fault)
	}
	return nil
}

// page reads the next rows whose key is wrapped with an older data key.
func (r *rekeying) page(ctx context.Context, table keyedTable, last keyedRow) ([]keyedRow, error) {
	prefix := r.Newest + ":"
	var rows []keyedRow
	err := r.ledger.db.List(ctx, &rows, fmt.Sprintf(
		"SELECT %s, data_key FROM %s WHERE data_key <> '' AND substr(data_key, 1, %d) <> ? AND %s ORDER BY %s LIMIT %d",
		table.columns, table.name, len(prefix), table.after, table.order, rekeyPage), append([]any{prefix}, table.position(last)...)...)
	return rows, err
}

// rewrap wraps the keys of a page. It returns how many rows it has changed. A row that
// was changed meanwhile stays for the next run.
func (r *rekeying) rewrap(ctx context.Context, table keyedTable, page []keyedRow) (changed int, err error) {
	ring := r.ledger.private.ring
	wrapped := make([]keyedRow, len(page))
	for i, row := range page {
		var fault error
		if wrapped[i], fault = row.rewrapped(ring, table.subject(row)); fault != nil {
			r.failed, r.fault = r.failed+1, cmp.Or(r.fault, fault)
		}
	}
	err = r.ledger.inTx(ctx, func(t tx) error {
		changed = 0
		for i, row := range wrapped {
			if row.DataKey == "" {
				continue
			}
			updated, err := table.put(ctx, t, row, page[i].DataKey)
			if err != nil {
				return err
			}
			changed += int(updated)
		}
		return nil
	})
	return changed, err
}

// retire retires every data key but the newest, and waits until no transaction can add
// a row with one of them.
func (r *rekeying) retire(ctx context.Context) error {
	var writer int64
	err := r.ledger.inTx(ctx, func(t tx) error {
		retired, err := t.Put(ctx, "UPDATE data_keys SET retired_at = ? WHERE id <> ? AND retired_at = 0", t.At.UnixMilli(), r.Newest)
		if err != nil {
			return err
		}
		r.Retired = nil
		if err := t.List(ctx, &r.Retired, "SELECT id FROM data_keys WHERE retired_at > 0 ORDER BY first_at, id"); err != nil {
			return err
		}
		if retired > 0 {
			err = t.noteOther(ctx, order.Key{}, entry{
				action: ActionRekey, source: FromConfiguration, evidence: "retired all data keys but " + r.Newest,
			})
		}
		if err == nil {
			writer, err = t.ID(ctx)
		}
		return err
	})
	if err == nil {
		_, err = r.ledger.awaitEnded(ctx, writer, 0)
	}
	return err
}

// keyedRow is a row that has a data_key. What its table does not have is empty.
type keyedRow struct {
	ID          int64  `db:"id"`
	Callback    string `db:"callback"` // the id of a callback
	Merchant    string `db:"merchant"`
	Number      string `db:"number"` // of an adjustment: its ref
	DataKey     string `db:"data_key"`
	Beneficiary string `db:"beneficiary"`
	Request     string `db:"request"`
	Metadata    int    `db:"metadata"` // number of entries

	content order.Request // of an order with a payee or metadata
}

// rewrapped returns the row with the newest data key.
func (r keyedRow) rewrapped(ring *vault.Ring, subject vault.Subject) (keyedRow, error) {
	wrapped, err := ring.Rewrap(subject, r.DataKey)
	if r.DataKey = wrapped; err != nil || r.Beneficiary == "" && r.Metadata == 0 {
		return r, err
	}
	key, err := ring.Open(subject, wrapped)
	if err != nil {
		return keyedRow{}, err
	}
	text, err := key.Open("request", r.Request)
	if err != nil {
		return keyedRow{}, err
	}
	if err := json.Unmarshal([]byte(text), &r.content); err != nil {
		return keyedRow{}, fmt.Errorf("the request of order %s/%s cannot be read: %w", r.Merchant, r.Number, err)
	}
	if r.Beneficiary != "" {
		r.Beneficiary = ring.Payee(rules.Beneficiary(r.content))
	}
	return r, nil
}

// keyedTable is a table whose rows have a data_key.
type keyedTable struct {
	name    string
	columns string // of a keyedRow
	order   string // its primary key
	after   string // the condition of rows after the one at position
	// position returns the arguments of after. The zero row is before all.
	position func(keyedRow) []any
	subject  func(keyedRow) vault.Subject
	// put writes the row if its key is still as it was. It returns how many it wrote.
	put func(ctx context.Context, t tx, row keyedRow, was string) (int64, error)
}

var keyedTables = []keyedTable{
	{
		"orders", `id, merchant, number, beneficiary, request,
			(SELECT COUNT(*) FROM order_metadata m WHERE m.order_id = orders.id AND m.hash <> '') AS metadata`, "id", "id > ?", byID,
		func(r keyedRow) vault.Subject { return orderSubject(r.Merchant, r.Number) },
		func(ctx context.Context, t tx, r keyedRow, was string) (int64, error) {
			updated, err := t.Put(ctx, "UPDATE orders SET data_key = ?, beneficiary = ? WHERE id = ? AND data_key = ?", r.DataKey, r.Beneficiary, r.ID, was)
			if err == nil && updated == 1 {
				err = t.rehashMetadata(ctx, r.ID, r.content)
			}
			return updated, err
		},
	},
	{
		// The installation's chain has neither merchant nor number.
		"chains", "1 AS id, merchant, number", "merchant, number", "(merchant, number, 1) > (?, ?, CAST(? AS INTEGER))",
		func(r keyedRow) []any { return []any{r.Merchant, r.Number, r.ID} },
		func(r keyedRow) vault.Subject { return chainSubject(r.Merchant, r.Number) },
		func(ctx context.Context, t tx, r keyedRow, was string) (int64, error) {
			return t.Put(ctx, "UPDATE chains SET data_key = ? WHERE merchant = ? AND number = ? AND data_key = ?", r.DataKey, r.Merchant, r.Number, was)
		},
	},
	{
		"inbox", "id AS callback, merchant, number", "id", "id > ?",
		func(r keyedRow) []any { return []any{r.Callback} },
		func(r keyedRow) vault.Subject { return callbackSubject(r.Merchant, r.Number) },
		func(ctx context.Context, t tx, r keyedRow, was string) (int64, error) {
			return t.Put(ctx, "UPDATE inbox SET data_key = ? WHERE id = ? AND data_key = ?", r.DataKey, r.Callback, was)
		},
	},
	{
		"adjustments", "id, merchant, ref AS number", "id", "id > ?", byID,
		func(r keyedRow) vault.Subject { return adjustmentSubject(r.Merchant, r.Number) },
		func(ctx context.Context, t tx, r keyedRow, was string) (int64, error) {
			return t.Put(ctx, "UPDATE adjustments SET data_key = ? WHERE id = ? AND data_key = ?", r.DataKey, r.ID, was)
		},
	},
	{
		"discrepancies", "id", "id", "id > ?", byID,
		func(r keyedRow) vault.Subject { return discrepancySubject(r.ID) },
		func(ctx context.Context, t tx, r keyedRow, was string) (int64, error) {
			return t.Put(ctx, "UPDATE discrepancies SET data_key = ? WHERE id = ? AND data_key = ?", r.DataKey, r.ID, was)
		},
	},
	{
		"decisions", "hash AS number", "hash", "hash > ?",
		func(r keyedRow) []any { return []any{r.Number} },
		func(r keyedRow) vault.Subject { return decisionSubject(r.Number) },
		func(ctx context.Context, t tx, r keyedRow, was string) (int64, error) {
			return t.Put(ctx, "UPDATE decisions SET data_key = ? WHERE hash = ? AND data_key = ?", r.DataKey, r.Number, was)
		},
	},
	{
		"webhook_endpoints", "id AS number", "id", "id > ?",
		func(r keyedRow) []any { return []any{r.Number} },
		func(r keyedRow) vault.Subject { return webhookSubject(r.Number) },
		func(ctx context.Context, t tx, r keyedRow, was string) (int64, error) {
			return t.Put(ctx, "UPDATE webhook_endpoints SET data_key = ? WHERE id = ? AND data_key = ?", r.DataKey, r.Number, was)
		},
	},
	{
		"stops", "id, merchant, country || ' ' || at AS number", "id", "id > ?", byID,
		func(r keyedRow) vault.Subject {
			return vault.Subject{Table: "stops", Merchant: r.Merchant, Number: r.Number}
		},
		func(ctx context.Context, t tx, r keyedRow, was string) (int64, error) {
			return t.Put(ctx, "UPDATE stops SET data_key = ? WHERE id = ? AND data_key = ?", r.DataKey, r.ID, was)
		},
	},
	{
		"batches", "merchant, id AS number", "id", "id > ?",
		func(r keyedRow) []any { return []any{r.Number} },
		func(r keyedRow) vault.Subject { return batchSubject(r.Merchant, r.Number) },
		func(ctx context.Context, t tx, r keyedRow, was string) (int64, error) {
			return t.Put(ctx, "UPDATE batches SET data_key = ? WHERE id = ? AND data_key = ?", r.DataKey, r.Number, was)
		},
	},
}

func byID(r keyedRow) []any { return []any{r.ID} }
