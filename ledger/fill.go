package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/tarspay-payouts/orchestrator/order"
)

// fillVersion is the migration that is written in Go, because SQL on SQLite
// cannot hash.
const fillVersion = 3

// fillPage is how many orders are in memory at once.
const fillPage = 500

// fill gives every order that was there before the audit its beneficiary and
// its chain, made from its history. From then on the past is as well kept as
// what follows; who changed it earlier goes unnoticed.
func (e engine) fill(ctx context.Context, begun *sql.Tx) error {
	f := filling{Tx: begun, bind: sqlx.BindType("sqlite3")}
	if e.name == postgres.name {
		f.bind = sqlx.BindType("postgres")
	}
	last := int64(0)
	for {
		var page []filledOrder
		if err := f.list(ctx, &page, `
			SELECT id, merchant, number, request, fingerprint, paid, fee, created_at FROM orders WHERE id > ? ORDER BY id LIMIT ?`,
			last, fillPage); err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		var steps []filledStep
		if err := f.list(ctx, &steps, `
			SELECT order_id, from_state, to_state, source, evidence, actor, reason_code, reason_text, at
			FROM history WHERE order_id > ? AND order_id <= ? ORDER BY order_id, id`, last, page[len(page)-1].ID); err != nil {
			return err
		}
		for _, o := range page {
			n := 0
			for n < len(steps) && steps[n].OrderID == o.ID {
				n++
			}
			if err := f.order(ctx, o, steps[:n]); err != nil {
				return fmt.Errorf("order %s/%s: %w", o.Merchant, o.Number, err)
			}
			steps = steps[n:]
			last = o.ID
		}
	}
}

// filling is the migration's transaction.
type filling struct {
	*sql.Tx
	bind int
}

type filledOrder struct {
	ID          int64  `db:"id"`
	Merchant    string `db:"merchant"`
	Number      string `db:"number"`
	Request     string `db:"request"`
	Fingerprint string `db:"fingerprint"`
	Paid        int64  `db:"paid"`
	Fee         int64  `db:"fee"`
	CreatedAt   int64  `db:"created_at"`
}

// filledStep is a row of the history that version 1 kept.
type filledStep struct {
	OrderID    int64        `db:"order_id"`
	From       order.State  `db:"from_state"`
	To         order.State  `db:"to_state"`
	Source     order.Source `db:"source"`
	Evidence   string       `db:"evidence"`
	Actor      string       `db:"actor"`
	ReasonCode string       `db:"reason_code"`
	ReasonText string       `db:"reason_text"`
	At         int64        `db:"at"`
}

// action is what the audit would have called the step.
func (s filledStep) action() AuditAction {
	switch {
	case s.Source == FromSubmission && s.To == order.Submitting:
		return ActionSubmit
	case s.Source == FromSubmission:
		return ActionAnswer
	case s.Source == FromReview:
		return ActionReview
	case s.Source == order.FromOperator:
		return ActionResolve
	default:
		return ActionSettle
	}
}

func (f filling) order(ctx context.Context, o filledOrder, steps []filledStep) error {
	var request order.Request
	if err := json.Unmarshal([]byte(o.Request), &request); err != nil {
		return err
	}
	opening := filledStep{To: order.Created, At: o.CreatedAt}
	if len(steps) > 0 && steps[0].Source == FromOpening {
		opening, steps = steps[0], steps[1:]
	}
	first := entry{action: ActionOpen, actor: request.RequestedBy, source: FromOpening, evidence: o.Fingerprint, reason: opening.reason()}
	rows := []auditRow{first.row(request.Key(), chainOrder, 0, opening.At)}
	rows[0].After = opening.To
	for i, step := range steps {
		e := entry{action: step.action(), actor: step.Actor, source: step.Source, evidence: step.Evidence, reason: step.reason()}
		row := e.row(request.Key(), chainOrder, int64(i)+1, step.At)
		row.Before, row.After = step.From, step.To
		switch step.To {
		case order.Succeeded, order.PartiallyPaid, order.Refunded:
			row.Paid, row.Fee = o.Paid, o.Fee
		default: // nothing had moved yet
		}
		rows = append(rows, row)
	}
	var head []byte
	for i := range rows {
		rows[i].Hash = rows[i].sealed(head)
		head = rows[i].Hash
	}
	query, args, err := sqlx.Named("INSERT INTO audit ("+auditColumns+`) VALUES (:merchant, :number, :chain, :seq, :at, :actor,
		:action, :source, :evidence, :before_state, :after_state, :outcome, :code, :text, :paid, :fee, :mark, :hash)`, rows)
	if err != nil {
		return err
	}
	if _, err := f.ExecContext(ctx, sqlx.Rebind(f.bind, query), args...); err != nil {
		return err
	}
	_, err = f.ExecContext(ctx, sqlx.Rebind(f.bind, "UPDATE orders SET beneficiary = ?, audit_entries = ?, audit_head = ? WHERE id = ?"),
		request.Beneficiary(), len(rows), head, o.ID)
	return err
}

func (s filledStep) reason() order.Reason {
	return order.Reason{Code: s.ReasonCode, Text: s.ReasonText}
}

func (f filling) list(ctx context.Context, into any, query string, args ...any) error {
	rows, err := f.QueryContext(ctx, sqlx.Rebind(f.bind, query), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	if err := sqlx.StructScan(rows, into); err != nil {
		return err
	}
	return rows.Err()
}
