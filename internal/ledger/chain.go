package ledger

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"hash"
	"strconv"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The kinds of audit chains.
const (
	chainOrder = "order" // the chain of an order
	chainOther = "other" // the chain of a merchant, of an unknown order number, or of the installation
)

// auditRow is a row of the table audit.
type auditRow struct {
	Merchant string       `db:"merchant"`
	Number   string       `db:"number"`
	Chain    string       `db:"chain"`
	Seq      int64        `db:"seq"`
	At       int64        `db:"at"`
	Actor    string       `db:"actor"`
	Action   AuditAction  `db:"action"`
	Source   rules.Source `db:"source"`
	Evidence string       `db:"evidence"`
	Before   order.State  `db:"before_state"`
	After    order.State  `db:"after_state"`
	Outcome  string       `db:"outcome"`
	Code     string       `db:"code"`
	Text     string       `db:"text"`
	Paid     int64        `db:"paid"`
	Fee      int64        `db:"fee"`
	Mark     string       `db:"mark"`
	Hash     []byte       `db:"hash"`
	Seal     []byte       `db:"seal"`     // empty: the entry is not sealed
	Envelope string       `db:"envelope"` // empty: the action was not signed

	instead struct{ evidence, text, envelope string } // what stands for those that cannot be read
}

const auditColumns = `merchant, number, chain, seq, at, actor, action, source, evidence, before_state, after_state,
	outcome, code, text, paid, fee, mark, hash, seal, envelope`

// auditColumnsOfA are the columns of the audit under the alias a.
var auditColumnsOfA = "a." + strings.Join(strings.FieldsFunc(auditColumns, func(r rune) bool { return strings.ContainsRune(", \t\n", r) }), ", a.")

// Outcomes of an audited action.
const (
	outcomeDone    = "done"
	outcomeRefused = "refused"
)

// unnamedActor is the actor that is recorded when no person was named.
const unnamedActor = "nobody"

// Versions of the encoding. The version is hashed first. A changed encoding needs a
// new version.
const (
	auditEncoding  = "payouts-audit-1" // of an entry without envelope
	auditEncoding2 = "payouts-audit-2" // of an entry with an envelope, which is the last field
)

// computeHash returns the row's hash: SHA-256 over the encoding's version, the hash of
// the previous entry (empty for the first) and every other field in the order of
// the columns, without hash and seal. A field is written as its length in bytes, a
// colon and its bytes; numbers are decimal. Because of the lengths, two different
// entries never have the same encoding.
func (r *auditRow) computeHash(previous []byte) []byte {
	w := fieldHash{Hash: sha256.New()}
	if r.Envelope == "" {
		w.text(auditEncoding)
	} else {
		w.text(auditEncoding2)
	}
	w.text(string(previous))
	w.text(r.Merchant)
	w.text(r.Number)
	w.text(r.Chain)
	w.number(r.Seq)
	w.number(r.At)
	w.text(r.Actor)
	w.text(string(r.Action))
	w.text(string(r.Source))
	w.text(r.Evidence)
	w.text(string(r.Before))
	w.text(string(r.After))
	w.text(r.Outcome)
	w.text(r.Code)
	w.text(r.Text)
	w.number(r.Paid)
	w.number(r.Fee)
	w.text(r.Mark)
	if r.Envelope != "" {
		w.text(r.Envelope)
	}
	return w.Sum(nil)
}

type fieldHash struct{ hash.Hash }

func (w fieldHash) text(field string) {
	_, _ = w.Write([]byte(strconv.Itoa(len(field)) + ":" + field)) // Write of a hash returns no error
}

func (w fieldHash) number(field int64) { w.text(strconv.FormatInt(field, 10)) }

// follows reports whether the row is unchanged and is the successor of the entry
// with that number and hash.
func (r *auditRow) follows(entries int64, head []byte) bool {
	return r.Seq == entries+1 && bytes.Equal(r.Hash, r.computeHash(head))
}

// entry is an audit entry before it is linked to a chain.
type entry struct {
	action   AuditAction
	actor    string // System if empty
	source   rules.Source
	evidence string
	reason   order.Reason
	refused  bool
	mark     string
	envelope string // the JSON of an envelope.Signed: valid UTF-8 without a zero byte; it is stored as it is

	before, after order.State // for entries that are not about an order; link takes an order's states from the order
}

// refuse marks the entry as refused. A nil refusal changes nothing.
func (e *entry) refuse(refusal *order.Refusal) {
	if refusal != nil {
		e.refused, e.reason, e.after = true, refusal.Reason, e.before
	}
}

// row returns the entry as the next row of a chain, without its hash.
func (e entry) row(key order.Key, chain string, entries, at int64) auditRow {
	r := auditRow{
		Merchant: sanitizeKey(key.Merchant), Number: sanitizeKey(key.Number), Chain: chain, Seq: entries + 1, At: at,
		Actor: sanitizeText(e.actor), Action: e.action, Source: e.source, Evidence: sanitizeText(e.evidence), Before: e.before, After: e.after,
		Outcome: outcomeDone, Code: e.reason.Code, Text: sanitizeText(e.reason.Text), Mark: sanitizeText(e.mark),
		Envelope: e.envelope,
	}
	if strings.TrimSpace(r.Actor) == "" {
		r.Actor = System
		if e.source == rules.FromOperator {
			r.Actor = unnamedActor
		}
	}
	if e.refused {
		r.Outcome = outcomeRefused
	}
	return r
}

// link returns the next entry of an order's chain and updates the head in h. The
// caller must insert the entry and update the order's row.
func (h *held) link(e entry, before order.State, at int64) auditRow {
	r := e.row(h.Key(), chainOrder, h.entries, at)
	r.Before, r.After = before, h.State
	r.Paid, r.Fee = h.Paid.Minor(), h.Fee.Minor()
	r.seal(h.key)
	r.Hash = r.computeHash(h.head)
	h.entries, h.head = r.Seq, r.Hash
	return r
}

// seal encrypts what may be personal. It comes before the hash, which covers what is
// stored.
func (r *auditRow) seal(key *vault.Key) {
	r.Evidence, r.Text = key.Seal("audit.evidence", r.Evidence), key.Seal("audit.text", r.Text)
	r.Envelope = key.Seal("audit.envelope", r.Envelope)
}

// open decrypts what seal has encrypted.
func (r *auditRow) open(texts rowTexts) error {
	for _, column := range []struct {
		name          string
		text, instead *string
	}{
		{"audit.evidence", &r.Evidence, &r.instead.evidence},
		{"audit.text", &r.Text, &r.instead.text},
		{"audit.envelope", &r.Envelope, &r.instead.envelope},
	} {
		plain, instead, err := texts.read(column.name, *column.text)
		if err != nil {
			return err
		}
		*column.text, *column.instead = cmp.Or(instead, plain), instead
	}
	return nil
}

// otherTexts returns what decrypts an entry of a chain that is not an order's. Not all of its
// entries are encrypted: see entry.typed.
func (p private) otherTexts(merchant, number, wrapped string, erasedAt int64) (rowTexts, error) {
	texts, err := p.texts(chainSubject(merchant, number), wrapped, erasedAt != 0)
	texts.mixed = true
	return texts, err
}

// chainSubject is a chain that is not an order's.
func chainSubject(merchant, number string) vault.Subject {
	return vault.Subject{Table: "chains", Merchant: merchant, Number: number}
}

// chainTexts returns what decrypts the entries of a chain.
func (t tx) chainTexts(ctx context.Context, merchant, number, chain string) (rowTexts, error) {
	from := "SELECT data_key, erased_at FROM chains"
	if chain == chainOrder {
		from = "SELECT data_key, erased_at FROM orders"
	}
	var row struct {
		DataKey  string `db:"data_key"`
		ErasedAt int64  `db:"erased_at"`
	}
	err := t.Get(ctx, &row, from+" WHERE merchant = ? AND number = ?", merchant, number)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return rowTexts{}, nil
	case err != nil:
		return rowTexts{}, err
	}
	return t.entryTexts(chain, merchant, number, row.DataKey, row.ErasedAt)
}

// entryTexts returns what decrypts the entries of a chain, from the row that has its key.
func (p private) entryTexts(chain, merchant, number, wrapped string, erasedAt int64) (rowTexts, error) {
	if chain == chainOrder {
		return p.orderTexts(merchant, number, wrapped, erasedAt)
	}
	return p.otherTexts(merchant, number, wrapped, erasedAt)
}

// typed reports whether people have written the entry's texts. Outside of the orders'
// chains, only these are encrypted: the program looks the others up.
func (e entry) typed() bool { return e.source == rules.FromOperator || e.action == ActionDiscrepancy }

// insertAudit inserts the entry with its seal.
func (t tx) insertAudit(ctx context.Context, row auditRow) error {
	return t.putAll(ctx, t.auditWrite(row))
}

// auditWrite is insertAudit as a write.
func (t tx) auditWrite(row auditRow) write {
	row.Seal = []byte{} // nil would be NULL
	if t.keys != nil {
		row.Seal = t.keys.Seal(row.Hash)
	}
	return statement("INSERT INTO audit ("+auditColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		row.Merchant, row.Number, row.Chain, row.Seq, row.At, row.Actor, row.Action, row.Source, row.Evidence, row.Before, row.After,
		row.Outcome, row.Code, row.Text, row.Paid, row.Fee, row.Mark, row.Hash,
		row.Seal, row.Envelope)
}

// note adds an entry about an order whose state does not change.
func (t tx) note(ctx context.Context, h *held, e entry) error {
	if often, err := t.refusedOften(ctx, h.Key(), chainOrder, &e); err != nil || often {
		return err
	}
	row := h.link(e, h.State, t.At.UnixMilli())
	return t.putAll(ctx, statement("UPDATE orders SET audit_entries = ?, audit_head = ? WHERE id = ?", h.entries, h.head, h.id), t.auditWrite(row))
}

// noteOther adds an entry about a merchant, about an unknown order number or, with
// an empty key, about the installation.
func (t tx) noteOther(ctx context.Context, key order.Key, e entry) error {
	if often, err := t.refusedOften(ctx, key, chainOther, &e); err != nil || often {
		return err
	}
	var chain struct {
		Entries int64  `db:"entries"`
		Head    []byte `db:"head"`
		DataKey string `db:"data_key"`
	}
	merchant, number := sanitizeKey(key.Merchant), sanitizeKey(key.Number)
	fresh, err := t.ring.NewKey(chainSubject(merchant, number))
	if err != nil {
		return err
	}
	err = t.Get(ctx, &chain, `
		INSERT INTO chains (merchant, number, entries, head, data_key) VALUES (?, ?, 1, ?, ?)
		ON CONFLICT (merchant, number) DO UPDATE SET entries = chains.entries + 1,
			data_key = CASE chains.data_key WHEN '' THEN excluded.data_key ELSE chains.data_key END
		RETURNING entries, head, data_key`, merchant, number, []byte{}, fresh.Stored())
	if err != nil {
		return err
	}
	row := e.row(key, chainOther, chain.Entries-1, t.At.UnixMilli())
	if e.typed() {
		texts, err := t.otherTexts(merchant, number, chain.DataKey, 0)
		if err != nil {
			return err
		}
		row.seal(texts.key)
	}
	row.Hash = row.computeHash(chain.Head)
	if _, err := t.Put(ctx, "UPDATE chains SET head = ? WHERE merchant = ? AND number = ?", row.Hash, merchant, number); err != nil {
		return err
	}
	return t.insertAudit(ctx, row)
}
