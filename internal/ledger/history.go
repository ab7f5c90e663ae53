package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Step is one change of an order's state, with its proof.
type Step struct {
	From     order.State  `json:"from"`
	To       order.State  `json:"to"`
	Source   rules.Source `json:"source"`             // of a finding, or one of this package
	Evidence string       `json:"evidence,omitempty"` // callback: inbox id; operator: the gateway's proof; submission: the attempt
	By       string       `json:"by,omitempty"`       // operator: the person's name
	Reason   order.Reason `json:"reason,omitzero"`
	At       time.Time    `json:"at"`
}

// History returns the changes of an order's state, oldest first. The state before
// the first step is order.Created. It returns none if there is no such order.
func (l *Ledger) History(ctx context.Context, key order.Key) ([]Step, error) {
	var rows []auditRow
	var texts rowTexts
	err := l.db.View(ctx, func(s *sqldb.Tx) (err error) {
		t := tx{Tx: s, private: l.private}
		if texts, err = t.chainTexts(ctx, sanitizeKey(key.Merchant), sanitizeKey(key.Number), chainOrder); err != nil {
			return err
		}
		return t.List(ctx, &rows, `
		SELECT `+auditColumns+` FROM audit
		WHERE merchant = ? AND number = ? AND chain = 'order' AND `+isMove+` ORDER BY seq`, sanitizeKey(key.Merchant), sanitizeKey(key.Number))
	})
	for i := 0; err == nil && i < len(rows); i++ {
		err = rows[i].open(texts.orDamaged())
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: history of %s: %w", key, err)
	}
	steps := make([]Step, len(rows))
	for i, row := range rows {
		steps[i] = Step{
			From: row.Before, To: row.After, Source: row.Source, Evidence: row.Evidence,
			Reason: order.Reason{Code: row.Code, Text: row.Text}, At: moment(row.At),
		}
		if row.Action == ActionOpen {
			steps[i].From, steps[i].Evidence = order.Created, ""
		}
		if row.Source == rules.FromOperator {
			steps[i].By = row.Actor
		}
	}
	return steps, nil
}

// isMove is the SQL condition for audit entries that changed a state. The entry
// that opens an order counts as a change only if the order was opened in another
// state than created.
const isMove = "before_state <> after_state AND NOT (before_state = '' AND after_state = 'created')"
