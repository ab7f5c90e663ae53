package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// What people do to an order. Each action is one transaction: the order is
// locked, order.….Permit is asked, the action is done or refused, and the audit
// says which. A refusal is an answer, not an error; the order is returned as
// it then stands, or empty when there is none of that key, which is a refusal
// with ORDER_NOT_FOUND. An action whose ID is in the audit is not done again:
// it is answered as it was.

// Approve lets an order go ahead that waits for a second person: a withdrawal
// becomes reserved or, when the balance does not cover it, awaiting_funds or
// failed, as the terms of its opening say; a deposit becomes created.
func (l *Ledger) Approve(ctx context.Context, key order.Key, a order.Approval) (order.Order, *order.Refusal, error) {
	result, err := l.act(ctx, key, action{
		entry: entry{action: ActionApprove, actor: a.By, evidence: a.Fingerprint, mark: a.ID, reason: said(order.CodeApproved, a.Why)},
		permit: func(t tx, h *held) *order.Refusal {
			return a.Permit(h.Order, t.At)
		},
		do: tx.approve,
	})
	return result.order, result.refusal, err
}

func (t tx) approve(ctx context.Context, h *held, e entry) error {
	to := order.Created
	h.Reason = order.Reason{}
	if h.Kind == order.Withdrawal {
		books, err := t.books(ctx, h.Merchant, h.Amount.Currency(), t.ForUpdate)
		if err != nil {
			return err
		}
		to, h.Reason = h.funded(books.Available)
	}
	if err := t.move(ctx, h, to, e); err != nil {
		return err
	}
	return t.bookAll(ctx, *h, reservation(h.Order))
}

// Reject ends an order that waits for a second person.
func (l *Ledger) Reject(ctx context.Context, key order.Key, r order.Rejection) (order.Order, *order.Refusal, error) {
	result, err := l.act(ctx, key, action{
		entry: entry{action: ActionReject, actor: r.By, mark: r.ID, reason: said(order.CodeRejected, r.Why)},
		permit: func(_ tx, h *held) *order.Refusal {
			return r.Permit(h.Order)
		},
		do: func(t tx, ctx context.Context, h *held, e entry) error {
			h.Reason = by(e)
			return t.end(ctx, h, order.Rejected, e)
		},
	})
	return result.order, result.refusal, err
}

// Cancel withdraws an order before the gateway may have heard of it. What a
// withdrawal has reserved goes back.
func (l *Ledger) Cancel(ctx context.Context, key order.Key, c order.Cancellation) (order.Order, *order.Refusal, error) {
	result, err := l.act(ctx, key, action{
		entry: entry{action: ActionCancel, actor: c.By, mark: c.ID, reason: said(order.CodeCancelled, c.Why)},
		permit: func(_ tx, h *held) *order.Refusal {
			return c.Permit(h.Order, false)
		},
		do: func(t tx, ctx context.Context, h *held, e entry) error {
			// The row is locked: no attempt begins or ends until this is done.
			sent, err := t.sent(ctx, h)
			if err != nil {
				return err
			}
			if refusal := c.Permit(h.Order, sent); refusal != nil {
				return refusal
			}
			h.Reason = by(e)
			return t.end(ctx, h, order.Cancelled, e)
		},
	})
	return result.order, result.refusal, err
}

// Note adds a remark to an order's audit, whatever state it is in.
func (l *Ledger) Note(ctx context.Context, key order.Key, n order.Note) (order.Order, *order.Refusal, error) {
	result, err := l.act(ctx, key, action{
		entry: entry{action: ActionNote, actor: n.By, mark: n.ID, reason: said("", n.Text)},
		permit: func(_ tx, h *held) *order.Refusal {
			return n.Permit(h.Order)
		},
		do: tx.note,
	})
	return result.order, result.refusal, err
}

// Poll notes that a person has the gateway, or the balance, asked at once; the
// order stays as it stands. Whoever calls it asks when it is not refused.
func (l *Ledger) Poll(ctx context.Context, key order.Key, p order.Poll) (order.Order, *order.Refusal, error) {
	result, err := l.act(ctx, key, action{
		entry: entry{action: ActionPoll, actor: p.By, mark: p.ID},
		permit: func(_ tx, h *held) *order.Refusal {
			return p.Permit(h.Order)
		},
		do: tx.note,
	})
	return result.order, result.refusal, err
}

// Adopt notes that a person has had a workflow started for an order that none
// drove, or that one drives it already; the order stays as it stands.
func (l *Ledger) Adopt(ctx context.Context, key order.Key, a order.Adoption) (order.Order, *order.Refusal, error) {
	e := entry{action: ActionAdopt, actor: a.By, mark: a.ID}
	if a.Run != "" {
		e.evidence = "workflow run " + a.Run
	}
	result, err := l.act(ctx, key, action{
		entry: e,
		permit: func(_ tx, h *held) *order.Refusal {
			return a.Permit(h.Order)
		},
		do: tx.note,
	})
	return result.order, result.refusal, err
}

// action is what a person asks for.
type action struct {
	entry  entry // what the audit says of it when it is done
	permit func(tx, *held) *order.Refusal
	do     func(tx, context.Context, *held, entry) error
}

// acted is what became of it.
type acted struct {
	order   order.Order
	refusal *order.Refusal
	done    AuditAction // what the audit says was done; empty when it was refused
}

func (l *Ledger) act(ctx context.Context, key order.Key, a action) (acted, error) {
	var result acted
	key = fitOrder(key) // whatever was typed
	a.entry.source = order.FromOperator
	a.entry.reason.Text = fit(a.entry.reason.Text)
	err := l.inTx(ctx, func(t tx) error {
		result = acted{}
		h, err := t.lockOrder(ctx, key)
		if errors.Is(err, ErrNotFound) {
			result.refusal = order.Refuse(order.CodeOrderNotFound, "there is no order %s of merchant %s", key.Number, key.Merchant)
			e := a.entry
			e.refuse(result.refusal)
			return t.noteOther(ctx, key, e)
		}
		if err != nil {
			return err
		}
		err = t.actOn(ctx, &h, a, &result)
		result.order = h.Order
		return err
	})
	if errors.Is(err, ErrState) {
		result, err = l.impossible(ctx, key, a, err)
	}
	if err != nil {
		return acted{}, fmt.Errorf("ledger: %s %s: %w", a.entry.action, key, err)
	}
	return result, nil
}

// impossible audits an action that the table of moves refused: it is refused as
// often as it is tried.
func (l *Ledger) impossible(ctx context.Context, key order.Key, a action, why error) (acted, error) {
	refusal := order.Refuse(order.CodeImpossible, "this cannot be done to order %s as it stands: %s", key.Number, why)
	o, err := l.change(ctx, key, func(t tx, h *held) error {
		e := a.entry
		e.refuse(refusal)
		return t.note(ctx, h, e)
	})
	return acted{order: o, refusal: refusal}, err
}

func (t tx) actOn(ctx context.Context, h *held, a action, result *acted) error {
	earlier, found, err := t.earlier(ctx, h, a.entry)
	if err != nil {
		return err
	}
	if found && !repeats(earlier.Action, a.entry.action) {
		result.refusal = order.Refuse(order.CodeInvalidRequest, "the id of this action is that of another action on the order; give each its own")
		e := a.entry
		e.mark = ""
		e.refuse(result.refusal)
		return t.note(ctx, h, e)
	}
	if found {
		result.done = earlier.Action
		if earlier.Outcome == outcomeRefused {
			result.done, result.refusal = "", order.Refuse(earlier.Code, "%s", earlier.Text)
		}
		return nil
	}
	result.refusal = a.permit(t, h)
	if result.refusal == nil {
		result.done = a.entry.action
		err := a.do(t, ctx, h, a.entry)
		if !errors.As(err, &result.refusal) { // nil, or one that ends the transaction
			return err
		}
		result.done = ""
	}
	e := a.entry
	e.refuse(result.refusal)
	return t.note(ctx, h, e)
}

// repeats reports whether an action of the same id may be the same action.
func repeats(earlier, now AuditAction) bool {
	return earlier == now || earlier == ActionPropose && now == ActionResolve
}

// earlier is the entry of the same action, if it is there: the same mark.
func (t tx) earlier(ctx context.Context, h *held, e entry) (row auditRow, found bool, err error) {
	if e.mark == "" {
		return auditRow{}, false, nil
	}
	var rows []auditRow
	err = t.List(ctx, &rows, "SELECT "+auditColumns+` FROM audit
		WHERE merchant = ? AND number = ? AND chain = 'order' AND mark = ? ORDER BY seq LIMIT 1`, h.Merchant, h.Number, fit(e.mark))
	if err != nil || len(rows) == 0 {
		return auditRow{}, false, err
	}
	return rows[0], true, nil
}

// sent reports whether the gateway may have heard of a create of an order that is
// locked. One that is to be asked about may be there already, until it was asked
// about: then there is an attempt since.
func (t tx) sent(ctx context.Context, h *held) (bool, error) {
	var attempts struct {
		Heard int `db:"heard"`
		Asked int `db:"asked"`
	}
	err := t.Get(ctx, &attempts, `
		SELECT COUNT(CASE WHEN NOT `+notSent+` THEN 1 END) AS heard, COUNT(CASE WHEN started_at >= ? THEN 1 END) AS asked
		FROM submissions WHERE order_id = ?`, unixMilli(h.AskFirst), h.id)
	unasked := h.State.Sendable() && !h.AskFirst.IsZero() && attempts.Asked == 0
	return attempts.Heard > 0 || unasked, err
}

// unixMilli is a time as columns have it: 0 for none.
func unixMilli(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

// end ends an order that was never sent, and gives back what it has reserved.
func (t tx) end(ctx context.Context, h *held, to order.State, e entry) error {
	var release []Transfer
	if h.State == order.Reserved || h.State == order.Submitting && h.Kind == order.Withdrawal {
		release = []Transfer{{Reason: ReasonRelease, From: AccountInFlight, To: AccountAvailable, Amount: h.Amount}}
	}
	if err := t.move(ctx, h, to, e); err != nil {
		return err
	}
	return t.bookAll(ctx, *h, release)
}

// funded is what becomes of a withdrawal that may go ahead.
func (h *held) funded(available int64) (order.State, order.Reason) {
	row := orderRow{Currency: h.Amount.Currency(), Amount: h.Amount.Minor()}
	if h.WaitsForFunds || !h.AskFirst.IsZero() { // the latter fails once the gateway was asked
		row.WaitsForFunds = 1
	}
	row.fund(available)
	return row.State, order.Reason{Code: row.ReasonCode, Text: row.ReasonText}
}

// Reserve sets aside the funds of a withdrawal that waits for them, if they
// are there now. An order that still comes short, or does not wait for funds,
// is returned as it stands. ErrNotFound if there is none of that key.
func (l *Ledger) Reserve(ctx context.Context, key order.Key) (order.Order, error) {
	return l.change(ctx, key, func(t tx, h *held) error {
		if h.State != order.AwaitingFunds {
			return nil
		}
		books, err := t.books(ctx, h.Merchant, h.Amount.Currency(), t.ForUpdate)
		if err != nil || books.Available < h.Amount.Minor() {
			return err
		}
		h.Reason = order.Reason{}
		if err := t.move(ctx, h, order.Reserved, entry{action: ActionReserve, source: FromFunds}); err != nil {
			return err
		}
		return t.bookAll(ctx, *h, reservation(h.Order))
	})
}

// FailFunds ends a withdrawal that waited for funds in vain. It does so at the
// deadline on record and not before, and says how much is left until then; an
// order without one has the given deadline, from its opening on. It does not end
// one that the gateway may have and was not asked about (Order.Unasked). Any other
// order is returned as it stands. ErrNotFound if there is none of that key.
func (l *Ledger) FailFunds(ctx context.Context, key order.Key, deadline time.Duration) (o order.Order, left time.Duration, err error) {
	o, err = l.change(ctx, key, func(t tx, h *held) error {
		if left = 0; h.State != order.AwaitingFunds {
			return nil
		}
		due := h.FundsBefore
		switch {
		case !h.WaitsForFunds: // only until the gateway is asked
			due = h.CreatedAt
		case due.IsZero():
			due = h.CreatedAt.Add(deadline)
		}
		if left = due.Sub(t.At); left > 0 || h.Unasked() {
			left = max(left, 0)
			return nil
		}
		left = 0
		h.Reason = order.Reason{
			Code: order.CodeInsufficientFunds, Text: fmt.Sprintf("the available balance did not cover %s in time", h.Amount),
		}
		return t.end(ctx, h, order.Failed, entry{action: ActionFunds, source: FromFunds, reason: h.Reason})
	})
	return o, left, err
}

// RejectUnanswered ends an order that nobody approved in time. It does so at the
// deadline on record and not before, and says how much is left until then; not
// before the gateway was asked, if it may have the order (Order.Unasked). Any other
// order is returned as it stands. ErrNotFound if there is none of that key.
func (l *Ledger) RejectUnanswered(ctx context.Context, key order.Key) (o order.Order, left time.Duration, err error) {
	o, err = l.change(ctx, key, func(t tx, h *held) error {
		if left = 0; h.State != order.AwaitingApproval {
			return nil
		}
		if left = h.ApproveBefore.Sub(t.At); left > 0 || h.Unasked() {
			left = max(left, 0)
			return nil
		}
		left = 0
		if h.ApproveBefore.After(h.CreatedAt) { // else the policy refuses it, and the reason says so
			h.Reason = order.Reason{Code: order.CodeApprovalTooLate, Text: "nobody approved it in time"}
		}
		return t.end(ctx, h, order.Rejected, entry{action: ActionUnanswered, source: FromDeadline, reason: h.Reason})
	})
	return o, left, err
}

// HoldForFunds notes that the gateway refused an order's create because its
// balance there does not cover it, and is now proved not to have it: an order
// that is unknown becomes submitting with the reason, to be sent again once
// there is money. What it has reserved stays reserved. One that is submitting
// stays so with the reason. Any other order is returned as it stands.
// ErrNotFound if there is none of that key.
//
// It may be called with every look at the gateway: only what differs is
// written, and only another state or another code is audited.
func (l *Ledger) HoldForFunds(ctx context.Context, key order.Key, reason order.Reason) (order.Order, error) {
	reason.Text = fit(reason.Text)
	return l.change(ctx, key, func(t tx, h *held) error {
		earlier := h.Reason
		e := entry{action: ActionHold, source: FromSubmission, evidence: attemptText(h.attempts), reason: reason}
		switch {
		case h.State == order.Unknown:
			h.Reason = reason
			return t.move(ctx, h, order.Submitting, e)
		case h.State != order.Submitting || earlier == reason:
			return nil
		}
		if h.Reason = reason; earlier.Code == reason.Code {
			return t.update(ctx, h, order.Submitting)
		}
		return t.record(ctx, h, order.Submitting, e)
	})
}

// change does what the orchestrator does by itself to one order.
func (l *Ledger) change(ctx context.Context, key order.Key, do func(tx, *held) error) (order.Order, error) {
	var result order.Order
	err := l.inTx(ctx, func(t tx) error {
		h, err := t.lockOrder(ctx, key)
		if err != nil {
			return err
		}
		err = do(t, &h)
		result = h.Order
		return err
	})
	if err != nil {
		return order.Order{}, fmt.Errorf("ledger: change %s: %w", key, err)
	}
	return result, nil
}

// said is the reason that a person gives.
func said(code, text string) order.Reason { return order.Reason{Code: code, Text: text} }

// by is the reason of an order that a person has ended: who, and what they
// said.
func by(e entry) order.Reason {
	return order.Reason{Code: e.reason.Code, Text: fit("by " + e.actor + ": " + e.reason.Text)}
}
