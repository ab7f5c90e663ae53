package rules

import (
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/saytime"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Each Permit function returns nil if an action is allowed for an order in its current
// state, and a refusal otherwise. Callers call it before they send the action; the
// ledger calls it again when it executes the action. Each refuses a text that is too
// long, with TEXT_TOO_LONG.

// PermitApproval returns why the approval is refused at the given time, or nil. The codes
// are WHO_MISSING, ORDER_ENDED, APPROVAL_TOO_LATE, NOT_AWAITING_APPROVAL,
// SAME_PERSON and FINGERPRINT_MISMATCH.
func PermitApproval(a order.Approval, o order.Order, at time.Time) *order.Refusal {
	if refusal := order.CheckTexts(a); refusal != nil {
		return refusal
	}
	if nobody(a.By) {
		return order.Refuse(order.CodeWhoMissing, "an approval says who gives it")
	}
	if Unasked(o) && at.After(o.ApproveBefore) {
		return unasked(o)
	}
	late := o.State == order.AwaitingApproval && !o.ApproveBefore.IsZero() && at.After(o.ApproveBefore)
	if late || (o.State == order.Rejected && o.Reason.Code == order.CodeApprovalTooLate) {
		return order.Refuse(order.CodeApprovalTooLate, "the approval of order %s was due by %s; request it anew under another number", o.Number, saytime.Say(o.ApproveBefore))
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	if o.State != order.AwaitingApproval {
		return notAwaiting(o)
	}
	if SamePerson(a.By, o.RequestedBy) {
		return order.Refuse(codes.SamePerson, "%s requested order %s; another person must approve it", o.RequestedBy, o.Number)
	}
	if !BeginsFingerprint(a.Fingerprint, o.Fingerprint) {
		return order.Refuse(codes.FingerprintMismatch, "the approval is for other content than order %s has; look at the order again and approve its fingerprint", o.Number)
	}
	return nil
}

// leastFingerprint is the minimum of digits by which a fingerprint is named. So
// few suffice, because the number names the order and its content never changes.
const leastFingerprint = 8

// ShortFingerprint returns the beginning of a fingerprint, for people. It is
// enough for an approval.
func ShortFingerprint(whole string) string { return whole[:min(len(whole), leastFingerprint)] }

// BeginsFingerprint reports whether given is the whole fingerprint, or its
// beginning of at least leastFingerprint digits.
func BeginsFingerprint(given, whole string) bool {
	given = strings.ToLower(strings.TrimSpace(given))
	return len(given) >= leastFingerprint && strings.HasPrefix(whole, given)
}

// PermitRejection returns why the rejection is refused, or nil. The codes are WHO_MISSING,
// WHY_MISSING, ORDER_ENDED, NOT_AWAITING_APPROVAL and ALREADY_SUBMITTED.
func PermitRejection(r order.Rejection, o order.Order) *order.Refusal {
	if refusal := order.CheckTexts(r); refusal != nil {
		return refusal
	}
	if refusal := refuseUnsigned("a rejection", r.By, r.Why); refusal != nil {
		return refusal
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	if o.State != order.AwaitingApproval {
		return notAwaiting(o)
	}
	if Unasked(o) {
		return unasked(o)
	}
	return nil
}

// unasked refuses to end an order that the gateway may have.
func unasked(o order.Order) *order.Refusal {
	return order.Refuse(order.CodeAlreadySubmitted, "order %s may be at the gateway: an older copy of the ledger was restored, or another workflow took the order over. "+
		"The gateway is being asked; try again in a few minutes", o.Number)
}

// PermitCancellation returns why the cancellation is refused, or nil. sent says that the
// gateway may have received a create of the order. The codes are WHO_MISSING,
// WHY_MISSING, ORDER_ENDED and ALREADY_SUBMITTED.
func PermitCancellation(c order.Cancellation, o order.Order, sent bool) *order.Refusal {
	if refusal := order.CheckTexts(c); refusal != nil {
		return refusal
	}
	if refusal := refuseUnsigned("a cancellation", c.By, c.Why); refusal != nil {
		return refusal
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	if Unasked(o) {
		return unasked(o)
	}
	if sent || !CanMove(o.Kind, o.State, order.Cancelled) {
		return order.Refuse(order.CodeAlreadySubmitted, "order %s is %s: it may have reached the gateway, and what was sent cannot be withdrawn. Wait for its end: starter status %s --merchant %s --wait",
			o.Number, o.State, o.Number, o.Merchant)
	}
	return nil
}

// PermitNote returns why the note is refused, or nil. The codes are WHO_MISSING and
// WHY_MISSING.
func PermitNote(n order.Note, _ order.Order) *order.Refusal {
	if refusal := order.CheckTexts(n); refusal != nil {
		return refusal
	}
	return refuseUnsigned("a note", n.By, n.Text)
}

// PermitPoll returns why the poll is refused, or nil. The codes are WHO_MISSING,
// ORDER_ENDED and NOT_SUBMITTED.
func PermitPoll(p order.Poll, o order.Order) *order.Refusal {
	if refusal := order.CheckTexts(p); refusal != nil {
		return refusal
	}
	if nobody(p.By) {
		return order.Refuse(order.CodeWhoMissing, "a poll must name who requests it")
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	switch {
	case Unasked(o):
	case o.State == order.AwaitingApproval:
		return order.Refuse(codes.NotSubmitted, "order %s waits for an approval: nothing was sent, so there is nothing to ask", o.Number)
	case o.State == order.Scheduled:
		return order.Refuse(codes.NotSubmitted, "order %s is sent from %s on: nothing was sent, so there is nothing to ask", o.Number, saytime.Say(o.ReleaseAt))
	}
	return nil
}

// PermitAdoption returns why the adoption is refused, or nil. If Run is set, it is allowed
// even if the order has ended meanwhile, because its workflow was started. The
// codes are WHO_MISSING, ORDER_ENDED, NUMBER_SQUATTED and WORKFLOW_RUNNING.
func PermitAdoption(a order.Adoption, o order.Order) *order.Refusal {
	if refusal := order.CheckTexts(a); refusal != nil {
		return refusal
	}
	if nobody(a.By) {
		return order.Refuse(order.CodeWhoMissing, "an adoption says who makes it")
	}
	if a.Run != "" {
		return nil
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	if a.Squatted != "" {
		return order.Refuse(order.CodeNumberSquatted, "%s", a.Squatted)
	}
	return order.Refuse(codes.WorkflowRunning, "a workflow drives order %s; there is nothing to adopt", o.Number)
}

// PermitResolution returns why the resolution is refused, or nil. The codes are WHO_MISSING,
// WHY_MISSING, EVIDENCE_MISSING, ORDER_ENDED, NOT_IN_REVIEW, NOT_AN_END,
// FEE_OUT_OF_BOUNDS, FEE_NOT_CONFIRMED and, when two persons decide, SAME_PERSON
// for who requested the order.
func PermitResolution(r order.Resolution, o order.Order, twoPersons bool) *order.Refusal {
	if refusal := order.CheckTexts(r); refusal != nil {
		return refusal
	}
	if refusal := unproved(r); refusal != nil {
		return refusal
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	if refusal := checkResolution(r, o.Request, o.State); refusal != nil {
		return refusal
	}
	if twoPersons && SamePerson(r.By, o.RequestedBy) {
		return order.Refuse(codes.SamePerson, "%s requested order %s; two other persons must resolve it", o.RequestedBy, o.Number)
	}
	return nil
}

// Second compares this resolution with the first person's. confirms is true if
// state and amounts are the same. If it confirms and is the same person's, the
// refusal is SAME_PERSON. If it differs and is another person's, the refusal is
// PROPOSAL_DIFFERS, unless the resolution says that it replaces the proposal.
func Second(r order.Resolution, first order.Resolution) (confirms bool, refusal *order.Refusal) {
	part := r.State == order.PartiallyPaid && r.Paid.Minor() != first.Paid.Minor()
	if r.State != first.State || part || r.Fee.Minor() != first.Fee.Minor() {
		if r.Replace || SamePerson(r.By, first.By) {
			return false, nil
		}
		return false, order.Refuse(codes.ProposalDiffers, "%s has proposed %s, and this says %s: confirm the proposal alike, or say that this one replaces it (replace)",
			first.By, outcomeWithFee(first), outcomeWithFee(r))
	}
	if SamePerson(r.By, first.By) {
		return true, order.Refuse(codes.SamePerson, "%s has proposed this; another person must confirm it", first.By)
	}
	return true, nil
}

// System is the actor of what the orchestrator does itself. No person may use the
// name: an action by "system" is refused as one without a name.
const System = "system"

// SamePerson reports whether two names mean one person. It ignores case and
// surrounding spaces. An empty name equals no name.
func SamePerson(a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	return a != "" && strings.EqualFold(a, b)
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

// nobody reports whether a name is blank or System.
func nobody(by string) bool { return blank(by) || SamePerson(by, System) }

func refuseUnsigned(what, by, why string) *order.Refusal {
	if nobody(by) {
		return order.Refuse(order.CodeWhoMissing, "%s says who makes it", what)
	}
	if blank(why) {
		return order.Refuse(order.CodeWhyMissing, "%s says why, in a sentence", what)
	}
	return nil
}

func refuseEnded(o order.Order) *order.Refusal {
	if o.State.Terminal() {
		return order.Refuse(order.CodeTerminal, "order %s has ended: %s; look at it with starter show %s --merchant %s. Money that moved otherwise is booked with starter adjust",
			o.Number, o.State, o.Number, o.Merchant)
	}
	return nil
}

func notAwaiting(o order.Order) *order.Refusal {
	return order.Refuse(codes.NotAwaitingApproval, "order %s is %s; it does not wait for an approval", o.Number, o.State)
}
