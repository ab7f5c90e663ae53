package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// CompareRecords compares stored records of the gateway with our orders. It writes
// nothing. It skips open orders, because their workflows query them, orders that
// ended after endedBefore, and records older than the merchant's books.
func (l *Ledger) CompareRecords(ctx context.Context, merchant string, ids []string, endedBefore time.Time) (reconcile.Comparison, error) {
	var found reconcile.Comparison
	if len(ids) == 0 {
		return found, nil
	}
	args := []any{merchant}
	for _, id := range ids[:min(len(ids), MaxPage)] {
		args = append(args, sanitizeKey(id))
	}
	var rows []comparedRow
	err := l.db.List(ctx, &rows, comparedRecords+" AND r.gateway_id IN ("+placeholders(len(args)-1)+") ORDER BY r.gateway_id", args...)
	if err != nil {
		return found, fmt.Errorf("ledger: compare records of %s: %w", merchant, err)
	}
	opened, err := l.BooksOpened(ctx, merchant)
	if err != nil {
		return found, err
	}
	matches := make([]reconcile.Match, len(rows))
	for i, row := range rows {
		matches[i] = row.match()
	}
	if err := l.markBooked(ctx, merchant, matches); err != nil {
		return found, fmt.Errorf("ledger: compare records of %s: %w", merchant, err)
	}
	return reconcile.Compare(matches, opened, endedBefore), nil
}

// comparedRecords selects records with the orders of their numbers. earlier is the
// number of other records of the same order number with a smaller gateway id.
const comparedRecords = `
	SELECT r.merchant, r.gateway_id, r.number, r.kind, r.state, r.currency, r.amount, r.paid, r.fee, r.created_at, r.source, r.seen_at,
		` + orderSideColumns + `,
		(SELECT COUNT(*) FROM gateway_records x
			WHERE x.merchant = r.merchant AND x.number = r.number AND x.number <> '' AND x.gateway_id < r.gateway_id) AS earlier
	FROM gateway_records r LEFT JOIN orders o ON o.merchant = r.merchant AND o.number = r.number AND r.number <> ''
	WHERE r.merchant = ?`

type comparedRow struct {
	recordRow
	orderSide
	Earlier int `db:"earlier"`
}

// match converts a row to the types of package reconcile.
func (r comparedRow) match() reconcile.Match {
	m := reconcile.Match{
		Merchant: r.Merchant, Earlier: r.Earlier,
		Record: reconcile.Record{
			GatewayID: r.GatewayID, Number: r.Number, Kind: tarspay.HistoryKind(r.Kind), State: tarspay.State(r.State), Currency: r.Currency,
			Amount: r.Amount, Paid: r.Paid, Fee: r.Fee, CreatedAt: moment(r.CreatedAt), Source: r.Source,
		},
	}
	m.Order = r.order()
	return m
}

// orderSideColumns selects an orderSide from the order o, which may be absent.
const orderSideColumns = `
		COALESCE(o.kind, '') AS o_kind, COALESCE(o.state, '') AS o_state, COALESCE(o.gateway_id, '') AS o_gateway_id,
		COALESCE(o.currency, '') AS o_currency, COALESCE(o.amount, 0) AS o_amount, COALESCE(o.paid, 0) AS o_paid,
		COALESCE(o.fee, 0) AS o_fee, COALESCE(o.fee_text, '') AS o_fee_text, COALESCE(o.updated_at, 0) AS o_updated_at`

// orderSide is the order of a compared record.
type orderSide struct {
	OrderKind  order.Kind  `db:"o_kind"`
	OrderState order.State `db:"o_state"`
	OrderID    string      `db:"o_gateway_id"`
	OrderMoney string      `db:"o_currency"`
	OurAmount  int64       `db:"o_amount"`
	OurPaid    int64       `db:"o_paid"`
	OurFee     int64       `db:"o_fee"`
	OurFeeText string      `db:"o_fee_text"`
	UpdatedAt  int64       `db:"o_updated_at"`
}

// order converts it to the type of package reconcile. It is nil if there is no order.
func (r orderSide) order() *reconcile.Order {
	if r.OrderState == "" {
		return nil
	}
	return &reconcile.Order{
		Kind: r.OrderKind, State: r.OrderState, GatewayID: r.OrderID, Currency: r.OrderMoney,
		Amount: r.OurAmount, Paid: r.OurPaid, Fee: r.OurFee, FeeText: r.OurFeeText, UpdatedAt: moment(r.UpdatedAt),
	}
}

// markBooked marks the own withdrawals that a booked settlement names, as its reference or
// in its evidence, by the gateway id or, without one, by the number.
func (l *Ledger) markBooked(ctx context.Context, merchant string, matches []reconcile.Match) error {
	if !slices.ContainsFunc(matches, reconcile.Match.OwnWithdrawal) {
		return nil
	}
	var rows []adjustmentRow
	err := l.db.List(ctx, &rows, `
		SELECT merchant, ref, evidence, data_key FROM adjustments WHERE merchant = ? AND kind = 'settlement' AND state = 'booked'`, merchant)
	for i := 0; err == nil && i < len(rows); i++ {
		err = l.private.openAdjustment(&rows[i])
	}
	if err != nil {
		return fmt.Errorf("booked settlements: %w", err)
	}
	for i, m := range matches {
		id := cmp.Or(m.GatewayID, m.Number)
		matches[i].Booked = m.OwnWithdrawal() && slices.ContainsFunc(rows, func(row adjustmentRow) bool {
			return row.Ref == id || strings.Contains(row.Evidence, id)
		})
	}
	return nil
}

// OpenDifference opens a discrepancy for the difference, once per order, code and
// mark. If it is open already, its time of last sight is updated. A closed one
// stays closed.
func (l *Ledger) OpenDifference(ctx context.Context, d reconcile.Difference) error {
	err := l.inTx(ctx, func(t tx) error {
		if err := t.discrepancyOf(ctx, d); err != nil {
			return err
		}
		return t.markSeen(ctx, d.Key, d.Code)
	})
	if err != nil {
		return fmt.Errorf("ledger: open discrepancy of %s: %w", d.Key, err)
	}
	return nil
}

// SeeDiscrepancy records that a comparison found the open discrepancies of an
// order and a code again.
func (l *Ledger) SeeDiscrepancy(ctx context.Context, key order.Key, code string) error {
	if err := l.inTx(ctx, func(t tx) error { return t.markSeen(ctx, key, code) }); err != nil {
		return fmt.Errorf("ledger: see the discrepancy of %s: %w", key, err)
	}
	return nil
}

func (t tx) markSeen(ctx context.Context, key order.Key, code string) error {
	_, err := t.Put(ctx, "UPDATE discrepancies SET seen_at = ? WHERE merchant = ? AND number = ? AND code = ? AND closed_at = 0",
		t.At.UnixMilli(), sanitizeKey(key.Merchant), sanitizeKey(key.Number), code)
	return err
}

// SeenDiscrepancies counts a merchant's open discrepancies that comparisons of
// transactions have found since the given time, ordered by code.
func (l *Ledger) SeenDiscrepancies(ctx context.Context, merchant string, since time.Time) ([]order.DiscrepancyCount, error) {
	var counts []order.DiscrepancyCount
	err := l.db.List(ctx, &counts, `
		SELECT code, COUNT(*) AS open FROM discrepancies WHERE closed_at = 0 AND merchant = ? AND seen_at >= ? GROUP BY code ORDER BY code`,
		merchant, since.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("ledger: count discrepancies of %s: %w", merchant, err)
	}
	return counts, nil
}

// EndedMark is a position in the ended orders: the last one that was returned.
type EndedMark struct {
	At int64 `json:"at"` // Unix milliseconds
	ID int64 `json:"id"`
}

// endedStates is the SQL condition for the final states of sent orders. Its beginning must
// equal the condition of the index orders_ended.
const endedStates = "ended_at > 0 AND state IN ('succeeded', 'partially_paid', 'failed', 'expired', 'refunded')"

// NextEnded returns the next order after the mark that was sent, has ended, and
// last changed before the given time. With unreturned it skips refunded orders.
// ErrNotFound if there is none.
func (l *Ledger) NextEnded(ctx context.Context, merchant string, after EndedMark, before time.Time, unreturned bool) (order.Order, EndedMark, error) {
	var row orderRow
	query := "SELECT " + orderColumns + " FROM orders WHERE " + endedStates +
		" AND merchant = ? AND (ended_at, id) > (?, ?) AND ended_at < ? AND attempts > 0"
	if unreturned {
		query += " AND state <> 'refunded'"
	}
	err := l.db.Get(ctx, &row, query+" ORDER BY ended_at, id LIMIT 1", merchant, after.At, after.ID, before.UnixMilli())
	if err != nil {
		return order.Order{}, after, fmt.Errorf("ledger: %w", missing(err, "order of %s that ended", merchant))
	}
	o, err := l.private.order(row)
	return o, EndedMark{At: row.UpdatedAt, ID: row.ID}, err
}

// UnmatchedBefore lists callbacks of unknown orders that were received before the
// given time, oldest first, at most MaxPage. It continues after the entry after.
func (l *Ledger) UnmatchedBefore(ctx context.Context, merchant string, before time.Time, after InboxEntry) ([]InboxEntry, error) {
	var from int64
	if !after.FirstAt.IsZero() {
		from = after.FirstAt.UnixMilli()
	}
	entries, err := l.callbacks(ctx, notDone+" AND status = 'unmatched' AND merchant = ? AND first_at < ? AND (first_at, id) > (?, ?)", MaxPage,
		merchant, before.UnixMilli(), from, after.ID)
	if err != nil {
		return nil, fmt.Errorf("ledger: unmatched callbacks of %s: %w", merchant, err)
	}
	return entries, nil
}

// BooksOpened returns when a merchant's first books were opened. It is zero if
// none are open.
func (l *Ledger) BooksOpened(ctx context.Context, merchant string) (time.Time, error) {
	var at int64
	if err := l.db.Get(ctx, &at, "SELECT COALESCE(MIN(opened_at), 0) FROM books WHERE merchant = ?", merchant); err != nil {
		return time.Time{}, fmt.Errorf("ledger: books of %s: %w", merchant, err)
	}
	return moment(at), nil
}

// Reconciled returns the time up to which a merchant's transactions have been
// compared. It is zero if they never were.
func (l *Ledger) Reconciled(ctx context.Context, merchant string) (time.Time, error) {
	var upTo int64
	err := l.db.Get(ctx, &upTo, "SELECT up_to FROM reconciled WHERE merchant = ?", merchant)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("ledger: how far %s is reconciled: %w", merchant, err)
	}
	return moment(upTo), nil
}

// MarkReconciled records that a merchant's transactions from from to to have been
// compared. It has no effect if it would leave a gap after the compared
// transactions. With first, and if nothing was compared before, the compared
// transactions begin at from.
func (l *Ledger) MarkReconciled(ctx context.Context, merchant string, from, to time.Time, first bool) error {
	err := l.inTx(ctx, func(t tx) error {
		if to.After(t.At) {
			return errors.New("the window ends in the future")
		}
		if first {
			_, err := t.Put(ctx, "INSERT INTO reconciled (merchant, up_to, at) VALUES (?, ?, ?) ON CONFLICT (merchant) DO NOTHING",
				merchant, from.UnixMilli(), t.At.UnixMilli())
			if err != nil {
				return err
			}
		}
		_, err := t.Put(ctx, "UPDATE reconciled SET up_to = ?, at = ? WHERE merchant = ? AND up_to >= ? AND up_to < ?",
			to.UnixMilli(), t.At.UnixMilli(), merchant, from.UnixMilli(), to.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: note how far %s is reconciled: %w", merchant, err)
	}
	return nil
}
