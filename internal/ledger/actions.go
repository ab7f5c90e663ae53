package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Actions of people on an order. Each action is one transaction: it locks the
// order, calls the action's Permit function, performs or refuses the action, and audits
// which. A refusal is an answer, not an error. The order is returned in its new
// state. It is empty if there is no order of the key; that is a refusal with
// ORDER_NOT_FOUND. An action whose ID is already in the audit is not performed
// again: the earlier result is returned.

// Approve approves an order that waits for a second person. An order that is to be sent at
// a time becomes scheduled, also if its time has passed: Release decides. A deposit becomes
// created. A withdrawal becomes reserved. If the balance does not cover it, it
// becomes awaiting_funds or failed, as the Terms of its opening say.
func (l *Ledger) Approve(ctx context.Context, key order.Key, a order.Approval) (order.Order, *order.Refusal, error) {
	result, err := l.act(ctx, key, a, approvalAction(a))
	return result.order, result.refusal, err
}

func approvalAction(a order.Approval) action {
	return action{
		entry: entry{action: ActionApprove, actor: a.By, evidence: a.Fingerprint, mark: a.ID, reason: personReason(codes.Approved, a.Why)},
		permit: func(t tx, h *held) *order.Refusal {
			return rules.PermitApproval(a, h.Order, t.At)
		},
		do: tx.approve,
	}
}

func (t tx) approve(ctx context.Context, h *held, e entry) error {
	if h.Approvals > 1 || t.authority != nil {
		waits, err := t.needsAnother(ctx, h, e.actor)
		if err != nil {
			return err
		}
		if waits {
			return t.record(ctx, h, h.State, e)
		}
	}
	to := order.Created
	h.Reason = order.Reason{}
	switch {
	case h.unreleased():
		to = order.Scheduled
	case h.Kind == order.Withdrawal:
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

// needsAnother reports whether another person must approve the order after this one, and
// then says so in its reason. A second approval of one person is refused with SAME_PERSON.
func (t tx) needsAnother(ctx context.Context, h *held, actor string) (bool, error) {
	counted, err := t.approvals(ctx, h)
	if err != nil {
		return false, err
	}
	again := counted.has(actor)
	if !again {
		counted.by = append(counted.by, actor)
	}
	switch {
	case counted.enough():
		return false, nil
	case again:
		return false, order.Refuse(codes.SamePerson, "%s has approved order %s; another person must approve it, too", actor, h.Number)
	}
	h.Reason = order.Reason{Code: codes.Unsigned, Text: sanitizeText(actor + " has approved it; another person must approve it, too" + counted.ignored)}
	return true, nil
}

// Reject ends an order that waits for a second person.
func (l *Ledger) Reject(ctx context.Context, key order.Key, r order.Rejection) (order.Order, *order.Refusal, error) {
	result, err := l.act(ctx, key, r, rejectionAction(r))
	return result.order, result.refusal, err
}

func rejectionAction(r order.Rejection) action {
	return action{
		entry: entry{action: ActionReject, actor: r.By, mark: r.ID, reason: personReason(order.CodeRejected, r.Why)},
		permit: func(_ tx, h *held) *order.Refusal {
			return rules.PermitRejection(r, h.Order)
		},
		do: func(t tx, ctx context.Context, h *held, e entry) error {
			h.Reason = by(e)
			return t.end(ctx, h, order.Rejected, e)
		},
	}
}

// Cancel ends an order that the gateway cannot have received. A withdrawal's
// reservation is released.
func (l *Ledger) Cancel(ctx context.Context, key order.Key, c order.Cancellation) (order.Order, *order.Refusal, error) {
	result, err := l.act(ctx, key, c, cancellationAction(c))
	return result.order, result.refusal, err
}

func cancellationAction(c order.Cancellation) action {
	return action{
		entry: entry{action: ActionCancel, actor: c.By, mark: c.ID, reason: personReason(order.CodeCancelled, c.Why)},
		permit: func(_ tx, h *held) *order.Refusal {
			return rules.PermitCancellation(c, h.Order, false)
		},
		do: func(t tx, ctx context.Context, h *held, e entry) error {
			// The row is locked: no attempt begins or ends until this is done.
			sent, err := t.sent(ctx, h)
			if err != nil {
				return err
			}
			if refusal := rules.PermitCancellation(c, h.Order, sent); refusal != nil {
				return refusal
			}
			h.Reason = by(e)
			return t.end(ctx, h, order.Cancelled, e)
		},
	}
}

// Note adds a remark to an order's audit, whatever state it is in.
func (l *Ledger) Note(ctx context.Context, key order.Key, n order.Note) (order.Order, *order.Refusal, error) {
	result, err := l.act(ctx, key, n, noteAction(n))
	return result.order, result.refusal, err
}

func noteAction(n order.Note) action {
	return action{
		entry: entry{action: ActionNote, actor: n.By, mark: n.ID, reason: personReason("", n.Text)},
		permit: func(_ tx, h *held) *order.Refusal {
			return rules.PermitNote(n, h.Order)
		},
		do: tx.note,
	}
}

// Poll audits that a person wants the gateway, or the balance, queried now. It
// does not change the order and does not query: the caller queries unless Poll is
// refused.
func (l *Ledger) Poll(ctx context.Context, key order.Key, p order.Poll) (order.Order, *order.Refusal, error) {
	result, err := l.act(ctx, key, p, pollAction(p))
	return result.order, result.refusal, err
}

func pollAction(p order.Poll) action {
	return action{
		entry: entry{action: ActionPoll, actor: p.By, mark: p.ID},
		permit: func(_ tx, h *held) *order.Refusal {
			return rules.PermitPoll(p, h.Order)
		},
		do: tx.note,
	}
}

// Adopt audits that a person started a workflow for an order without one, or that
// a workflow already runs for it. It does not change the order.
func (l *Ledger) Adopt(ctx context.Context, key order.Key, a order.Adoption) (order.Order, *order.Refusal, error) {
	result, err := l.act(ctx, key, a, adoptionAction(a))
	return result.order, result.refusal, err
}

func adoptionAction(a order.Adoption) action {
	e := entry{action: ActionAdopt, actor: a.By, mark: a.ID}
	if a.Run != "" {
		e.evidence = "workflow run " + a.Run
	}
	return action{
		entry: e,
		permit: func(_ tx, h *held) *order.Refusal {
			return rules.PermitAdoption(a, h.Order)
		},
		do: tx.note,
	}
}

// action is a person's action on an order.
type action struct {
	entry  entry        // the audit entry if the action is performed
	asked  order.Action // as it came, with its signature
	allow  func(asked order.Action, o order.Order, at time.Time) (envelope.Kept, *order.Refusal)
	permit func(tx, *held) *order.Refusal
	do     func(tx, context.Context, *held, entry) error
}

// actionResult is the result of an action.
type actionResult struct {
	order   order.Order
	refusal *order.Refusal
	done    AuditAction // the action as audited; empty if it was refused
}

// act performs an action, or refuses it. asked is the action as it came, with its
// signature.
func (l *Ledger) act(ctx context.Context, key order.Key, asked order.Action, a action) (actionResult, error) {
	var result actionResult
	a.asked, a.allow = asked, l.allow
	l.refresh()
	key = sanitizeOrderKey(key) // typed by a person
	a.entry.source = rules.FromOperator
	a.entry.reason.Text = sanitizeText(a.entry.reason.Text)
	err := l.inTx(ctx, func(t tx) error {
		result = actionResult{}
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
		result, err = l.refuseImpossible(ctx, key, a, err)
	}
	if err != nil {
		return actionResult{}, fmt.Errorf("ledger: %s %s: %w", a.entry.action, key, err)
	}
	return result, nil
}

// refuseImpossible audits an action that the state table does not allow, and returns the
// refusal. A repetition has the same result.
func (l *Ledger) refuseImpossible(ctx context.Context, key order.Key, a action, why error) (actionResult, error) {
	refusal := order.Refuse(codes.Impossible, "this cannot be done to order %s as it stands: %s", key.Number, why)
	o, err := l.change(ctx, key, func(t tx, h *held) error {
		e := a.entry
		e.refuse(refusal)
		return t.note(ctx, h, e)
	})
	return actionResult{order: o, refusal: refusal}, err
}

func (t tx) actOn(ctx context.Context, h *held, a action, result *actionResult) error {
	_, given := order.Plain(a.asked)
	switch {
	case given != nil && a.entry.mark != "":
		a.entry.mark = signedMark + a.entry.mark
	case slices.ContainsFunc(ownMarks, func(begins string) bool { return strings.HasPrefix(a.entry.mark, begins) }):
		a.entry.mark = ""
	}
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
	kept, refusal := a.allow(a.asked, h.Order, t.At)
	if refusal != nil {
		a.entry.mark = "" // whose id it is is not proved: the genuine action may still come
	}
	if refusal == nil {
		if refusal, err = t.keepDecision(ctx, kept); err != nil {
			return err
		}
	}
	a.entry.envelope, result.refusal = kept.Proof, refusal
	if _, proof := order.Plain(a.asked); result.refusal == nil || proof == nil {
		// What is refused anyway is refused for that, and not for a missing signature.
		if refusal := a.permit(t, h); refusal != nil {
			result.refusal = refusal
		}
	}
	if result.refusal == nil {
		result.done = a.entry.action
		err := a.do(t, ctx, h, a.entry)
		if err == nil {
			return t.spend(ctx, kept)
		}
		if !errors.As(err, &result.refusal) { // the error rolls the transaction back
			return err
		}
		result.done = ""
	}
	e := a.entry
	e.refuse(result.refusal)
	return t.note(ctx, h, e)
}

func (l *Ledger) refresh() {
	if l.authority != nil {
		l.authority.Refresh()
	}
}

// allow returns what is kept of an action that the authority permits, or the refusal.
func (l *Ledger) allow(asked order.Action, o order.Order, at time.Time) (kept envelope.Kept, refusal *order.Refusal) {
	_, given := order.Plain(asked)
	_, refusal = l.permitted(given, func(a Authority) (string, *order.Refusal) {
		kept, refusal = a.Permit(asked, o, at)
		return kept.Proof, refusal
	})
	return kept, refusal
}

// permitted returns what the authority says. Without an authority everybody may act, and
// an action with a signature is refused.
func (l *Ledger) permitted(given *order.Proof, permit func(Authority) (string, *order.Refusal)) (proof string, refusal *order.Refusal) {
	switch {
	case l.authority != nil:
		return permit(l.authority)
	case given != nil:
		return "", noRoster()
	}
	return "", nil
}

// Allows returns why the authority refuses an action on an order that the ledger
// does not have, or nil.
func (l *Ledger) Allows(ctx context.Context, asked order.Action, o order.Order) (*order.Refusal, error) {
	at, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	l.refresh()
	_, refusal := l.allow(asked, o, at)
	return refusal, nil
}

// unproved returns the mark of a book action that the authority has permitted or refused. It
// is "" if it was refused, as in actOn.
func (l *Ledger) unproved(refusal *order.Refusal, mark string) string {
	if refusal != nil && l.authority != nil {
		return ""
	}
	return mark
}

func noRoster() *order.Refusal {
	return order.Refuse(CodeRosterNotSet, "the action is signed, and this installation has no roster to check the signature with: set PAYOUTS_ROSTER_FILE for the worker, or send the action without a signature")
}

// repeats reports whether a new action with the ID of an earlier one may be the
// same action. A resolution may have been audited as a proposal.
func repeats(earlier, now AuditAction) bool {
	return earlier == now || earlier == ActionPropose && now == ActionResolve
}

// What marks begin with that are no id of an unsigned action on an order: nobody uses up the
// id of a signed action, of a book action or of what the program notes with a note.
const (
	signedMark  = "signed "  // a signed action on an order
	bookedMark  = "book "    // a book action: see bookMark
	ignoredMark = "ignored " // a message that was ignored
	refusedMark = "refused " // a start that was refused
)

var ownMarks = []string{signedMark, bookedMark, ignoredMark, refusedMark}

// earlier returns the audit entry of the same action, if there is one. The mark of
// an entry is the action's ID.
func (t tx) earlier(ctx context.Context, h *held, e entry) (row auditRow, found bool, err error) {
	if e.mark == "" {
		return auditRow{}, false, nil
	}
	var rows []auditRow
	err = t.List(ctx, &rows, "SELECT "+auditColumns+` FROM audit
		WHERE merchant = ? AND number = ? AND chain = 'order' AND mark = ? ORDER BY seq LIMIT 1`, h.Merchant, h.Number, sanitizeText(e.mark))
	if err != nil || len(rows) == 0 {
		return auditRow{}, false, err
	}
	return rows[0], true, rows[0].open(rowTexts{key: h.key, instead: Erased})
}

// sent reports whether the gateway may have received a create of the locked order.
// If AskFirst is set, the gateway may have the order from an unrecorded create,
// until an attempt was started after that time: every attempt queries first.
func (t tx) sent(ctx context.Context, h *held) (bool, error) {
	var attempts struct {
		Heard int `db:"heard"`
		Asked int `db:"asked"`
	}
	err := t.Get(ctx, &attempts, `
		SELECT COUNT(CASE WHEN NOT `+notSent+` THEN 1 END) AS heard, COUNT(CASE WHEN started_at >= ? THEN 1 END) AS asked
		FROM submissions WHERE order_id = ?`, unixMilli(h.AskFirst), h.id)
	unasked := rules.Sendable(h.State) && !h.AskFirst.IsZero() && attempts.Asked == 0
	return attempts.Heard > 0 || unasked, err
}

// unixMilli returns the time as columns store it. The zero time is 0.
func unixMilli(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

// end ends an order that was never sent, and releases its reservation.
func (t tx) end(ctx context.Context, h *held, to order.State, e entry) error {
	var release []Transfer
	if h.State == order.Reserved || h.State == order.Submitting && h.Kind == order.Withdrawal {
		missing, err := t.missingReservation(ctx, h)
		if err != nil {
			return err
		}
		release = append(missing, Transfer{Reason: ReasonRelease, From: AccountInFlight, To: AccountAvailable, Amount: h.Reservation()})
	}
	if err := t.move(ctx, h, to, e); err != nil {
		return err
	}
	return t.bookAll(ctx, *h, release)
}

// funded returns the next state of an approved withdrawal: reserved,
// awaiting_funds or failed, with the reason.
func (h *held) funded(available int64) (order.State, order.Reason) {
	row := orderRow{Currency: h.Amount.Currency(), Amount: h.Amount.Minor(), ExpectedFee: h.ExpectedFee.Minor()}
	if h.WaitsForFunds || !h.AskFirst.IsZero() { // an order with AskFirst fails only after a query
		row.WaitsForFunds = 1
	}
	row.applyFunds(available)
	return row.State, order.Reason{Code: row.ReasonCode, Text: row.ReasonText}
}

// Reserve reserves the amount and the expected fee of a withdrawal in awaiting_funds if the
// available balance covers both. Otherwise, and in any other state, the order is returned
// unchanged. With an authority, an order whose state the audit does not prove goes to review
// instead: see unproven. ErrNotFound if there is no order of the key; ErrSealUnknown.
func (l *Ledger) Reserve(ctx context.Context, key order.Key) (order.Order, error) {
	l.refresh()
	return l.change(ctx, key, func(t tx, h *held) error {
		if h.State != order.AwaitingFunds {
			return nil
		}
		books, err := t.books(ctx, h.Merchant, h.Amount.Currency(), t.ForUpdate)
		if err != nil || books.Available < h.Reservation().Minor() {
			return err
		}
		unproven, err := t.unproven(ctx, h)
		if err != nil {
			return err
		}
		if unproven.Code != "" {
			return t.toReview(ctx, h, unproven)
		}
		h.Reason = order.Reason{}
		if err := t.move(ctx, h, order.Reserved, entry{action: ActionReserve, source: FromFunds}); err != nil {
			return err
		}
		return t.bookAll(ctx, *h, reservation(h.Order))
	})
}

// FailFunds fails a withdrawal whose deadline for funds has passed. Before the
// recorded deadline it changes nothing and returns the time left. An order without
// a recorded deadline has the given one, counted from its opening. FailFunds does
// not end an order that the gateway may have before the gateway was queried
// (rules.Unasked). Any other order is returned unchanged. ErrNotFound if there is
// no order of the key.
func (l *Ledger) FailFunds(ctx context.Context, key order.Key, deadline time.Duration) (o order.Order, left time.Duration, err error) {
	o, err = l.change(ctx, key, func(t tx, h *held) error {
		if left = 0; h.State != order.AwaitingFunds {
			return nil
		}
		due := h.FundsBefore
		switch {
		case !h.WaitsForFunds: // it waits only until the gateway is queried
			due = h.CreatedAt
		case due.IsZero():
			due = h.CreatedAt.Add(deadline)
		}
		if left = due.Sub(t.At); left > 0 || rules.Unasked(h.Order) {
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

// RejectUnanswered rejects an order that nobody approved in time. Before the
// recorded deadline it changes nothing and returns the time left. It does not end
// an order that the gateway may have before the gateway was queried
// (rules.Unasked). Any other order is returned unchanged. ErrNotFound if there is
// no order of the key.
func (l *Ledger) RejectUnanswered(ctx context.Context, key order.Key) (o order.Order, left time.Duration, err error) {
	o, err = l.change(ctx, key, func(t tx, h *held) error {
		if left = 0; h.State != order.AwaitingApproval {
			return nil
		}
		if left = h.ApproveBefore.Sub(t.At); left > 0 || rules.Unasked(h.Order) {
			left = max(left, 0)
			return nil
		}
		left = 0
		if h.ApproveBefore.After(h.CreatedAt) { // otherwise the policy refused it, and the reason is recorded
			h.Reason = order.Reason{Code: order.CodeApprovalTooLate, Text: "nobody approved it in time"}
		}
		return t.end(ctx, h, order.Rejected, entry{action: ActionUnanswered, source: FromDeadline, reason: h.Reason})
	})
	return o, left, err
}

// HoldForFunds records that the gateway refused an order's create because the
// merchant's balance at the gateway does not cover it. A query has proved that the
// gateway does not have the order. An unknown order becomes submitting with the
// reason; it is sent again once there is money. A submitting order keeps its state
// and gets the reason. The reservation is kept. Any other order is returned
// unchanged. ErrNotFound if there is no order of the key.
//
// It may be called after every query. It writes only changes, and audits only a
// new state or a new code.
func (l *Ledger) HoldForFunds(ctx context.Context, key order.Key, reason order.Reason) (order.Order, error) {
	reason.Text = sanitizeText(reason.Text)
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

// change runs do, which the orchestrator does without a person, on the locked
// order.
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

// personReason returns a person's text as a reason.
func personReason(code, text string) order.Reason { return order.Reason{Code: code, Text: text} }

// by returns the reason of an order that a person ended: the person's name and
// text.
func by(e entry) order.Reason {
	return order.Reason{Code: e.reason.Code, Text: sanitizeText("by " + e.actor + ": " + e.reason.Text)}
}
