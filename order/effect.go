package order

// Effect is what a finding does to an order: the states it goes through, or
// the discrepancy that it opens, or nothing.
type Effect struct {
	Path        []State // states to go through, in turn; empty: it stays
	Discrepancy string  // code of the discrepancy to open; empty: none
	Credit      bool    // a deposit paid after its end: credit it although the state stays
}

// Moves reports whether anything is booked at all.
func (e Effect) Moves() bool { return len(e.Path) > 0 || e.Credit }

// Codes of discrepancies between our books and the gateway's word.
const (
	DiscrepancyPaidUnsent   = "PAID_WITHOUT_SUBMISSION" // the gateway speaks of an order that we never sent
	DiscrepancyPaidAfterEnd = "PAID_AFTER_END"          // paid, although we had ended it unpaid
	DiscrepancyLatePayment  = "LATE_PAYMENT"            // deposit paid after it expired: credited
	DiscrepancyUnpaidPaid   = "UNPAID_AFTER_SUCCESS"    // said to have failed, although it was proved paid
	DiscrepancyAmount       = "AMOUNT_CONTRADICTION"    // whole against part payment
	DiscrepancyMismatch     = "FIELDS_MISMATCH"         // a genuine message whose members differ from the order
	DiscrepancyOrphan       = "WORKFLOW_MISSING"        // open in the ledger, and no workflow drives it: adopt it
	DiscrepancyUnconfirmed  = "REFUND_UNCONFIRMED"      // a callback says refunded, or paid after the end, the gateway does not when asked

	// Those that comparing transactions adds.
	DiscrepancyNoOrder       = "RECORD_WITHOUT_ORDER"   // the gateway has a record of an order that we do not have
	DiscrepancyNoRecord      = "PAID_WITHOUT_RECORD"    // we say paid, and the gateway has no such order
	DiscrepancyRecord        = "RECORD_DIFFERS"         // amount, fee, currency or direction of its record are not the order's
	DiscrepancyState         = "STATE_DIFFERS"          // its history ends the order otherwise, and its answer to a query does not
	DiscrepancySecond        = "NUMBER_USED_TWICE"      // the gateway has a second order of the same number
	DiscrepancyOwnWithdrawal = "OWN_WITHDRAWAL"         // the merchant took money out at the gateway, and nobody has booked it
	DiscrepancyUnmatched     = "CALLBACK_WITHOUT_ORDER" // a callback of an order that we still do not have
)

// Decide is the whole table of (kind, state, verdict): a pure function, so
// that it can be printed, tested in full and trusted.
func Decide(kind Kind, state State, verdict Verdict) Effect {
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
	case Failed, Rejected, Cancelled, Expired:
		return decideUnpaid(kind, state, verdict)
	case Refunded:
	}
	return Effect{} // refunded: whatever is said of its past is old news
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
	case Paid, Returned:
		return Effect{Discrepancy: DiscrepancyAmount}
	case Unpaid, Lapsed:
		return Effect{Discrepancy: DiscrepancyUnpaidPaid}
	case PartPaid, Pending, Unclear:
	}
	return Effect{}
}

func decideUnpaid(kind Kind, state State, verdict Verdict) Effect {
	if verdict != Paid && verdict != PartPaid {
		return Effect{} // unpaid, lapsed or returned: nothing moved, as we have it
	}
	if kind == Deposit && state == Expired {
		return Effect{Discrepancy: DiscrepancyLatePayment, Credit: true}
	}
	return Effect{Discrepancy: DiscrepancyPaidAfterEnd}
}
