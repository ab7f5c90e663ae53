package order

import (
	"strings"
	"time"
)

// What a person may do to an order, as data. Each action says by Permit
// whether it may be done to an order as it stands; Permit is pure, returns nil
// when it may, and is asked by whoever offers the action and again by the
// ledger when it is done.
//
// A text that is too long is refused with TEXT_TOO_LONG by every Permit.
//
// The ID tells a repetition of one action (a retry) from a second action: the
// same ID on the same order is done once and answered the same. It may be "".

// Approval lets an order go ahead that waits for a second person.
type Approval struct {
	ID          string `json:"id,omitempty"`
	By          string `json:"by"`            // not who requested the order
	Fingerprint string `json:"fingerprint"`   // of the order as the approver saw it, or its first eight digits or more: what is approved is what is paid
	Why         string `json:"why,omitempty"` // may be left out
}

// Rejection ends an order that waits for a second person.
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

// Poll makes an order ask the gateway, or look for its funds, at once.
type Poll struct {
	ID string `json:"id,omitempty"`
	By string `json:"by"`
}

// Adoption has an open order driven again that no workflow drives.
type Adoption struct {
	ID  string `json:"id,omitempty"`
	By  string `json:"by"`
	Run string `json:"run,omitempty"` // of the workflow that was started for it; empty: one drives it already, or nothing was tried
	// Squatted says why the workflow that has the order's id drives no order, when
	// that is why none was started.
	Squatted string `json:"squatted,omitempty"`
	// Request is what the order's workflow was started with, when the ledger does
	// not have the order: it is written down first, as one that may have been sent.
	Request *Request `json:"request,omitempty"`
}

// Permit says whether the approval may be given at this moment. The codes are
// WHO_MISSING, ORDER_ENDED, APPROVAL_TOO_LATE, NOT_AWAITING_APPROVAL,
// SAME_PERSON and FINGERPRINT_MISMATCH.
func (a Approval) Permit(o Order, at time.Time) *Refusal {
	if refusal := a.TooLong(); refusal != nil {
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
		return Refuse(CodeSamePerson, "%s requested order %s; another person must approve it", strings.TrimSpace(a.By), o.Number)
	}
	if !beginsFingerprint(a.Fingerprint, o.Fingerprint) {
		return Refuse(CodeFingerprintMismatch, "the approval is for other content than order %s has; look at the order again and approve its fingerprint", o.Number)
	}
	return nil
}

// leastFingerprint is how many digits of a fingerprint name an order's content:
// the order is known by its number, and its content never changes.
const leastFingerprint = 8

// ShortFingerprint is the beginning of a fingerprint, for people: it is enough to
// approve the order by.
func ShortFingerprint(whole string) string { return whole[:min(len(whole), leastFingerprint)] }

// beginsFingerprint reports whether an approver means the fingerprint: the whole
// of it, or so much from its beginning as people copy.
func beginsFingerprint(given, whole string) bool {
	given = strings.ToLower(strings.TrimSpace(given))
	return len(given) >= leastFingerprint && strings.HasPrefix(whole, given)
}

// Permit says whether the rejection may be made. The codes are WHO_MISSING,
// WHY_MISSING, ORDER_ENDED, NOT_AWAITING_APPROVAL and ALREADY_SUBMITTED.
func (r Rejection) Permit(o Order) *Refusal {
	if refusal := r.TooLong(); refusal != nil {
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

// Permit says whether the order may be cancelled; sent is whether the gateway may
// have heard of a create of it. The codes are WHO_MISSING, WHY_MISSING,
// ORDER_ENDED and ALREADY_SUBMITTED.
func (c Cancellation) Permit(o Order, sent bool) *Refusal {
	if refusal := c.TooLong(); refusal != nil {
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
		return Refuse(CodeAlreadySubmitted, "order %s is %s: it may have reached the gateway, and what was sent cannot be withdrawn", o.Number, o.State)
	}
	return nil
}

// Permit says whether the note may be added. The codes are WHO_MISSING and
// WHY_MISSING.
func (n Note) Permit(Order) *Refusal {
	if refusal := n.TooLong(); refusal != nil {
		return refusal
	}
	return refuseUnsigned("a note", n.By, n.Text)
}

// Permit says whether there is anything to ask. The codes are WHO_MISSING,
// ORDER_ENDED and NOT_SUBMITTED.
func (p Poll) Permit(o Order) *Refusal {
	if refusal := p.TooLong(); refusal != nil {
		return refusal
	}
	if nobody(p.By) {
		return Refuse(CodeWhoMissing, "a question says who wants it asked")
	}
	if refusal := refuseEnded(o); refusal != nil {
		return refusal
	}
	if o.State == AwaitingApproval && !o.Unasked() {
		return Refuse(CodeNotSubmitted, "order %s waits for an approval: nothing was sent, so there is nothing to ask", o.Number)
	}
	return nil
}

// Permit says whether the order may be adopted. A run that was started for it is
// a fact, even if it has driven the order to its end by now. The codes are
// WHO_MISSING, ORDER_ENDED, NUMBER_SQUATTED and WORKFLOW_RUNNING.
func (a Adoption) Permit(o Order) *Refusal {
	if refusal := a.TooLong(); refusal != nil {
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

// Permit says whether the decision may be taken on the order. The codes are
// WHO_MISSING, WHY_MISSING, EVIDENCE_MISSING, ORDER_ENDED, NOT_IN_REVIEW, NOT_AN_END,
// FEE_OUT_OF_BOUNDS, FEE_NOT_CONFIRMED and, when two persons decide, SAME_PERSON for
// who requested the order.
func (r Resolution) Permit(o Order, twoPersons bool) *Refusal {
	if refusal := r.TooLong(); refusal != nil {
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
		return Refuse(CodeSamePerson, "%s requested order %s; two other persons resolve it", strings.TrimSpace(r.By), o.Number)
	}
	return nil
}

// Second says whether this resolution is the second person's word for a first
// one: confirms is true when it says the same end and amounts, and then the
// refusal is SAME_PERSON if it is the same person's.
func (r Resolution) Second(first Resolution) (confirms bool, refusal *Refusal) {
	part := r.State == PartiallyPaid && r.Paid.Minor() != first.Paid.Minor()
	if r.State != first.State || part || r.Fee.Minor() != first.Fee.Minor() {
		return false, nil
	}
	if SamePerson(r.By, first.By) {
		return true, Refuse(CodeSamePerson, "%s has proposed this; another person must confirm it", strings.TrimSpace(r.By))
	}
	return true, nil
}

// System is who acts when the orchestrator acts by itself. No person is called
// so: an action in that name says not who does it.
const System = "system"

// SamePerson reports whether two names mean one person: spaces around them and
// capitals make no difference. Nobody is no person.
func SamePerson(a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	return a != "" && strings.EqualFold(a, b)
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

// nobody reports whether a name says not who it is.
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
		return Refuse(CodeTerminal, "order %s has ended: %s", o.Number, o.State)
	}
	return nil
}

func notAwaiting(o Order) *Refusal {
	return Refuse(CodeNotAwaitingApproval, "order %s is %s; it does not wait for an approval", o.Number, o.State)
}
