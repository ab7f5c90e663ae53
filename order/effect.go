package order

import "github.com/tarspay-payouts/orchestrator/money"

// Effect is what a finding does to an order. It moves the order, opens a
// discrepancy, or does nothing.
type Effect struct {
	Path        []State // states to move through, in this order; empty: the state stays
	Discrepancy string  // code of the discrepancy to open; empty: none
	Credit      bool    // credit a deposit that was paid after its end, before any move
	Known       bool    // the discrepancy was opened when the payment was credited; do not open it again
}

// Moves reports whether the effect changes the state or books money.
func (e Effect) Moves() bool { return len(e.Path) > 0 || e.Credit }

// Codes of discrepancies between our books and what the gateway says.
const (
	DiscrepancyPaidUnsent   = "PAID_WITHOUT_SUBMISSION" // the gateway reports an order that we never sent
	DiscrepancyPaidAfterEnd = "PAID_AFTER_END"          // paid, although we had ended it unpaid
	DiscrepancyLatePayment  = "LATE_PAYMENT"            // deposit paid after it expired: credited
	DiscrepancyUnpaidPaid   = "UNPAID_AFTER_SUCCESS"    // the gateway reports a failure of an order that is booked as paid or credited
	DiscrepancyReturned     = "RETURNED_AFTER_END"      // paid and returned, although we had ended it unpaid; nothing is booked
	DiscrepancyPaidAgain    = "PAID_AFTER_REFUND"       // a query says paid, but the order is booked as returned
	DiscrepancyShared       = "GATEWAY_ORDER_SHARED"    // the gateway's order belongs to another order in the ledger
	DiscrepancyFee          = "FEE_UNBELIEVABLE"        // paid, but the reported fee is impossible; no fee is booked
	DiscrepancyAmount       = "AMOUNT_CONTRADICTION"    // the reported amount differs from the booked one
	DiscrepancyMismatch     = "FIELDS_MISMATCH"         // a verified message whose members differ from the order
	DiscrepancyOrphan       = "WORKFLOW_MISSING"        // open in the ledger, but no workflow drives it: adopt it
	DiscrepancyNotInLedger  = "ORDER_NOT_IN_LEDGER"     // Temporal has a workflow of the order, but the ledger does not have the order
	DiscrepancyUnconfirmed  = "REFUND_UNCONFIRMED"      // a callback reports a refund or a late payment that queries do not confirm

	DiscrepancyBalance = "BALANCE_UNREADABLE" // of a merchant: its balance at the gateway cannot be read as an exact amount

	// Discrepancies found by comparing transactions.
	DiscrepancyNoOrder       = "RECORD_WITHOUT_ORDER"   // the gateway has a record of an order that we do not have
	DiscrepancyNoRecord      = "PAID_WITHOUT_RECORD"    // booked as paid, but the gateway has no such order
	DiscrepancyRecord        = "RECORD_DIFFERS"         // amount, fee, currency or direction of the record differ from the order
	DiscrepancyState         = "STATE_DIFFERS"          // the history has another final state than the order, but a query has not
	DiscrepancySecond        = "NUMBER_USED_TWICE"      // the gateway has a second order of the same number
	DiscrepancyOwnWithdrawal = "OWN_WITHDRAWAL"         // the merchant withdrew money at the gateway, and it is not booked
	DiscrepancyUnmatched     = "CALLBACK_WITHOUT_ORDER" // a callback of an order that the ledger does not have
)

// Decide is the table of (kind, state, credited, verdict). It is a pure function,
// so that tests and docs can enumerate it. credited says that money of the order is
// booked: an expired deposit may or may not have been paid late. The table does not
// compare amounts; Order.Decide does.
func Decide(kind Kind, state State, credited bool, verdict Verdict) Effect {
	if verdict == Unclear {
		return Effect{Discrepancy: DiscrepancyMismatch}
	}
	switch state {
	case Created, AwaitingApproval, AwaitingFunds, Reserved:
		return Effect{Discrepancy: DiscrepancyPaidUnsent}
	case Submitting, Unknown, Submitted, InReview:
		return decideOpen(state, verdict)
	case Succeeded:
		return decideSucceeded(verdict)
	case PartiallyPaid:
		return decidePartiallyPaid(verdict)
	case Expired:
		if kind == Deposit && credited {
			return decideCredited(verdict)
		}
		return decideUnpaid(kind, state, verdict)
	case Failed, Rejected, Cancelled:
		return decideUnpaid(kind, state, verdict)
	case Refunded:
	}
	return Effect{} // Refunded is final: later findings are ignored.
}

// Decide returns what a finding does to the order: the effect of the table, and if
// that is nothing, a discrepancy when the paid amount differs from the booked one.
// For a refunded order, a query that says paid is a contradiction; a callback that
// says paid is a late copy of the earlier one.
func (o Order) Decide(f Finding) Effect {
	effect := Decide(o.Kind, o.State, o.Paid.IsPositive(), f.Verdict)
	says := f.Verdict == Paid || f.Verdict == PartPaid
	switch {
	case effect.Moves() || !o.Paid.IsPositive() || !says:
	case o.State == Refunded:
		if f.Source == FromQuery {
			return Effect{Discrepancy: DiscrepancyPaidAgain}
		}
	case f.Paid != (money.Amount{}) && f.Paid != o.Paid:
		return Effect{Discrepancy: DiscrepancyAmount}
	}
	return effect
}

func decideOpen(state State, verdict Verdict) Effect {
	switch verdict {
	case Paid:
		return Effect{Path: []State{Succeeded}}
	case PartPaid:
		return Effect{Path: []State{PartiallyPaid}}
	case Unpaid:
		return Effect{Path: []State{Failed}}
	case Lapsed:
		return Effect{Path: []State{Expired}}
	case Returned:
		return Effect{Path: []State{Succeeded, Refunded}}
	case Pending, Unclear:
	}
	if state == Submitting || state == Unknown {
		return Effect{Path: []State{Submitted}}
	}
	return Effect{}
}

func decideSucceeded(verdict Verdict) Effect {
	switch verdict {
	case Returned:
		return Effect{Path: []State{Refunded}}
	case Unpaid, Lapsed:
		return Effect{Discrepancy: DiscrepancyUnpaidPaid}
	case PartPaid:
		return Effect{Discrepancy: DiscrepancyAmount}
	case Paid, Pending, Unclear:
	}
	return Effect{}
}

func decidePartiallyPaid(verdict Verdict) Effect {
	switch verdict {
	case Returned:
		return Effect{Path: []State{Refunded}}
	case Paid:
		return Effect{Discrepancy: DiscrepancyAmount}
	case Unpaid, Lapsed:
		return Effect{Discrepancy: DiscrepancyUnpaidPaid}
	case PartPaid, Pending, Unclear:
	}
	return Effect{}
}

// decideCredited decides for an expired deposit that was paid late and credited.
func decideCredited(verdict Verdict) Effect {
	switch verdict {
	case Returned:
		return Effect{Path: []State{Refunded}}
	case Unpaid, Lapsed:
		return Effect{Discrepancy: DiscrepancyUnpaidPaid}
	case Paid, PartPaid:
		return Effect{Discrepancy: DiscrepancyLatePayment, Known: true}
	case Pending, Unclear:
	}
	return Effect{}
}

// decideUnpaid decides for an ended order of which nothing is booked. A late payment
// that was returned before we learned of it is credited and reversed, as for an open
// order. The result is then the same whichever message arrives first.
func decideUnpaid(kind Kind, state State, verdict Verdict) Effect {
	late := kind == Deposit && state == Expired
	switch verdict {
	case Paid, PartPaid:
		if late {
			return Effect{Discrepancy: DiscrepancyLatePayment, Credit: true}
		}
		return Effect{Discrepancy: DiscrepancyPaidAfterEnd}
	case Returned:
		if late {
			return Effect{Path: []State{Refunded}, Discrepancy: DiscrepancyLatePayment, Credit: true}
		}
		return Effect{Discrepancy: DiscrepancyReturned}
	case Unpaid, Lapsed, Pending, Unclear:
	}
	return Effect{} // no money moved, as in our books
}
