package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/order"
)

// FromMessage is the source of what the audit says of a message that an order's
// workflow was sent and ignores.
const FromMessage order.Source = "message"

// Ignore notes that an order's workflow was told something that it does not act
// on, once per order and code, however often it was told. Of an order that we
// do not have it is on record of the installation.
func (l *Ledger) Ignore(ctx context.Context, key order.Key, reason order.Reason) error {
	key = order.Key{Merchant: fitKey(key.Merchant), Number: fitKey(key.Number)} // whatever was said
	e := entry{action: ActionIgnore, source: FromMessage, reason: reason, refused: true, mark: "ignored " + reason.Code}
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

// RefuseStart notes that a workflow was started as an order and is none: it is on
// record of the merchant, or without one of the installation, once for a
// workflow's id and a reason.
func (l *Ledger) RefuseStart(ctx context.Context, merchant, workflowID string, reason order.Reason) error {
	reason.Text = fit(reason.Text)
	err := l.inTx(ctx, func(t tx) error {
		return t.noteOnce(ctx, order.Key{Merchant: merchant}, entry{
			action: ActionRefuseStart, source: FromMessage, evidence: "workflow " + workflowID, reason: reason, refused: true,
			mark: "refused " + fingerprint(workflowID+" "+reason.Code+" "+reason.Text),
		})
	})
	if err != nil {
		return fmt.Errorf("ledger: note a refused start: %w", err)
	}
	return nil
}

// noteOnce is noteOther for an entry that is not repeated: the chain has none of
// its mark.
func (t tx) noteOnce(ctx context.Context, key order.Key, e entry) error {
	var there int
	err := t.Get(ctx, &there, "SELECT COUNT(*) FROM audit WHERE merchant = ? AND number = ? AND chain = 'other' AND mark = ?",
		fitKey(key.Merchant), fitKey(key.Number), fit(e.mark))
	if err != nil || there > 0 {
		return err
	}
	return t.noteOther(ctx, key, e)
}
