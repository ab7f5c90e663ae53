package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Review sets an order to in_review, so that a person resolves it. The reservation
// is kept. An order that is in review or has ended is returned unchanged.
//
// Errors: ErrNotFound; ErrState for an order that was never sent.
func (l *Ledger) Review(ctx context.Context, key order.Key, reason order.Reason) (order.Order, error) {
	reason.Text = sanitizeText(reason.Text)
	var result order.Order
	err := l.inTx(ctx, func(t tx) error {
		h, err := t.lockOrder(ctx, key)
		if err != nil {
			return err
		}
		if h.State != order.InReview && !h.State.Terminal() {
			h.Reason = reason
			err = t.move(ctx, &h, order.InReview, entry{action: ActionReview, source: FromReview, reason: reason})
		}
		result = h.Order
		return err
	})
	if err != nil {
		return order.Order{}, fmt.Errorf("ledger: review %s: %w", key, err)
	}
	return result, nil
}

// Discrepancy is a difference between our records and the gateway's. Key may be of
// an order that we do not have.
type Discrepancy struct {
	ID     int64     `json:"id"`
	Key    order.Key `json:"key"`
	Code   string    `json:"code"` // order.Discrepancy…
	Mark   string    `json:"mark"` // distinguishes discrepancies of the same order and code: the evidence, or a fingerprint
	Detail string    `json:"detail"`
	At     time.Time `json:"at"`

	// Set by CloseDiscrepancy.
	ClosedAt  time.Time `json:"closed_at,omitzero"` // zero: open
	ClosedBy  string    `json:"closed_by,omitempty"`
	ClosedWhy string    `json:"closed_why,omitempty"`
}

// DiscrepancyFilter picks discrepancies. The zero value picks all.
type DiscrepancyFilter struct {
	Merchant string
	Number   string
	Code     string
	Open     bool // not closed
	Since    time.Time
	Before   int64 // the ID of the last discrepancy of the previous page
	Limit    int   // at most MaxPage; 0: 100
}

// OpenDiscrepancy opens a discrepancy, once per order, code and detail.
func (l *Ledger) OpenDiscrepancy(ctx context.Context, key order.Key, code, detail string) error {
	err := l.inTx(ctx, func(t tx) error { return t.discrepancyOf(ctx, key, code, fingerprint(detail), detail) })
	if err != nil {
		return fmt.Errorf("ledger: open discrepancy of %s: %w", key, err)
	}
	return nil
}

// discrepancyOf opens a discrepancy for the key of a known or an unknown order,
// once per code and mark.
func (t tx) discrepancyOf(ctx context.Context, key order.Key, code, mark, detail string) error {
	h, err := t.lockOrder(ctx, key)
	switch {
	case err == nil && code == codes.DiscrepancyNotInLedger:
		return nil // the order was written since the caller looked for it
	case err == nil:
		return t.discrepancy(ctx, &h, code, mark, detail)
	case !errors.Is(err, ErrNotFound):
		return err
	}
	written, err := t.writeDiscrepancy(ctx, key, code, mark, detail)
	if err != nil || !written {
		return err
	}
	return t.noteOther(ctx, key, discrepancyEntry(code, mark, detail))
}

// Discrepancies lists discrepancies, newest first.
func (l *Ledger) Discrepancies(ctx context.Context, filter DiscrepancyFilter) ([]Discrepancy, error) {
	var rows []discrepancyRow
	var where conditions
	where.equal("merchant", filter.Merchant)
	where.equal("number", filter.Number)
	where.equal("code", filter.Code)
	if filter.Open {
		where.add("closed_at = 0")
	}
	if !filter.Since.IsZero() {
		where.add("at >= ?", filter.Since.UnixMilli())
	}
	if filter.Before != 0 {
		where.add("id < ?", filter.Before)
	}
	err := l.db.List(ctx, &rows, "SELECT "+discrepancyColumns+" FROM discrepancies"+
		where.sql()+" ORDER BY id DESC LIMIT ?", append(where.args, pageSize(filter.Limit))...)
	for i := 0; err == nil && i < len(rows); i++ {
		err = l.private.openClosed(&rows[i])
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: list discrepancies: %w", err)
	}
	found := make([]Discrepancy, len(rows))
	for i, row := range rows {
		found[i] = row.discrepancy()
	}
	return found, nil
}

// CloseDiscrepancy closes a discrepancy that a person has dealt with, with the
// reason, and returns it. It is audited, done or refused.
//
// The refusal's codes are WHO_MISSING, WHY_MISSING, TEXT_TOO_LONG,
// DISCREPANCY_CLOSED and DISCREPANCY_NOT_FOUND. The last one is not audited.
func (l *Ledger) CloseDiscrepancy(ctx context.Context, id int64, who order.Who) (Discrepancy, *order.Refusal, error) {
	var row discrepancyRow
	var refusal *order.Refusal
	err := l.inTx(ctx, func(t tx) error {
		const read = "SELECT " + discrepancyColumns + " FROM discrepancies WHERE id = ?"
		if err := t.Get(ctx, &row, read, id); err != nil {
			return missing(err, "discrepancy %d", id)
		}
		var err error
		refusal, err = t.onBooks(ctx, row.discrepancy().Key, strconv.FormatInt(id, 10), entry{
			action: ActionCloseDiscrepancy, actor: who.By, mark: who.ID, evidence: "discrepancy " + strconv.FormatInt(id, 10),
			reason: order.Reason{Code: row.Code, Text: who.Why},
		}, func(bool) (*order.Refusal, error) { return t.closeDiscrepancy(ctx, id, who) })
		if err != nil || refusal != nil {
			return err
		}
		if err := t.Get(ctx, &row, read, id); err != nil {
			return err
		}
		return t.openClosed(&row)
	})
	if errors.Is(err, ErrNotFound) {
		return Discrepancy{}, order.Refuse(CodeDiscrepancyNotFound, "there is no discrepancy %d", id), nil
	}
	if err != nil {
		return Discrepancy{}, nil, fmt.Errorf("ledger: close discrepancy %d: %w", id, err)
	}
	return row.discrepancy(), refusal, nil
}

// CloseWritten closes every discrepancy that says of an order that the ledger does not
// have it, if the ledger has it now. An order that is opened closes its own; this closes
// those that were opened in the same moment.
func (l *Ledger) CloseWritten(ctx context.Context) error {
	var keys []struct {
		Merchant string `db:"merchant"`
		Number   string `db:"number"`
	}
	err := l.db.List(ctx, &keys, `
		SELECT DISTINCT d.merchant, d.number FROM discrepancies d JOIN orders o ON o.merchant = d.merchant AND o.number = d.number
		WHERE d.code = ? AND d.closed_at = 0`, codes.DiscrepancyNotInLedger)
	for _, key := range keys {
		if err != nil {
			break
		}
		err = l.inTx(ctx, func(t tx) error {
			h, err := t.lockOrder(ctx, order.Key{Merchant: key.Merchant, Number: key.Number})
			if err != nil {
				return err
			}
			return t.closeNotInLedger(ctx, &h)
		})
	}
	if err != nil {
		return fmt.Errorf("ledger: close discrepancies of orders that were written: %w", err)
	}
	return nil
}

// closeNotInLedger closes the discrepancies that say of an order in the ledger that the
// ledger does not have it. Each is audited.
func (t tx) closeNotInLedger(ctx context.Context, h *held) error {
	var ids []int64
	err := t.List(ctx, &ids, "SELECT id FROM discrepancies WHERE merchant = ? AND number = ? AND code = ? AND closed_at = 0 ORDER BY id",
		h.Merchant, h.Number, codes.DiscrepancyNotInLedger)
	for _, id := range ids {
		if err != nil {
			break
		}
		const why = "the ledger has the order now"
		if _, err = t.Put(ctx, "UPDATE discrepancies SET closed_at = ?, closed_by = ?, closed_why = ? WHERE id = ? AND closed_at = 0",
			t.At.UnixMilli(), System, why, id); err == nil {
			err = t.note(ctx, h, entry{
				action: ActionCloseDiscrepancy, evidence: "discrepancy " + strconv.FormatInt(id, 10),
				reason: order.Reason{Code: codes.DiscrepancyNotInLedger, Text: why},
			})
		}
	}
	return err
}

// CodeDiscrepancyNotFound says that there is no discrepancy of the id.
const CodeDiscrepancyNotFound = "DISCREPANCY_NOT_FOUND"

func (t tx) closeDiscrepancy(ctx context.Context, id int64, who order.Who) (*order.Refusal, error) {
	if refusal := rules.PermitNote((order.Note{By: who.By, Text: who.Why}), order.Order{}); refusal != nil {
		return refusal, nil
	}
	key, err := t.ring.NewKey(discrepancySubject(id))
	if err != nil {
		return nil, err
	}
	closed, err := t.Put(ctx, "UPDATE discrepancies SET closed_at = ?, closed_by = ?, closed_why = ?, data_key = ? WHERE id = ? AND closed_at = 0",
		t.At.UnixMilli(), sanitizeText(who.By), key.Seal("closed_why", sanitizeText(who.Why)), key.Stored(), id)
	if err == nil && closed == 0 {
		return order.Refuse(codes.AlreadyClosed, "discrepancy %d has been closed already", id), nil
	}
	return nil, err
}

func discrepancySubject(id int64) vault.Subject {
	return vault.Subject{Table: "discrepancies", Number: strconv.FormatInt(id, 10)}
}

// openClosed decrypts why the discrepancy was closed. Without its key that was erased.
func (p private) openClosed(row *discrepancyRow) error {
	texts, err := p.texts(discrepancySubject(row.ID), row.DataKey, row.DataKey == "")
	if err == nil {
		row.ClosedWhy, err = texts.open("closed_why", row.ClosedWhy)
	}
	return err
}

// discrepancy opens a discrepancy of a locked order, once per code and mark.
func (t tx) discrepancy(ctx context.Context, h *held, code, mark, detail string) error {
	written, err := t.writeDiscrepancy(ctx, h.Key(), code, mark, detail)
	if err != nil || !written {
		return err
	}
	return t.note(ctx, h, discrepancyEntry(code, mark, detail))
}

func discrepancyEntry(code, mark, detail string) entry {
	return entry{action: ActionDiscrepancy, evidence: mark, reason: order.Reason{Code: code, Text: detail}}
}

func (t tx) writeDiscrepancy(ctx context.Context, key order.Key, code, mark, detail string) (written bool, err error) {
	inserted, err := t.Put(ctx, `
		INSERT INTO discrepancies (merchant, number, code, mark, detail, at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (merchant, number, code, mark) DO NOTHING`,
		sanitizeKey(key.Merchant), sanitizeKey(key.Number), code, sanitizeText(mark), sanitizeText(detail), t.At.UnixMilli())
	return inserted == 1, err
}

const discrepancyColumns = "id, merchant, number, code, mark, detail, at, closed_at, closed_by, closed_why, data_key"

type discrepancyRow struct {
	ID        int64  `db:"id"`
	Merchant  string `db:"merchant"`
	Number    string `db:"number"`
	Code      string `db:"code"`
	Mark      string `db:"mark"`
	Detail    string `db:"detail"`
	At        int64  `db:"at"`
	ClosedAt  int64  `db:"closed_at"`
	ClosedBy  string `db:"closed_by"`
	ClosedWhy string `db:"closed_why"`
	DataKey   string `db:"data_key"`
}

func (r discrepancyRow) discrepancy() Discrepancy {
	return Discrepancy{
		ID: r.ID, Key: order.Key{Merchant: r.Merchant, Number: r.Number}, Code: r.Code, Mark: r.Mark, Detail: r.Detail,
		At: moment(r.At), ClosedAt: moment(r.ClosedAt), ClosedBy: r.ClosedBy, ClosedWhy: r.ClosedWhy,
	}
}
