package order

import "slices"

// State is an order's state. The gateway's numbers stay in package tarspay;
// rules.Judge translates them.
type State string

// Open states. Money may still move.
const (
	Created          State = "created"           // known to us, nothing reserved, nothing sent
	AwaitingApproval State = "awaiting_approval" // waits for a second person
	Scheduled        State = "scheduled"         // waits for its time; nothing reserved, nothing sent
	AwaitingFunds    State = "awaiting_funds"    // waits until the balance covers it
	Reserved         State = "reserved"          // withdrawal: funds set aside, nothing sent
	Submitting       State = "submitting"        // a create is being sent, or an open breaker holds it back
	Unknown          State = "unknown"           // a create was sent and its outcome is not known
	Submitted        State = "submitted"         // the gateway has the order
	InReview         State = "in_review"         // no proof within the horizon, or proof that contradicts: a person decides
)

// Terminal states. The only move out of them is to Refunded, after a payment.
const (
	Succeeded     State = "succeeded"
	PartiallyPaid State = "partially_paid" // deposit: the payer paid less than asked
	Failed        State = "failed"         // refused or failed at the gateway, or no funds
	Rejected      State = "rejected"       // refused by us
	Expired       State = "expired"        // deposit: not paid in time
	Cancelled     State = "cancelled"      // withdrawn before anything was sent
	Refunded      State = "refunded"       // paid (in full, in part or late), then returned
)

// States lists every state, open ones first, in the order of an order's life.
func States() []State {
	return []State{
		Created, AwaitingApproval, Scheduled, AwaitingFunds, Reserved, Submitting, Unknown, Submitted, InReview,
		Succeeded, PartiallyPaid, Failed, Rejected, Expired, Cancelled, Refunded,
	}
}

// Terminal reports whether the order has ended.
func (s State) Terminal() bool {
	return slices.Contains([]State{Succeeded, PartiallyPaid, Failed, Rejected, Expired, Cancelled, Refunded}, s)
}
