package ledger

import (
	"context"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/order"
)

// RecordPolicy audits in the installation's chain that the policy with the ID came
// into force, or that it was refused and why. An entry equal to the last one is
// not written again, because workers start often, and several at once.
func (l *Ledger) RecordPolicy(ctx context.Context, id string, refusal *order.Refusal) error {
	e := entry{action: ActionPolicy, source: FromConfiguration, evidence: id}
	e.refuse(refusal)
	err := l.inTx(ctx, func(t tx) error {
		last, err := t.lastPolicy(ctx)
		if err != nil {
			return err
		}
		now := e.row(order.Key{}, chainOther, 0, 0)
		if now.Action == last.Action && now.Evidence == last.Evidence && now.Outcome == last.Outcome && now.Code == last.Code && now.Text == last.Text {
			return nil
		}
		return t.noteOther(ctx, order.Key{}, e)
	})
	if err != nil {
		return fmt.Errorf("ledger: record policy %s: %w", id, err)
	}
	return nil
}

// lastPolicy returns the last entry about a policy, or an empty row. It locks the
// installation's chain until the transaction ends.
func (t tx) lastPolicy(ctx context.Context) (auditRow, error) {
	_, err := t.Put(ctx, "INSERT INTO chains (merchant, number, entries, head) VALUES ('', '', 0, ?) ON CONFLICT (merchant, number) DO NOTHING", []byte{})
	if err != nil {
		return auditRow{}, err
	}
	var entries int64
	if err := t.Get(ctx, &entries, "SELECT entries FROM chains WHERE merchant = '' AND number = ''"+t.ForUpdate); err != nil {
		return auditRow{}, err
	}
	var rows []auditRow
	err = t.List(ctx, &rows, "SELECT "+auditColumns+` FROM audit
		WHERE merchant = '' AND number = '' AND chain = 'other' AND action = ? ORDER BY seq DESC LIMIT 1`, ActionPolicy)
	if err != nil || len(rows) == 0 {
		return auditRow{}, err
	}
	return rows[0], nil
}
