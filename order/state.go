package order

import "slices"

// State is an order's state. The gateway's numbers stay in package tarspay; Judge
// translates them.
type State string

// Open states. Money may still move.
const (
	Created          State = "created"           // known to us, nothing reserved, nothing sent
	AwaitingApproval State = "awaiting_approval" // waits for a second person
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

// Move is one allowed change of state.
type Move struct {
	From, To State
	Kinds    []Kind // the kinds of order that may make it
	Why      string // what has happened when it is made
}

var (
	both       = []Kind{Deposit, Withdrawal}
	deposit    = []Kind{Deposit}
	withdrawal = []Kind{Withdrawal}
)

// Moves is the state table. A move that it does not list is forbidden. SQL,
// workflows and docs are tested against it.
var Moves = []Move{
	{Created, AwaitingApproval, both, "a rule asks for a second person"},
	{Created, AwaitingFunds, withdrawal, "the balance is short and the policy is to wait"},
	{Created, Reserved, withdrawal, "funds set aside"},
	{Created, Submitting, deposit, "the first create is about to be sent"},
	{Created, Failed, withdrawal, "the balance is short and the policy is to fail"},
	{Created, Rejected, both, "a rule of ours refuses it"},
	{Created, Cancelled, both, "withdrawn before anything was sent"},

	{AwaitingApproval, AwaitingFunds, withdrawal, "approved, the balance is short"},
	{AwaitingApproval, Reserved, withdrawal, "approved, funds set aside"},
	{AwaitingApproval, Created, deposit, "approved: it may be sent"},
	{AwaitingApproval, Failed, withdrawal, "approved, the balance is short and the policy is to fail"},
	{AwaitingApproval, Rejected, both, "the approver refuses, or nobody answered in time"},
	{AwaitingApproval, Cancelled, both, "withdrawn before anything was sent"},

	{AwaitingFunds, Reserved, withdrawal, "funds arrived and are set aside"},
	{AwaitingFunds, Failed, withdrawal, "no funds before the deadline"},
	{AwaitingFunds, Cancelled, withdrawal, "withdrawn before anything was sent"},

	{Reserved, Submitting, withdrawal, "the first create is about to be sent"},
	{Reserved, Cancelled, withdrawal, "withdrawn before anything was sent"},

	{Submitting, Submitted, both, "the gateway accepted it"},
	{Submitting, Unknown, both, "the create has no certain outcome"},
	{Submitting, Failed, both, "the gateway refused it for certain"},
	{Submitting, Succeeded, both, "proof of payment came before the create's answer"},
	{Submitting, PartiallyPaid, deposit, "proof of part payment came before the create's answer"},
	{Submitting, Expired, deposit, "the gateway says it expired"},
	{Submitting, Cancelled, both, "withdrawn, and no create of it was received by the gateway"},
	{Submitting, InReview, both, "no proof within the horizon, or proof that contradicts"},

	{Unknown, Submitting, both, "proved absent: the same number is sent again"},
	{Unknown, Submitted, both, "found at the gateway"},
	{Unknown, Succeeded, both, "proof of payment"},
	{Unknown, PartiallyPaid, deposit, "proof of part payment"},
	{Unknown, Failed, both, "proof of failure"},
	{Unknown, Expired, deposit, "the gateway says it expired"},
	{Unknown, InReview, both, "no proof within the horizon, or proof that contradicts"},

	{Submitted, Succeeded, both, "proof of payment"},
	{Submitted, PartiallyPaid, deposit, "proof of part payment"},
	{Submitted, Failed, both, "proof of failure"},
	{Submitted, Expired, deposit, "the gateway says it expired"},
	{Submitted, InReview, both, "no proof within the horizon, or proof that contradicts"},

	{InReview, Succeeded, both, "proof of payment, or an operator with evidence"},
	{InReview, PartiallyPaid, deposit, "proof of part payment, or an operator with evidence"},
	{InReview, Failed, both, "proof of failure, or an operator with evidence"},
	{InReview, Expired, deposit, "the gateway says it expired"},

	{Succeeded, Refunded, both, "the gateway returned the money afterwards"},
	{PartiallyPaid, Refunded, deposit, "the gateway returned the part payment afterwards"},
	{Expired, Refunded, deposit, "the gateway returned the late payment that was credited"},
}

// States lists every state, open ones first, in the order of an order's life.
func States() []State {
	return []State{
		Created, AwaitingApproval, AwaitingFunds, Reserved, Submitting, Unknown, Submitted, InReview,
		Succeeded, PartiallyPaid, Failed, Rejected, Expired, Cancelled, Refunded,
	}
}

// Terminal reports whether the order has ended.
func (s State) Terminal() bool {
	return slices.Contains([]State{Succeeded, PartiallyPaid, Failed, Rejected, Expired, Cancelled, Refunded}, s)
}

// Sendable reports whether a create may still be sent: there is no proof that the
// gateway has the order, and none that it refused it.
func (s State) Sendable() bool {
	return slices.Contains([]State{Created, Reserved, Submitting, Unknown}, s)
}

// Unsent reports whether the order is open and no create was ever sent.
func (s State) Unsent() bool {
	return slices.Contains([]State{Created, AwaitingApproval, AwaitingFunds, Reserved}, s)
}

// Uncleared reports whether the order waits for an approval, or for funds in the
// ledger.
func (s State) Uncleared() bool { return s == AwaitingApproval || s == AwaitingFunds }

// NeedsReview reports whether the order waits for a person.
func (s State) NeedsReview() bool { return s == InReview || s == AwaitingApproval }

// CanMove reports whether the table allows an order of this kind to go from
// one state to another.
func CanMove(kind Kind, from, to State) bool {
	return slices.ContainsFunc(Moves, func(m Move) bool {
		return m.From == from && m.To == to && slices.Contains(m.Kinds, kind)
	})
}

// Precedes reports whether moves lead from earlier to later, and none lead back.
func Precedes(kind Kind, earlier, later State) bool {
	return leads(kind, earlier, later) && !leads(kind, later, earlier)
}

// leads reports whether a sequence of moves leads from one state to another.
func leads(kind Kind, from, to State) bool {
	seen, next := map[State]bool{}, []State{from}
	for len(next) > 0 {
		at := next[0]
		next = next[1:]
		for _, m := range Moves {
			if m.From != at || seen[m.To] || !slices.Contains(m.Kinds, kind) {
				continue
			}
			if m.To == to {
				return true
			}
			seen[m.To] = true
			next = append(next, m.To)
		}
	}
	return false
}

// Sources lists the states that have a move to the given state.
func Sources(kind Kind, to State) []State {
	var sources []State
	for _, m := range Moves {
		if m.To == to && slices.Contains(m.Kinds, kind) {
			sources = append(sources, m.From)
		}
	}
	return sources
}
