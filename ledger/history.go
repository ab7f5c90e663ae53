package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Step is one change of an order's state, and the proof it was made on.
type Step struct {
	From     order.State  `json:"from"`
	To       order.State  `json:"to"`
	Source   order.Source `json:"source"`             // a finding's, or one of this package
	Evidence string       `json:"evidence,omitempty"` // callback: inbox id; operator: the gateway's proof; submission: the attempt
	By       string       `json:"by,omitempty"`       // operator: who
	Reason   order.Reason `json:"reason,omitzero"`
	At       time.Time    `json:"at"`
}

// History is what has happened to an order, oldest first. The state before
// the first step is order.Created. None for an order that is not there.
func (l *Ledger) History(ctx context.Context, key order.Key) ([]Step, error) {
	var rows []stepRow
	err := l.list(ctx, &rows, `
		SELECT h.from_state, h.to_state, h.source, h.evidence, h.actor, h.reason_code, h.reason_text, h.at
		FROM history h JOIN orders o ON o.id = h.order_id
		WHERE o.merchant = ? AND o.number = ? ORDER BY h.id`, key.Merchant, key.Number)
	if err != nil {
		return nil, fmt.Errorf("ledger: history of %s: %w", key, err)
	}
	steps := make([]Step, len(rows))
	for i, row := range rows {
		steps[i] = Step{
			From: row.From, To: row.To, Source: row.Source, Evidence: row.Evidence, By: row.Actor,
			Reason: order.Reason{Code: row.ReasonCode, Text: row.ReasonText}, At: moment(row.At),
		}
	}
	return steps, nil
}

type stepRow struct {
	From       order.State  `db:"from_state"`
	To         order.State  `db:"to_state"`
	Source     order.Source `db:"source"`
	Evidence   string       `db:"evidence"`
	Actor      string       `db:"actor"`
	ReasonCode string       `db:"reason_code"`
	ReasonText string       `db:"reason_text"`
	At         int64        `db:"at"`
}

// record adds a step to an order's history.
func (t tx) record(ctx context.Context, orderID int64, step Step) error {
	_, err := t.put(ctx, `
		INSERT INTO history (order_id, from_state, to_state, source, evidence, actor, reason_code, reason_text, at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		orderID, step.From, step.To, step.Source, fit(step.Evidence), fit(step.By),
		step.Reason.Code, fit(step.Reason.Text), t.at.UnixMilli())
	return err
}
