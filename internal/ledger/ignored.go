package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// FromMessage is the source of audit entries about messages that an order's
// workflow ignored.
const FromMessage rules.Source = "message"

// Ignore audits that an order's workflow ignored a message. It writes one entry
// per order and code. For an unknown order, the entry is in the installation's
// chain.
func (l *Ledger) Ignore(ctx context.Context, key order.Key, reason order.Reason) error {
	key = order.Key{Merchant: sanitizeKey(key.Merchant), Number: sanitizeKey(key.Number)} // from the message
	e := entry{action: ActionIgnore, source: FromMessage, reason: reason, refused: true, mark: ignoredMark + reason.Code}
	err := l.inTx(ctx, func(t tx) error {
		h, err := t.lockOrder(ctx, key)
		if errors.Is(err, ErrNotFound) {
			return t.noteOnce(ctx, order.Key{}, e)
		}
		if err != nil {
			return err
		}
		if _, found, err := t.earlier(ctx, &h, e); found || err != nil {
			return err
		}
		return t.note(ctx, &h, e)
	})
	if err != nil {
		return fmt.Errorf("ledger: note what was ignored for %s: %w", key, err)
	}
	return nil
}

// RefuseStart audits that a workflow was started as an order without a valid one.
// The entry is in the merchant's chain, or in the installation's if merchant is
// empty. It writes one entry per workflow id and reason, and of a code no more than
// refusals.go allows.
func (l *Ledger) RefuseStart(ctx context.Context, merchant, workflowID string, reason order.Reason) error {
	reason.Text = sanitizeText(reason.Text)
	err := l.inTx(ctx, func(t tx) error {
		return t.noteOnce(ctx, order.Key{Merchant: merchant}, entry{
			action: ActionRefuseStart, source: FromMessage, evidence: refusedWorkflow + workflowID, reason: reason, refused: true,
			mark: refusedMark + fingerprint(workflowID+" "+reason.Code+" "+reason.Text),
		})
	})
	if err != nil {
		return fmt.Errorf("ledger: note a refused start: %w", err)
	}
	return nil
}

// refusedWorkflow is the beginning of the evidence of a refused start.
const refusedWorkflow = "workflow "

// RefusedStart is a workflow that was started as an order without a valid one.
type RefusedStart struct {
	WorkflowID string
	At         time.Time // of the first refusal for this reason
}

// maxRefusedStarts is the most refused starts that RefusedStarts returns.
const maxRefusedStarts = 100

// RefusedStarts returns the refused starts whose workflow id has the end, newest
// first, of all merchants and of the installation. Those that are not audited because there
// were too many are missing.
func (l *Ledger) RefusedStarts(ctx context.Context, end string) ([]RefusedStart, error) {
	var rows []struct {
		Evidence string `db:"evidence"`
		At       int64  `db:"at"`
	}
	pattern := refusedWorkflow + "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(sanitizeText(end))
	err := l.db.List(ctx, &rows, `SELECT evidence, at FROM audit WHERE action = 'refuse_start' AND evidence LIKE ? ESCAPE '\'
		ORDER BY at DESC LIMIT ?`, pattern, maxRefusedStarts)
	if err != nil {
		return nil, fmt.Errorf("ledger: refused starts: %w", err)
	}
	var found []RefusedStart
	for _, row := range rows {
		if strings.HasSuffix(row.Evidence, end) { // SQLite's LIKE ignores case
			found = append(found, RefusedStart{WorkflowID: strings.TrimPrefix(row.Evidence, refusedWorkflow), At: moment(row.At)})
		}
	}
	return found, nil
}

// noteOnce is noteOther, but does nothing if the chain has an entry with the same
// mark.
func (t tx) noteOnce(ctx context.Context, key order.Key, e entry) error {
	var found int
	err := t.Get(ctx, &found, "SELECT COUNT(*) FROM audit WHERE merchant = ? AND number = ? AND chain = 'other' AND mark = ?",
		sanitizeKey(key.Merchant), sanitizeKey(key.Number), sanitizeText(e.mark))
	if err != nil || found > 0 {
		return err
	}
	return t.noteOther(ctx, key, e)
}
