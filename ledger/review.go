package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Review hands an order to a person: it becomes in_review, and what it has
// reserved stays reserved. An order that is in review already, or has ended,
// is returned as it stands.
//
// Errors: ErrNotFound; ErrState for an order that was never sent.
func (l *Ledger) Review(ctx context.Context, key order.Key, reason order.Reason) (order.Order, error) {
	reason.Text = fit(reason.Text)
	var result order.Order
	err := l.inTx(ctx, func(t tx) error {
		h, err := t.lockOrder(ctx, key)
		if err != nil {
			return err
		}
		if h.State != order.InReview && !h.State.Terminal() {
			h.Reason = reason
			err = t.move(ctx, &h, Step{To: order.InReview, Source: FromReview, Reason: reason})
		}
		result = h.Order
		return err
	})
	if err != nil {
		return order.Order{}, fmt.Errorf("ledger: review %s: %w", key, err)
	}
	return result, nil
}

// Discrepancy is a difference between our books and the gateway's word. The
// order need not be one of ours.
type Discrepancy struct {
	ID     int64     `json:"id"`
	Key    order.Key `json:"key"`
	Code   string    `json:"code"` // order.Discrepancy…
	Mark   string    `json:"mark"` // tells two of the same code apart: the evidence, or a fingerprint
	Detail string    `json:"detail"`
	At     time.Time `json:"at"`
}

// DiscrepancyFilter picks discrepancies. The zero value picks all.
type DiscrepancyFilter struct {
	Merchant string
	Number   string
	Code     string
	Since    time.Time
	Before   int64 // the ID of the last one of the page before
	Limit    int   // at most MaxPage; 0: 100
}

// OpenDiscrepancy writes a discrepancy down, once per order, code and detail.
func (l *Ledger) OpenDiscrepancy(ctx context.Context, key order.Key, code, detail string) error {
	err := l.inTx(ctx, func(t tx) error {
		return t.discrepancy(ctx, key, code, fingerprint(detail), detail)
	})
	if err != nil {
		return fmt.Errorf("ledger: open discrepancy of %s: %w", key, err)
	}
	return nil
}

// Discrepancies lists discrepancies, newest first.
func (l *Ledger) Discrepancies(ctx context.Context, filter DiscrepancyFilter) ([]Discrepancy, error) {
	var rows []discrepancyRow
	var where conditions
	where.equal("merchant", filter.Merchant)
	where.equal("number", filter.Number)
	where.equal("code", filter.Code)
	if !filter.Since.IsZero() {
		where.add("at >= ?", filter.Since.UnixMilli())
	}
	if filter.Before != 0 {
		where.add("id < ?", filter.Before)
	}
	err := l.list(ctx, &rows, "SELECT id, merchant, number, code, mark, detail, at FROM discrepancies"+
		where.sql()+" ORDER BY id DESC LIMIT ?", append(where.args, pageSize(filter.Limit))...)
	if err != nil {
		return nil, fmt.Errorf("ledger: list discrepancies: %w", err)
	}
	found := make([]Discrepancy, len(rows))
	for i, row := range rows {
		found[i] = Discrepancy{
			ID: row.ID, Key: order.Key{Merchant: row.Merchant, Number: row.Number},
			Code: row.Code, Mark: row.Mark, Detail: row.Detail, At: moment(row.At),
		}
	}
	return found, nil
}

func (t tx) discrepancy(ctx context.Context, key order.Key, code, mark, detail string) error {
	_, err := t.put(ctx, `
		INSERT INTO discrepancies (merchant, number, code, mark, detail, at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (merchant, number, code, mark) DO NOTHING`,
		fit(key.Merchant), fit(key.Number), code, fit(mark), fit(detail), t.at.UnixMilli())
	return err
}

type discrepancyRow struct {
	ID       int64  `db:"id"`
	Merchant string `db:"merchant"`
	Number   string `db:"number"`
	Code     string `db:"code"`
	Mark     string `db:"mark"`
	Detail   string `db:"detail"`
	At       int64  `db:"at"`
}
