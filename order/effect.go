package order

import "github.com/tarspay-payouts/orchestrator/money"

// Effect is what a finding does to an order: the states it goes through, or
// the discrepancy that it opens, or nothing.
type Effect struct {
	Path        []State // states to go through, in turn; empty: it stays
	Discrepancy string  // code of the discrepancy to open; empty: none
	Credit      bool    // a deposit paid after its end: credit it before it goes anywhere
	Known       bool    // the discrepancy was opened when the payment was credited: none opens now
}

// Moves reports whether anything is booked at all.
func (e Effect) Moves() bool { return len(e.Path) > 0 || e.Credit }

// Codes of discrepancies between our books and the gateway's word.
const (
	DiscrepancyPaidUnsent   = "PAID_WITHOUT_SUBMISSION" // the gateway speaks of an order that we never sent
	DiscrepancyPaidAfterEnd = "PAID_AFTER_END"          // paid, although we had ended it unpaid
	DiscrepancyLatePayment  = "LATE_PAYMENT"            // deposit paid after it expired: credited
	DiscrepancyUnpaidPaid   = "UNPAID_AFTER_SUCCESS"    // said to have failed, although it was proved paid, or credited
	DiscrepancyReturned     = "RETURNED_AFTER_END"      // paid and returned, although we had ended it unpaid: nothing of it is booked
	DiscrepancyPaidAgain    = "PAID_AFTER_REFUND"       // the gateway, on being asked, says paid of what we have booked as returned
	DiscrepancyShared       = "GATEWAY_ORDER_SHARED"    // the gateway names one of its orders for two of ours: it belongs to the other one
	DiscrepancyFee          = "FEE_UNBELIEVABLE"        // paid, and the fee that the gateway names cannot be: none is booked
	DiscrepancyAmount       = "AMOUNT_CONTRADICTION"    // another amount than the one that is booked
	DiscrepancyMismatch     = "FIELDS_MISMATCH"         // a genuine message whose members differ from the order
	DiscrepancyOrphan       = "WORKFLOW_MISSING"        // open in the ledger, and no workflow drives it: adopt it
	DiscrepancyNotInLedger  = "ORDER_NOT_IN_LEDGER"     // Temporal has a workflow of the order, and the ledger does not have the order
	DiscrepancyUnconfirmed  = "REFUND_UNCONFIRMED"      // a callback says refunded, or paid after the end, the gateway does not when asked

	DiscrepancyBalance = "BALANCE_UNREADABLE" // of a merchant: its balance at the gateway is no amount that can be held

	// Those that comparing transactions adds.
	DiscrepancyNoOrder       = "RECORD_WITHOUT_ORDER"   // the gateway has a record of an order that we do not have
	DiscrepancyNoRecord      = "PAID_WITHOUT_RECORD"    // we say paid, and the gateway has no such order
	DiscrepancyRecord        = "RECORD_DIFFERS"         // amount, fee, currency or direction of its record are not the order's
	DiscrepancyState         = "STATE_DIFFERS"          // its history ends the order otherwise, and its answer to a query does not
	DiscrepancySecond        = "NUMBER_USED_TWICE"      // the gateway has a second order of the same number
	DiscrepancyOwnWithdrawal = "OWN_WITHDRAWAL"         // the merchant took money out at the gateway, and nobody has booked it
	DiscrepancyUnmatched     = "CALLBACK_WITHOUT_ORDER" // a callback of an order that we still do not have
)

// Decide is the whole table of (kind, state, credited, verdict): a pure
// function, so that it can be printed, tested in full and trusted. Credited says
// that money of the order is booked, which an expired deposit's state alone does
// not tell. What the table cannot see, the amounts, Order.Decide looks at.
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
	return Effect{} // refunded: whatever is said of its past is old news
}

// Decide is what a finding does to the order as it stands: what the table says,
// and where that is nothing, whether the amount is the one that was booked. A
// query that says paid of what was returned is a contradiction; a callback that
// does is the old one, once more.
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

// decideCredited is about an expired deposit that was paid late and credited.
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

// decideUnpaid is about an order that ended, and of which nothing is booked. A
// late payment that was returned before we heard of it is credited and taken
// back, as an open order's is: so it comes to the same whichever is heard first.
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
	return Effect{} // nothing moved, as we have it
}
