package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// CompareStatement compares the lines of a statement after one of them with our orders,
// the next limit. It writes nothing, and returns the last line that it compared. It skips
// what CompareRecords skips.
func (l *Ledger) CompareStatement(ctx context.Context, s StatementRecord, after, limit int, endedBefore time.Time) (found reconcile.Comparison, last int, err error) {
	var rows []statedRow
	err = l.db.List(ctx, &rows, statedLines, s.ID, after, after+limit)
	if err != nil {
		return found, after, fmt.Errorf("ledger: compare statement %s: %w", s.ID, err)
	}
	opened, err := l.BooksOpened(ctx, s.Merchant)
	if err != nil {
		return found, after, err
	}
	last = after
	matches := make([]reconcile.Match, len(rows))
	for i, row := range rows {
		last, matches[i] = row.Seq, row.match()
	}
	if err := l.markBooked(ctx, s.Merchant, matches); err != nil {
		return found, after, fmt.Errorf("ledger: compare statement %s: %w", s.ID, err)
	}
	return reconcile.Compare(matches, opened, endedBefore), last, nil
}

// statedLines selects lines of a statement with the orders of their numbers, or of their
// gateway ids if they have no number, and with what the gateway itself told. earlier is as
// in comparedRecords, over both what the gateway told and all statements. There, || keeps
// the database from the index of gateway ids, of which nearly all may be smaller.
const statedLines = `
	SELECT ` + statementLineColumns + `,
		COALESCE(o.number, '') AS o_number, ` + orderSideColumns + `,
		COALESCE(g.gateway_id, '') AS g_gateway_id, COALESCE(g.kind, 0) AS g_kind, COALESCE(g.state, 0) AS g_state, COALESCE(g.currency, '') AS g_currency,
		COALESCE(g.amount, 0) AS g_amount, COALESCE(g.paid, 0) AS g_paid, COALESCE(g.fee, 0) AS g_fee,
		(SELECT COUNT(*) FROM gateway_records x
			WHERE x.merchant = l.merchant AND x.number = l.number AND x.number <> '' AND l.gateway_id <> '' AND x.gateway_id < l.gateway_id)
		+ (SELECT COUNT(*) FROM statement_lines y
			WHERE y.merchant = l.merchant AND y.number = l.number AND l.number <> '' AND (y.gateway_id || '') <> '' AND (y.gateway_id || '') < l.gateway_id) AS earlier
	FROM statement_lines l
		LEFT JOIN orders o ON o.merchant = l.merchant AND o.number = CASE WHEN l.number <> '' THEN l.number
			ELSE (SELECT z.number FROM gateway_ids i JOIN orders z ON z.id = i.order_id WHERE i.merchant = l.merchant AND i.gateway_id = l.gateway_id) END
		LEFT JOIN gateway_records g ON g.merchant = l.merchant AND g.gateway_id = l.gateway_id
	WHERE l.statement = ? AND l.seq > ? AND l.seq <= ? ORDER BY l.seq`

type statedRow struct {
	statementLineRow
	OrderNumber string `db:"o_number"`
	orderSide
	SignedID    string `db:"g_gateway_id"`
	SignedKind  int    `db:"g_kind"`
	SignedState int    `db:"g_state"`
	SignedMoney string `db:"g_currency"`
	SignedOf    int64  `db:"g_amount"`
	SignedPaid  int64  `db:"g_paid"`
	SignedFee   int64  `db:"g_fee"`
	Earlier     int    `db:"earlier"`
}

// match converts a row to the types of package reconcile.
func (r statedRow) match() reconcile.Match {
	m := reconcile.Match{Merchant: r.Merchant, Earlier: r.Earlier, Record: reconcile.FromStatement(r.statementLine())}
	if m.Order = r.order(); m.Order != nil {
		m.Number = r.OrderNumber
		if m.GatewayID == "" {
			m.GatewayID = r.OrderID
		}
	}
	if r.SignedID != "" {
		m.Signed = &reconcile.Record{
			GatewayID: r.SignedID, Kind: tarspay.HistoryKind(r.SignedKind), State: tarspay.State(r.SignedState), Currency: r.SignedMoney,
			Amount: r.SignedOf, Paid: r.SignedPaid, Fee: r.SignedFee,
		}
	}
	return m
}

// StatedLine returns the first line of a statement whose state moves an order, or
// contradicts it; else the first line about it. ErrNotFound if there is none.
func (l *Ledger) StatedLine(ctx context.Context, s StatementRecord, o order.Order) (order.StatementLine, error) {
	const of = "SELECT " + statementLineColumns + " FROM statement_lines l WHERE l.merchant = ? AND l.statement = ? AND "
	var rows []statementLineRow
	err := l.db.List(ctx, &rows, of+"l.number = ? AND l.number <> '' UNION "+of+"l.gateway_id = ? AND l.gateway_id <> '' ORDER BY seq LIMIT 10",
		s.Merchant, s.ID, o.Number, s.Merchant, s.ID, o.GatewayID)
	if err != nil {
		return order.StatementLine{}, fmt.Errorf("ledger: lines of statement %s about %s: %w", s.ID, o.Key(), err)
	}
	for _, row := range rows {
		effect := rules.Decide(o.Kind, o.State, o.Paid.IsPositive(), rules.Judge(o.Kind, tarspay.State(row.State)))
		if effect.Moves() || effect.Discrepancy != "" && !effect.Known {
			return row.statementLine(), nil
		}
	}
	if len(rows) == 0 {
		return order.StatementLine{}, fmt.Errorf("ledger: %w: statement %s has no line about %s", ErrNotFound, s.ID, o.Key())
	}
	return rows[0].statementLine(), nil
}

// AbsentFromStatement returns the orders among the next ones after the mark that ended as
// paid, and that no statement of the merchant has. It looks at orders that were opened and
// ended in the statement's time, shortened by margin at both ends: the gateway's times and
// ours differ. It leaves out a kind of which the statement has no paid line. more is false
// when no order is left.
func (l *Ledger) AbsentFromStatement(ctx context.Context, s StatementRecord, after EndedMark, margin time.Duration) (absent []order.Key, next EndedMark, more bool, err error) {
	var where conditions
	where.add(endedStates)
	where.add("merchant = ?", s.Merchant)
	where.add("(ended_at, id) > (?, ?)", after.At, after.ID)
	where.add("ended_at < ?", s.To.Add(-margin).UnixMilli())
	where.add("created_at >= ?", s.From.Add(margin).UnixMilli())
	where.add("paid > 0")
	if s.PaidDeposits == 0 {
		where.add("kind <> 'deposit'")
	}
	if s.PaidWithdrawals == 0 {
		where.add("kind <> 'withdrawal'")
	}
	var rows []struct {
		ID      int64  `db:"id"`
		EndedAt int64  `db:"ended_at"`
		Number  string `db:"number"`
		Absent  bool   `db:"absent"`
	}
	err = l.db.List(ctx, &rows, `
		SELECT id, ended_at, number,
			NOT EXISTS (SELECT 1 FROM statement_lines l WHERE l.merchant = orders.merchant AND l.number = orders.number AND l.number <> '')
			AND NOT EXISTS (SELECT 1 FROM statement_lines l WHERE l.merchant = orders.merchant AND l.gateway_id = orders.gateway_id AND l.gateway_id <> '') AS absent
		FROM orders`+where.sql()+" ORDER BY ended_at, id LIMIT ?", append(where.args, statementPage)...)
	if err != nil {
		return nil, after, false, fmt.Errorf("ledger: orders that statement %s does not have: %w", s.ID, err)
	}
	next = after
	for _, row := range rows {
		next = EndedMark{At: row.EndedAt, ID: row.ID}
		if row.Absent {
			absent = append(absent, order.Key{Merchant: s.Merchant, Number: row.Number})
		}
	}
	return absent, next, len(rows) == statementPage, nil
}

// RecordMatched records how far a statement is compared, and what was found. It never
// moves back. A statement of which everything is compared is matched once it is done.
func (l *Ledger) RecordMatched(ctx context.Context, id string, matched int, counts StatementCounts, done bool) error {
	state := order.StatementMatching
	if done {
		state = order.StatementMatched
	}
	err := l.inTx(ctx, func(t tx) error {
		_, err := t.Put(ctx, `
			UPDATE statements SET matched = ?, compared = ?, asked = ?, unanswered = ?, settled = ?, absent = ?, state = ?,
				changed_at = CASE WHEN state = ? THEN changed_at ELSE ? END
			WHERE id = ? AND state = 'matching' AND matched <= ?`,
			matched, counts.Compared, counts.Asked, counts.Unanswered, counts.Settled, counts.Absent, state, state, t.At.UnixMilli(), id, matched)
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: record how far statement %s is compared: %w", id, err)
	}
	return nil
}
