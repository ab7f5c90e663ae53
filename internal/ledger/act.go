package ledger

import (
	"context"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Act performs a person's action on an order, or refuses it. Both are audited. The
// action may be signed; with an authority it must be. twoPersons says whether a
// resolution needs two persons. pending is true if a resolution was stored as a
// proposal and now waits for the second person.
func (l *Ledger) Act(ctx context.Context, key order.Key, asked order.Action, twoPersons bool) (
	row order.Order, refusal *order.Refusal, pending bool, err error,
) {
	var todo action
	plain, _ := order.Plain(asked)
	switch plain := plain.(type) {
	case order.Approval:
		todo = approvalAction(plain)
	case order.Rejection:
		todo = rejectionAction(plain)
	case order.Cancellation:
		todo = cancellationAction(plain)
	case order.Resolution:
		return l.resolveAs(ctx, key, asked, plain, twoPersons)
	case order.Note:
		todo = noteAction(plain)
	case order.Poll:
		todo = pollAction(plain)
	case order.Adoption:
		todo = adoptionAction(plain)
	default:
		return row, order.NoAction(), false, nil
	}
	result, err := l.act(ctx, key, asked, todo)
	return result.order, result.refusal, false, err
}

// ActOnBooks performs a person's action that is not about one order, or refuses it.
// The functions that it calls say what is audited. record is what the action is
// about, as they return it.
func (l *Ledger) ActOnBooks(ctx context.Context, a order.BookAction) (record any, refusal *order.Refusal, err error) {
	if refusal := a.Check(); refusal != nil {
		return nil, refusal, nil
	}
	switch {
	case a.ProposeAdjustment != nil:
		p := a.ProposeAdjustment
		return l.ProposeAdjustment(ctx, Adjustment{
			Merchant: p.Merchant, Ref: p.Ref, Kind: AdjustmentKind(p.Kind), Amount: p.Amount, By: a.By, Why: a.Why, Evidence: p.Evidence, ID: a.ID, Proof: a.Proof,
		})
	case a.ConfirmAdjustment != nil:
		return l.ConfirmAdjustment(ctx, a.ConfirmAdjustment.Merchant, a.ConfirmAdjustment.Ref, a.Who)
	case a.RejectAdjustment != nil:
		return l.RejectAdjustment(ctx, a.RejectAdjustment.Merchant, a.RejectAdjustment.Ref, a.Who)
	case a.CloseDiscrepancy != nil:
		return l.CloseDiscrepancy(ctx, a.CloseDiscrepancy.Discrepancy, a.Who)
	case a.WorkDiscrepancy != nil:
		return l.WorkDiscrepancy(ctx, *a.WorkDiscrepancy, a.Who)
	case a.SetAside != nil:
		return l.SetCallbackAside(ctx, a.SetAside.Callback, a.Who)
	case a.Stop != nil:
		return l.StopPayouts(ctx, *a.Stop, a.Who)
	case a.Resume != nil:
		return l.ResumePayouts(ctx, a.Resume.Stop, a.Who)
	case a.Erase != nil:
		return l.EraseOrder(ctx, *a.Erase, a.Who)
	case a.Repeat != nil:
		return l.noteRepeat(ctx, *a.Repeat, a.Who)
	case a.EndRestore != nil:
		return l.EndRestore(ctx, a.Who)
	case a.CloseDay != nil:
		return l.CloseDay(ctx, *a.CloseDay, a.Who)
	case a.PauseBatch != nil:
		return l.PauseBatch(ctx, *a.PauseBatch, a.Who)
	case a.ResumeBatch != nil:
		return l.ResumeBatch(ctx, *a.ResumeBatch, a.Who)
	case a.CancelBatch != nil:
		return l.CancelBatch(ctx, *a.CancelBatch, a.Who)
	}
	return nil, order.Refuse(order.CodeInvalidRequest, "this worker does not know the action %s", a.Name()), nil
}

// noteRepeat audits that somebody other than the requester has requested the same
// order again. Nothing else happens. The codes are WHO_MISSING and TEXT_TOO_LONG.
func (l *Ledger) noteRepeat(ctx context.Context, key order.Key, who order.Who) (order.Key, *order.Refusal, error) {
	var refusal *order.Refusal
	err := l.inTx(ctx, func(t tx) (err error) {
		refusal, err = t.onBooks(ctx, key, "", entry{action: ActionRepeat, actor: who.By, mark: who.ID}, func(bool, *entry) (*order.Refusal, error) {
			return requirePerson("a repetition", who.By, "the same order was requested again"), nil
		})
		return err
	})
	if err != nil {
		return key, nil, fmt.Errorf("ledger: note the repetition of %s: %w", key, err)
	}
	return key, refusal, nil
}

// onBooks performs an action that is about an order only by its key, and audits it
// in the order's chain. Without such an order the entry is in a chain of its own.
// ours says whether the order exists; do may change the entry. The entry's mark is the
// action's ID.
func (t tx) onBooks(
	ctx context.Context, key order.Key, target string, e entry, do func(ours bool, e *entry) (*order.Refusal, error),
) (refusal *order.Refusal, err error) {
	h, err := t.lockIfThere(ctx, key)
	if err != nil {
		return nil, err
	}
	e.source, e.mark = rules.FromOperator, bookMark(e.action, target, e.mark)
	repeated, refusal, err := t.repeated(ctx, key, e.mark)
	if err != nil || repeated {
		return refusal, err
	}
	if refusal, err = do(h != nil, &e); err != nil {
		return nil, err
	}
	e.refuse(refusal)
	return refusal, t.noteAbout(ctx, key, h, e)
}

// bookMark returns the mark of a book action in the audit. It contains what the
// action is about, because many targets have one chain. It is "" without an ID.
func bookMark(action AuditAction, target, id string) string {
	if id == "" {
		return ""
	}
	return bookMarks(action, target) + id
}

// bookMarks returns what the marks of an action on a target begin with.
func bookMarks(action AuditAction, target string) string {
	return bookedMark + string(action) + " " + target + " "
}

// Audited reports whether the audit of a key has an action of the id, done or refused.
func (l *Ledger) Audited(ctx context.Context, key order.Key, id string) (bool, error) {
	var count int
	err := l.db.Get(ctx, &count, "SELECT COUNT(*) FROM audit WHERE merchant = ? AND number = ? AND mark = ?",
		sanitizeKey(key.Merchant), sanitizeKey(key.Number), sanitizeText(id))
	if err != nil {
		return false, fmt.Errorf("ledger: look for an action on %s: %w", key, err)
	}
	return count > 0, nil
}

// repeated reports whether a book action of the mark is in the audit, and how it was
// refused; nil if it was done.
func (t tx) repeated(ctx context.Context, key order.Key, mark string) (bool, *order.Refusal, error) {
	if mark == "" {
		return false, nil, nil
	}
	var rows []auditRow
	err := t.List(ctx, &rows, "SELECT "+auditColumns+" FROM audit WHERE merchant = ? AND number = ? AND mark = ? ORDER BY chain, seq LIMIT 1",
		sanitizeKey(key.Merchant), sanitizeKey(key.Number), sanitizeText(mark))
	if err != nil || len(rows) == 0 {
		return false, nil, err
	}
	texts, err := t.chainTexts(ctx, rows[0].Merchant, rows[0].Number, rows[0].Chain)
	if err == nil {
		err = rows[0].open(texts.orDamaged())
	}
	if err != nil {
		return false, nil, err
	}
	if rows[0].Outcome == outcomeRefused {
		return true, order.Refuse(rows[0].Code, "%s", rows[0].Text), nil
	}
	return true, nil, nil
}
