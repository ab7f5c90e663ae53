// Package rules has the tables that decide about orders: the allowed moves between
// states, what a finding does to an order, what proves a payment, the approval policy,
// and which actions of a person are allowed.
//
// It is pure: it reads no clock, does no I/O, and uses no SQL, HTTP or Temporal.
package rules

import (
	"slices"

	"github.com/tarspay-payouts/orchestrator/order"
)

// LacksGatewayFunds reports whether the gateway refused the order because of a
// short balance, is proved not to have it, and nothing was sent since.
func LacksGatewayFunds(s order.Standing) bool {
	return s.State == order.Submitting && s.Reason.Code == order.CodeGatewayShort
}

// NeedsPerson reports whether the order waits for a person: to decide, to pay money
// in, or to correct the merchant's access to the gateway.
func NeedsPerson(s order.Standing) bool {
	paused := Sendable(s.State) && s.Reason.Code == order.CodeGatewayPaused
	return paused || NeedsReview(s.State) || s.State == order.AwaitingFunds || LacksGatewayFunds(s)
}

// Unwritten reports whether the order was refused before it was written to the
// ledger.
func Unwritten(s order.Standing) bool {
	return s.State == order.Rejected && slices.Contains([]string{order.CodeInvalidRequest, order.CodeUnknownMerchant, order.CodeOrderConflict, order.CodeNumberTwin}, s.Reason.Code)
}

// Unasked reports whether the gateway must be queried before the order is ended.
// It is true for an order that waits for an approval, for its time or for funds although
// the gateway may have it, because the ledger may be older than a create.
func Unasked(o order.Order) bool {
	return !o.AskFirst.IsZero() && Uncleared(o.State)
}

// Move is one allowed change of state.
type Move struct {
	From, To order.State
	Kinds    []order.Kind // the kinds of order that may make it
	Why      string       // what has happened when it is made
}

var (
	both       = []order.Kind{order.Deposit, order.Withdrawal}
	deposit    = []order.Kind{order.Deposit}
	withdrawal = []order.Kind{order.Withdrawal}
)

// Moves is the state table. A move that it does not list is forbidden. SQL,
// workflows and docs are tested against it.
var Moves = []Move{
	{order.Created, order.AwaitingApproval, both, "a rule asks for a second person"},
	{order.Created, order.Scheduled, both, "its time has not come"},
	{order.Created, order.AwaitingFunds, withdrawal, "the balance is short and the policy is to wait"},
	{order.Created, order.Reserved, withdrawal, "funds set aside"},
	{order.Created, order.Submitting, deposit, "the first create is about to be sent"},
	{order.Created, order.Failed, withdrawal, "the balance is short and the policy is to fail"},
	{order.Created, order.Rejected, both, "a rule of ours refuses it"},
	{order.Created, order.Cancelled, both, "withdrawn before anything was sent"},

	{order.AwaitingApproval, order.Scheduled, both, "approved, and it is released at its time"},
	{order.AwaitingApproval, order.AwaitingFunds, withdrawal, "approved, the balance is short"},
	{order.AwaitingApproval, order.Reserved, withdrawal, "approved, funds set aside"},
	{order.AwaitingApproval, order.Created, deposit, "approved: it may be sent"},
	{order.AwaitingApproval, order.Failed, withdrawal, "approved, the balance is short and the policy is to fail"},
	{order.AwaitingApproval, order.Rejected, both, "the approver refuses, or nobody answered in time"},
	{order.AwaitingApproval, order.Cancelled, both, "withdrawn before anything was sent"},

	{order.Scheduled, order.AwaitingApproval, both, "its time has come, and a limit of the day asks for a second person"},
	{order.Scheduled, order.AwaitingFunds, withdrawal, "its time has come, the balance is short"},
	{order.Scheduled, order.Reserved, withdrawal, "its time has come, funds set aside"},
	{order.Scheduled, order.Created, deposit, "its time has come: it may be sent"},
	{order.Scheduled, order.Failed, withdrawal, "its time has come, the balance is short and the policy is to fail"},
	{order.Scheduled, order.Rejected, both, "its time has come, and a limit of the day refuses it"},
	{order.Scheduled, order.Cancelled, both, "withdrawn before anything was sent"},

	{order.AwaitingFunds, order.Reserved, withdrawal, "funds arrived and are set aside"},
	{order.AwaitingFunds, order.Failed, withdrawal, "no funds before the deadline"},
	{order.AwaitingFunds, order.Cancelled, withdrawal, "withdrawn before anything was sent"},

	{order.Reserved, order.Submitting, withdrawal, "the first create is about to be sent"},
	{order.Reserved, order.Cancelled, withdrawal, "withdrawn before anything was sent"},

	{order.Submitting, order.Submitted, both, "the gateway accepted it"},
	{order.Submitting, order.Unknown, both, "the create has no certain outcome"},
	{order.Submitting, order.Failed, both, "the gateway refused it for certain"},
	{order.Submitting, order.Succeeded, both, "proof of payment came before the create's answer"},
	{order.Submitting, order.PartiallyPaid, deposit, "proof of part payment came before the create's answer"},
	{order.Submitting, order.Expired, deposit, "the gateway says it expired"},
	{order.Submitting, order.Cancelled, both, "withdrawn, and no create of it was received by the gateway"},
	{order.Submitting, order.InReview, both, "no proof within the horizon, or proof that contradicts"},

	{order.Unknown, order.Submitting, both, "proved absent: the same number is sent again"},
	{order.Unknown, order.Submitted, both, "found at the gateway"},
	{order.Unknown, order.Succeeded, both, "proof of payment"},
	{order.Unknown, order.PartiallyPaid, deposit, "proof of part payment"},
	{order.Unknown, order.Failed, both, "proof of failure"},
	{order.Unknown, order.Expired, deposit, "the gateway says it expired"},
	{order.Unknown, order.InReview, both, "no proof within the horizon, or proof that contradicts"},

	{order.Submitted, order.Succeeded, both, "proof of payment"},
	{order.Submitted, order.PartiallyPaid, deposit, "proof of part payment"},
	{order.Submitted, order.Failed, both, "proof of failure"},
	{order.Submitted, order.Expired, deposit, "the gateway says it expired"},
	{order.Submitted, order.InReview, both, "no proof within the horizon, or proof that contradicts"},

	{order.InReview, order.Succeeded, both, "proof of payment, or an operator with evidence"},
	{order.InReview, order.PartiallyPaid, deposit, "proof of part payment, or an operator with evidence"},
	{order.InReview, order.Failed, both, "proof of failure, or an operator with evidence"},
	{order.InReview, order.Expired, deposit, "the gateway says it expired"},

	{order.Succeeded, order.Refunded, both, "the gateway returned the money afterwards"},
	{order.PartiallyPaid, order.Refunded, deposit, "the gateway returned the part payment afterwards"},
	{order.Expired, order.Refunded, deposit, "the gateway returned the late payment that was credited"},
}

// Sendable reports whether a create may still be sent: there is no proof that the
// gateway has the order, and none that it refused it.
func Sendable(s order.State) bool {
	return slices.Contains([]order.State{order.Created, order.Reserved, order.Submitting, order.Unknown}, s)
}

// Unsent reports whether the order is open and no create was ever sent.
func Unsent(s order.State) bool {
	return slices.Contains([]order.State{order.Created, order.AwaitingApproval, order.Scheduled, order.AwaitingFunds, order.Reserved}, s)
}

// Uncleared reports whether the order waits for an approval, for its time, or for funds
// in the ledger.
func Uncleared(s order.State) bool {
	return s == order.AwaitingApproval || s == order.Scheduled || s == order.AwaitingFunds
}

// NeedsReview reports whether the order waits for a person.
func NeedsReview(s order.State) bool { return s == order.InReview || s == order.AwaitingApproval }

// CanMove reports whether the table allows an order of this kind to go from
// one state to another.
func CanMove(kind order.Kind, from, to order.State) bool {
	return slices.ContainsFunc(Moves, func(m Move) bool {
		return m.From == from && m.To == to && slices.Contains(m.Kinds, kind)
	})
}

// Precedes reports whether moves lead from earlier to later, and none lead back.
func Precedes(kind order.Kind, earlier, later order.State) bool {
	return leads(kind, earlier, later) && !leads(kind, later, earlier)
}

// leads reports whether a sequence of moves leads from one state to another.
func leads(kind order.Kind, from, to order.State) bool {
	seen, next := map[order.State]bool{}, []order.State{from}
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
func Sources(kind order.Kind, to order.State) []order.State {
	var sources []order.State
	for _, m := range Moves {
		if m.To == to && slices.Contains(m.Kinds, kind) {
			sources = append(sources, m.From)
		}
	}
	return sources
}
