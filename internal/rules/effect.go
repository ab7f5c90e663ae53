package rules

import (
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Effect is what a finding does to an order. It moves the order, opens a
// discrepancy, or does nothing.
type Effect struct {
	Path        []order.State // states to move through, in this order; empty: the state stays
	Discrepancy string        // code of the discrepancy to open; empty: none
	Credit      bool          // credit a deposit that was paid after its end, before any move
	Known       bool          // the discrepancy was opened when the payment was credited; do not open it again
}

// Moves reports whether the effect changes the state or books money.
func (e Effect) Moves() bool { return len(e.Path) > 0 || e.Credit }

// Decide is the table of (kind, state, credited, verdict). It is a pure function,
// so that tests and docs can enumerate it. credited says that money of the order is
// booked: an expired deposit may or may not have been paid late. The table does not
// compare amounts; DecideOrder does.
func Decide(kind order.Kind, state order.State, credited bool, verdict Verdict) Effect {
	if verdict == Unclear {
		return Effect{Discrepancy: codes.DiscrepancyMismatch}
	}
	switch state {
	case order.Created, order.AwaitingApproval, order.Scheduled, order.AwaitingFunds, order.Reserved:
		return Effect{Discrepancy: codes.DiscrepancyPaidUnsent}
	case order.Submitting, order.Unknown, order.Submitted, order.InReview:
		return decideOpen(state, verdict)
	case order.Succeeded:
		return decideSucceeded(verdict)
	case order.PartiallyPaid:
		return decidePartiallyPaid(verdict)
	case order.Expired:
		if kind == order.Deposit && credited {
			return decideCredited(verdict)
		}
		return decideUnpaid(kind, state, verdict)
	case order.Failed, order.Rejected, order.Cancelled:
		return decideUnpaid(kind, state, verdict)
	case order.Refunded:
	}
	return Effect{} // Refunded is final: later findings are ignored.
}

// DecideOrder returns what a finding does to the order: the effect of the table, and if
// that is nothing, a discrepancy when the paid amount differs from the booked one.
// For a refunded order, a query that says paid is a contradiction; a callback that
// says paid is a late copy of the earlier one.
func DecideOrder(o order.Order, f Finding) Effect {
	effect := Decide(o.Kind, o.State, o.Paid.IsPositive(), f.Verdict)
	says := f.Verdict == Paid || f.Verdict == PartPaid
	switch {
	case effect.Moves() || !o.Paid.IsPositive() || !says:
	case o.State == order.Refunded:
		if f.Source == FromQuery {
			return Effect{Discrepancy: codes.DiscrepancyPaidAgain}
		}
	case f.Paid != (money.Amount{}) && f.Paid != o.Paid:
		return Effect{Discrepancy: codes.DiscrepancyAmount}
	}
	return effect
}

func decideOpen(state order.State, verdict Verdict) Effect {
	switch verdict {
	case Paid:
		return Effect{Path: []order.State{order.Succeeded}}
	case PartPaid:
		return Effect{Path: []order.State{order.PartiallyPaid}}
	case Unpaid:
		return Effect{Path: []order.State{order.Failed}}
	case Lapsed:
		return Effect{Path: []order.State{order.Expired}}
	case Returned:
		return Effect{Path: []order.State{order.Succeeded, order.Refunded}}
	case Pending, Unclear:
	}
	if state == order.Submitting || state == order.Unknown {
		return Effect{Path: []order.State{order.Submitted}}
	}
	return Effect{}
}

func decideSucceeded(verdict Verdict) Effect {
	switch verdict {
	case Returned:
		return Effect{Path: []order.State{order.Refunded}}
	case Unpaid, Lapsed:
		return Effect{Discrepancy: codes.DiscrepancyUnpaidPaid}
	case PartPaid:
		return Effect{Discrepancy: codes.DiscrepancyAmount}
	case Paid, Pending, Unclear:
	}
	return Effect{}
}

func decidePartiallyPaid(verdict Verdict) Effect {
	switch verdict {
	case Returned:
		return Effect{Path: []order.State{order.Refunded}}
	case Paid:
		return Effect{Discrepancy: codes.DiscrepancyAmount}
	case Unpaid, Lapsed:
		return Effect{Discrepancy: codes.DiscrepancyUnpaidPaid}
	case PartPaid, Pending, Unclear:
	}
	return Effect{}
}

// decideCredited decides for an expired deposit that was paid late and credited.
func decideCredited(verdict Verdict) Effect {
	switch verdict {
	case Returned:
		return Effect{Path: []order.State{order.Refunded}}
	case Unpaid, Lapsed:
		return Effect{Discrepancy: codes.DiscrepancyUnpaidPaid}
	case Paid, PartPaid:
		return Effect{Discrepancy: codes.DiscrepancyLatePayment, Known: true}
	case Pending, Unclear:
	}
	return Effect{}
}

// decideUnpaid decides for an ended order of which nothing is booked. A late payment
// that was returned before we learned of it is credited and reversed, as for an open
// order. The result is then the same whichever message arrives first.
func decideUnpaid(kind order.Kind, state order.State, verdict Verdict) Effect {
	late := kind == order.Deposit && state == order.Expired
	switch verdict {
	case Paid, PartPaid:
		if late {
			return Effect{Discrepancy: codes.DiscrepancyLatePayment, Credit: true}
		}
		return Effect{Discrepancy: codes.DiscrepancyPaidAfterEnd}
	case Returned:
		if late {
			return Effect{Path: []order.State{order.Refunded}, Discrepancy: codes.DiscrepancyLatePayment, Credit: true}
		}
		return Effect{Discrepancy: codes.DiscrepancyReturned}
	case Unpaid, Lapsed, Pending, Unclear:
	}
	return Effect{} // no money moved, as in our books
}
