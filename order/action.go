package order

import (
	"strings"
	"time"
)

// The actions of a person on an order. Permit returns nil if the action is allowed
// for an order in its current state, and a refusal otherwise. Permit is pure.
// Callers call it before they send the action; the ledger calls it again when it
// executes the action.
//
// Every Permit refuses a text that is too long, with TEXT_TOO_LONG.
//
// ID is an idempotency key. The ledger executes an ID once per order and gives a
// repetition the same answer. It may be "".

// Approval approves an order that waits for a second person.
type Approval struct {
	ID          string `json:"id,omitempty"`
	By          string `json:"by"`            // not who requested the order
	Fingerprint string `json:"fingerprint"`   // of the content that the approver saw: the whole, or at least its first eight digits
	Why         string `json:"why,omitempty"` // may be left out
}

// Rejection rejects an order that waits for a second person.
type Rejection struct {
	ID  string `json:"id,omitempty"`
	By  string `json:"by"`
	Why string `json:"why"`
}

// Cancellation withdraws an order before anything was sent.
type Cancellation struct {
	ID  string `json:"id,omitempty"`
	By  string `json:"by"`
	Why string `json:"why"`
}

// Note adds a remark to an order's audit, in whatever state it is.
type Note struct {
	ID   string `json:"id,omitempty"`
	By   string `json:"by"`
	Text string `json:"text"`
}

// Poll queries the gateway for the order at once, or checks at once whether its
// funds are there.
type Poll struct {
	ID string `json:"id,omitempty"`
	By string `json:"by"`
}

// Adoption starts a workflow for an open order that no workflow drives.
type Adoption struct {
	ID  string `json:"id,omitempty"`
	By  string `json:"by"`
	Run string `json:"run,omitempty"` // run id of the started workflow; empty if none was started
	// Squatted is set if no workflow was started because another one has the
	// order's workflow id. It says why that one drives no order.
	Squatted string `json:"squatted,omitempty"`
	// Request is the input of the order's workflow. It is set if the ledger does
	// not have the order. The ledger then records the order first, as one that may
	// have been sent.
	Request *Request `json:"request,omitempty"`
}

// Permit returns why the approval is refused at the given time, or nil. The codes
// are WHO_MISSING, ORDER_ENDED, APPROVAL_TOO_LATE, NOT_AWAITING_APPROVAL,
// SAME_PERSON and FINGERPRINT_MISMATCH.
func (a Approval) Permit(o Order, at time.Time) *Refusal {
	if refusal := CheckTexts(a); refusal != nil {
		return refusal
	}
	if nobody(a.By) {
		return Refuse(CodeWhoMissing, "an approval says who gives it")
	}
	if o.Unasked() && at.After(o.ApproveBefore) {
		return unasked(o)
	}
	late := o.State == AwaitingApproval && !o.ApproveBefore.IsZero() && at.After(o.ApproveBefore)
	if late || (o.State == Rejected && o.Reason.Code == CodeApprovalTooLate) {
		return Refuse(CodeApprovalTooLate, "the approval of order %s was due by %s; request it anew under another number", o.Number, SayTime(o.ApproveBefore))
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	if o.State != AwaitingApproval {
		return notAwaiting(o)
	}
	if SamePerson(a.By, o.RequestedBy) {
		return Refuse(CodeSamePerson, "%s requested order %s; another person must approve it", o.RequestedBy, o.Number)
	}
	if !beginsFingerprint(a.Fingerprint, o.Fingerprint) {
		return Refuse(CodeFingerprintMismatch, "the approval is for other content than order %s has; look at the order again and approve its fingerprint", o.Number)
	}
	return nil
}

// leastFingerprint is the minimum of digits by which a fingerprint is named. So
// few suffice, because the number names the order and its content never changes.
const leastFingerprint = 8

// ShortFingerprint returns the beginning of a fingerprint, for people. It is
// enough for an approval.
func ShortFingerprint(whole string) string { return whole[:min(len(whole), leastFingerprint)] }

// beginsFingerprint reports whether given is the whole fingerprint, or its
// beginning of at least leastFingerprint digits.
func beginsFingerprint(given, whole string) bool {
	given = strings.ToLower(strings.TrimSpace(given))
	return len(given) >= leastFingerprint && strings.HasPrefix(whole, given)
}

// Permit returns why the rejection is refused, or nil. The codes are WHO_MISSING,
// WHY_MISSING, ORDER_ENDED, NOT_AWAITING_APPROVAL and ALREADY_SUBMITTED.
func (r Rejection) Permit(o Order) *Refusal {
	if refusal := CheckTexts(r); refusal != nil {
		return refusal
	}
	if refusal := refuseUnsigned("a rejection", r.By, r.Why); refusal != nil {
		return refusal
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	if o.State != AwaitingApproval {
		return notAwaiting(o)
	}
	if o.Unasked() {
		return unasked(o)
	}
	return nil
}

// unasked refuses to end an order that the gateway may have.
func unasked(o Order) *Refusal {
	return Refuse(CodeAlreadySubmitted, "order %s may be at the gateway: an older copy of the ledger was restored, or another workflow took the order over. "+
		"The gateway is being asked; try again in a few minutes", o.Number)
}

// Permit returns why the cancellation is refused, or nil. sent says that the
// gateway may have received a create of the order. The codes are WHO_MISSING,
// WHY_MISSING, ORDER_ENDED and ALREADY_SUBMITTED.
func (c Cancellation) Permit(o Order, sent bool) *Refusal {
	if refusal := CheckTexts(c); refusal != nil {
		return refusal
	}
	if refusal := refuseUnsigned("a cancellation", c.By, c.Why); refusal != nil {
		return refusal
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	if o.Unasked() {
		return unasked(o)
	}
	if sent || !CanMove(o.Kind, o.State, Cancelled) {
		return Refuse(CodeAlreadySubmitted, "order %s is %s: it may have reached the gateway, and what was sent cannot be withdrawn. Wait for its end: starter status %s --merchant %s --wait",
			o.Number, o.State, o.Number, o.Merchant)
	}
	return nil
}

// Permit returns why the note is refused, or nil. The codes are WHO_MISSING and
// WHY_MISSING.
func (n Note) Permit(_ Order) *Refusal {
	if refusal := CheckTexts(n); refusal != nil {
		return refusal
	}
	return refuseUnsigned("a note", n.By, n.Text)
}

// Permit returns why the poll is refused, or nil. The codes are WHO_MISSING,
// ORDER_ENDED and NOT_SUBMITTED.
func (p Poll) Permit(o Order) *Refusal {
	if refusal := CheckTexts(p); refusal != nil {
		return refusal
	}
	if nobody(p.By) {
		return Refuse(CodeWhoMissing, "a poll must name who requests it")
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	if o.State == AwaitingApproval && !o.Unasked() {
		return Refuse(CodeNotSubmitted, "order %s waits for an approval: nothing was sent, so there is nothing to ask", o.Number)
	}
	return nil
}

// Permit returns why the adoption is refused, or nil. If Run is set, it is allowed
// even if the order has ended meanwhile, because its workflow was started. The
// codes are WHO_MISSING, ORDER_ENDED, NUMBER_SQUATTED and WORKFLOW_RUNNING.
func (a Adoption) Permit(o Order) *Refusal {
	if refusal := CheckTexts(a); refusal != nil {
		return refusal
	}
	if nobody(a.By) {
		return Refuse(CodeWhoMissing, "an adoption says who makes it")
	}
	if a.Run != "" {
		return nil
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	if a.Squatted != "" {
		return Refuse(CodeNumberSquatted, "%s", a.Squatted)
	}
	return Refuse(CodeWorkflowRunning, "a workflow drives order %s; there is nothing to adopt", o.Number)
}

// Permit returns why the resolution is refused, or nil. The codes are WHO_MISSING,
// WHY_MISSING, EVIDENCE_MISSING, ORDER_ENDED, NOT_IN_REVIEW, NOT_AN_END,
// FEE_OUT_OF_BOUNDS, FEE_NOT_CONFIRMED and, when two persons decide, SAME_PERSON
// for who requested the order.
func (r Resolution) Permit(o Order, twoPersons bool) *Refusal {
	if refusal := CheckTexts(r); refusal != nil {
		return refusal
	}
	if refusal := r.unproved(); refusal != nil {
		return refusal
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	if refusal := r.check(o.Request, o.State); refusal != nil {
		return refusal
	}
	if twoPersons && SamePerson(r.By, o.RequestedBy) {
		return Refuse(CodeSamePerson, "%s requested order %s; two other persons must resolve it", o.RequestedBy, o.Number)
	}
	return nil
}

// Second compares this resolution with the first person's. confirms is true if
// state and amounts are the same. If it confirms and is the same person's, the
// refusal is SAME_PERSON. If it differs and is another person's, the refusal is
// PROPOSAL_DIFFERS, unless the resolution says that it replaces the proposal.
func (r Resolution) Second(first Resolution) (confirms bool, refusal *Refusal) {
	part := r.State == PartiallyPaid && r.Paid.Minor() != first.Paid.Minor()
	if r.State != first.State || part || r.Fee.Minor() != first.Fee.Minor() {
		if r.Replace || SamePerson(r.By, first.By) {
			return false, nil
		}
		return false, Refuse(CodeProposalDiffers, "%s has proposed %s, and this says %s: confirm the proposal alike, or say that this one replaces it (replace)",
			first.By, first.outcomeWithFee(), r.outcomeWithFee())
	}
	if SamePerson(r.By, first.By) {
		return true, Refuse(CodeSamePerson, "%s has proposed this; another person must confirm it", first.By)
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

func refuseUnsigned(what, by, why string) *Refusal {
	if nobody(by) {
		return Refuse(CodeWhoMissing, "%s says who makes it", what)
	}
	if blank(why) {
		return Refuse(CodeWhyMissing, "%s says why, in a sentence", what)
	}
	return nil
}

func refuseEnded(o Order) *Refusal {
	if o.State.Terminal() {
		return Refuse(CodeTerminal, "order %s has ended: %s; look at it with starter show %s --merchant %s. Money that moved otherwise is booked with starter adjust",
			o.Number, o.State, o.Number, o.Merchant)
	}
	return nil
}

func notAwaiting(o Order) *Refusal {
	return Refuse(CodeNotAwaitingApproval, "order %s is %s; it does not wait for an approval", o.Number, o.State)
}
