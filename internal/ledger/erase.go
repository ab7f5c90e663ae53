package ledger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/saytime"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Codes of refusals of an erasure. They are stable.
const (
	CodeEraseNotSet  = "ERASURES_FILE_NOT_SET"  // nothing would erase it again after a restore
	CodeEraseOpen    = "ERASE_OPEN"             // the order has not ended, or something about it is open
	CodeEraseEarly   = "ERASE_TOO_EARLY"        // it ended less than the retention ago
	CodeEraseClear   = "ERASE_IN_CLEAR"         // its data was stored without encryption, so no key can be destroyed
	CodeEraseUnasked = "ERASE_TEMPORAL_UNASKED" // Temporal does not say what it has
	CodeEraseCopy    = "ERASE_COPY_IN_TEMPORAL" // Temporal still has a run of it
)

// Erasing says when orders may be erased, and what else is done.
type Erasing struct {
	Retention time.Duration // since the order's end
	// Record keeps an erasure outside of the database. It is called before the commit,
	// perhaps more than once. Without it nothing is erased.
	Record func(Erasure) error
	// Copies returns why Temporal may still have data of the order, or nil. last is
	// when a person last acted on the order; zero: nobody did.
	Copies func(ctx context.Context, key order.Key, last, now time.Time) *order.Refusal
}

// SetErasing sets how orders are erased. Without it nothing is erased. Call it before
// any other use of the ledger.
func (l *Ledger) SetErasing(erasing Erasing) { l.erasing = erasing }

// Erasure is an erasure as it is kept outside of the database. It has no personal data.
type Erasure struct {
	Merchant string    `json:"merchant"`
	Number   string    `json:"number"`
	At       time.Time `json:"at"`
	Entry    string    `json:"entry"` // hash of its entry in the audit, in hex
}

// ErasedOrder is an order that was erased.
type ErasedOrder struct {
	order.Key
	State order.State `json:"state"` // its end, which stays
	At    time.Time   `json:"at"`
	By    string      `json:"by"`
	Why   string      `json:"why"`
}

// EraseOrder destroys the keys of an order's personal data, and of its callbacks. No
// ciphertext changes, so the audit's chain stays whole. Amounts, states and the number
// stay: the number is never paid again. The payee is unknown afterwards, also to the
// policy. An order may be erased again, for what has arrived since.
//
// It is audited in the order's chain, done or refused. The refusal's codes are
// WHO_MISSING, WHY_MISSING, TEXT_TOO_LONG, ORDER_NOT_FOUND, the constants CodeErase…,
// those of Erasing.Copies and of the authority.
func (l *Ledger) EraseOrder(ctx context.Context, key order.Key, who order.Who) (erased ErasedOrder, refusal *order.Refusal, err error) {
	who.By, who.Why = sanitizeText(who.By), sanitizeText(who.Why)
	l.refresh()
	copies, err := l.copies(ctx, key)
	if err == nil {
		err = l.inTx(ctx, func(t tx) (err error) {
			erased, refusal, err = l.eraseIn(ctx, t, key, who, copies)
			return err
		})
	}
	if err != nil {
		return ErasedOrder{}, nil, fmt.Errorf("ledger: erase %s: %w", key, err)
	}
	return erased, refusal, nil
}

// copies asks whether Temporal has data of the order. The refusal is that of
// Erasing.Copies.
func (l *Ledger) copies(ctx context.Context, key order.Key) (*order.Refusal, error) {
	if l.erasing.Copies == nil {
		return nil, nil
	}
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	var last int64
	err = l.db.Get(ctx, &last, "SELECT COALESCE(MAX(at), 0) FROM audit WHERE merchant = ? AND number = ? AND source = ? AND action <> ?",
		sanitizeKey(key.Merchant), sanitizeKey(key.Number), rules.FromOperator, ActionErase)
	if err != nil {
		return nil, err
	}
	return l.erasing.Copies(ctx, key, moment(last), now), nil
}

func (l *Ledger) eraseIn(ctx context.Context, t tx, key order.Key, who order.Who, copies *order.Refusal) (ErasedOrder, *order.Refusal, error) {
	e := entry{
		action: ActionErase, actor: who.By, source: rules.FromOperator, mark: bookMark(ActionErase, "", who.ID), reason: personReason("", who.Why),
	}
	h, err := t.lockOrder(ctx, key)
	if errors.Is(err, ErrNotFound) {
		refusal := order.Refuse(order.CodeOrderNotFound, "the ledger has no order %s of merchant %s", key.Number, key.Merchant)
		e.refuse(refusal)
		return ErasedOrder{}, refusal, t.noteOther(ctx, key, e)
	}
	if err != nil {
		return ErasedOrder{}, nil, err
	}
	repeated, refusal, err := t.repeated(ctx, key, e.mark)
	if err != nil {
		return ErasedOrder{}, nil, err
	}
	if !repeated {
		refusal, err = l.permitErasure(ctx, t, &h, who, copies, &e)
	}
	switch {
	case err != nil:
		return ErasedOrder{}, nil, err
	case repeated:
	case refusal != nil:
		e.mark = l.unproved(refusal, e.mark)
		e.refuse(refusal)
		err = t.note(ctx, &h, e)
	default:
		err = t.erase(ctx, &h, e, l.erasing.Record)
	}
	return ErasedOrder{Key: h.Key(), State: h.State, At: moment(h.erasedAt), By: who.By, Why: who.Why}, refusal, err
}

// permitErasure returns why the order is not erased. It adds the person's signature to
// the entry.
func (l *Ledger) permitErasure(ctx context.Context, t tx, h *held, who order.Who, copies *order.Refusal, e *entry) (*order.Refusal, error) {
	if refusal := requirePerson("an erasure", who.By, who.Why); refusal != nil {
		return refusal, nil
	}
	envelope, refusal := l.permitted(who.Proof, func(a Authority) (string, *order.Refusal) {
		return a.PermitErasure(who, h.Key(), t.At)
	})
	if refusal != nil {
		return refusal, nil
	}
	if l.erasing.Record == nil {
		return order.Refuse(CodeEraseNotSet, "this worker has no PAYOUTS_ERASURES_FILE: after a restore nobody would know what was erased; set it, and repeat"), nil
	}
	if copies != nil && copies.Code == CodeEraseUnasked {
		return copies, nil
	}
	refusal, err := t.erasable(ctx, h, l.erasing.Retention)
	if err != nil || refusal != nil {
		return refusal, err
	}
	if copies == nil {
		e.envelope = envelope
	}
	return copies, nil
}

// erasable returns why the order may not be erased yet, or not at all.
func (t tx) erasable(ctx context.Context, h *held, retention time.Duration) (*order.Refusal, error) {
	var found struct {
		Discrepancies int   `db:"discrepancies"`
		Callbacks     int   `db:"callbacks"`
		Clear         int   `db:"clear"`
		Last          int64 `db:"last"`
	}
	const theirs = "merchant = ? AND number = ?"
	key := sanitizeOrderKey(h.Key())
	err := t.Get(ctx, &found, `
		SELECT (SELECT COUNT(*) FROM discrepancies WHERE `+theirs+` AND closed_at = 0) AS discrepancies,
			(SELECT COUNT(*) FROM inbox WHERE `+theirs+` AND status <> 'done') AS callbacks,
			(SELECT COUNT(*) FROM inbox WHERE `+theirs+` AND data_key = '' AND substr(callback, 1, 5) <> 'enc1.') AS clear,
			COALESCE((SELECT MAX(last_at) FROM inbox WHERE `+theirs+`), 0) AS last`,
		key.Merchant, key.Number, key.Merchant, key.Number, key.Merchant, key.Number, key.Merchant, key.Number)
	if err != nil {
		return nil, err
	}
	ended := h.UpdatedAt
	if last := moment(found.Last); last.After(ended) {
		ended = last
	}
	switch from := ended.Add(retention); {
	case !h.State.Terminal():
		return order.Refuse(CodeEraseOpen, "order %s is %s; only an order that has ended is erased", h.Number, h.State), nil
	case found.Discrepancies > 0:
		return order.Refuse(CodeEraseOpen, "order %s has %d open discrepancies; close them first: starter discrepancies", h.Number, found.Discrepancies), nil
	case found.Callbacks > 0:
		return order.Refuse(CodeEraseOpen, "order %s has %d callbacks that are not handled yet: look at it with starter show", h.Number, found.Callbacks), nil
	case h.key == nil || found.Clear > 0:
		return order.Refuse(CodeEraseClear, "data of order %s was stored before PAYOUTS_DATA_KEY_FILE was set, and the audit's chain covers it in clear; it cannot be erased", h.Number), nil
	case t.At.Before(from):
		return order.Refuse(CodeEraseEarly, "order %s was last changed at %s; with PAYOUTS_PERSONAL_DATA_RETENTION it may be erased from %s on",
			h.Number, saytime.Say(ended), saytime.Say(from)), nil
	}
	return nil, nil
}

// erase replaces the order's key, and destroys those of what is stored beside it. The
// entry is encrypted with the new key.
func (t tx) erase(ctx context.Context, h *held, e entry, keep func(Erasure) error) error {
	var err error
	if h.key, err = t.ring.NewKey(orderSubject(h.Merchant, h.Number)); err != nil {
		return err
	}
	chain, err := t.ring.NewKey(chainSubject(h.Merchant, h.Number))
	if err != nil {
		return err
	}
	h.erasedAt = max(t.At.UnixMilli(), h.erasedAt)
	row := h.link(e, h.State, t.At.UnixMilli())
	for _, write := range []struct {
		statement string
		args      []any
	}{
		{"UPDATE orders SET data_key = ?, beneficiary = '', erased_at = ?, audit_entries = ?, audit_head = ? WHERE id = ?",
			[]any{h.key.Stored(), h.erasedAt, h.entries, h.head, h.id}},
		{"UPDATE order_metadata SET hash = '' WHERE order_id = ?", []any{h.id}},
		{"UPDATE chains SET data_key = ?, erased_at = ? WHERE merchant = ? AND number = ? AND data_key <> ''",
			[]any{chain.Stored(), h.erasedAt, h.Merchant, h.Number}},
		{"UPDATE inbox SET data_key = '' WHERE merchant = ? AND number = ?", []any{h.Merchant, h.Number}},
		{"UPDATE discrepancies SET data_key = '' WHERE merchant = ? AND number = ?", []any{h.Merchant, h.Number}},
	} {
		if _, err := t.Put(ctx, write.statement, write.args...); err != nil {
			return err
		}
	}
	if keep != nil {
		kept := Erasure{Merchant: h.Merchant, Number: h.Number, At: moment(h.erasedAt), Entry: hex.EncodeToString(row.Hash)}
		if err := keep(kept); err != nil {
			return fmt.Errorf("PAYOUTS_ERASURES_FILE: %w", err)
		}
	}
	return t.insertAudit(ctx, row)
}

// ErasedAgain is what EraseAgain did.
type ErasedAgain string

// The results of EraseAgain.
const (
	EraseDone    ErasedAgain = "erased"    // it was erased now
	EraseBefore  ErasedAgain = "before"    // it was erased already
	EraseMissing ErasedAgain = "missing"   // the ledger does not have the order
	EraseFailed  ErasedAgain = "not_ended" // the order is open in this copy, or its data is in clear: it was not erased
)

// EraseAgain repeats an erasure in an older copy of the ledger that was restored. What
// was checked before the erasure is not checked again. It is audited.
func (l *Ledger) EraseAgain(ctx context.Context, kept Erasure) (result ErasedAgain, err error) {
	key := order.Key{Merchant: kept.Merchant, Number: kept.Number}
	err = l.inTx(ctx, func(t tx) error {
		h, err := t.lockOrder(ctx, key)
		switch {
		case errors.Is(err, ErrNotFound):
			result = EraseMissing
			return nil
		case err != nil:
			return err
		case h.erasedAt >= kept.At.UnixMilli():
			result = EraseBefore
			return nil
		case !h.State.Terminal() || h.key == nil:
			result = EraseFailed
			return nil
		}
		result, h.erasedAt = EraseDone, kept.At.UnixMilli()
		return t.erase(ctx, &h, entry{
			action: ActionErase, source: FromErasures, evidence: "erased before the restore at " + kept.At.UTC().Format(time.RFC3339) + ", entry " + kept.Entry,
		}, nil)
	})
	if err != nil {
		return "", fmt.Errorf("ledger: erase %s again: %w", key, err)
	}
	return result, nil
}
