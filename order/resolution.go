package order

import (
	"github.com/tarspay-payouts/orchestrator/money"
)

// Resolution is an operator's decision about an order in review.
type Resolution struct {
	ID       string       `json:"id,omitempty"`  // idempotency key; see Approval
	State    State        `json:"state"`         // the end that the evidence proves
	By       string       `json:"by"`            // who decides
	Why      string       `json:"why"`           // in a sentence
	Evidence string       `json:"evidence"`      // the gateway's proof: a ticket, a statement line, a certificate
	Paid     money.Amount `json:"paid,omitzero"` // partially_paid only: what arrived
	Fee      money.Amount `json:"fee,omitzero"`  // what the gateway kept, if it is known
	// WholeFee confirms a fee as large as what was paid. Such a fee is refused
	// without it, because it is more often a slip than a fee.
	WholeFee bool `json:"whole_fee,omitempty"`
	// Replace confirms that the decision takes the place of another person's proposal
	// that differs. Such a decision is refused without it.
	Replace bool `json:"replace,omitempty"`
}

// Outcome returns the end that the evidence proves, with its amounts, for people:
// "partially_paid with 40.00 PKR, fee 2.00 PKR".
func (r Resolution) Outcome() string {
	text := string(r.State)
	if r.State == PartiallyPaid {
		text += " with " + r.Paid.String()
	}
	if r.Fee.IsPositive() {
		text += ", fee " + r.Fee.String()
	}
	return text
}

// outcomeWithFee is Outcome, and says so when money moved and no fee was kept.
func (r Resolution) outcomeWithFee() string {
	if r.moved() && !r.Fee.IsPositive() {
		return r.Outcome() + " without a fee"
	}
	return r.Outcome()
}

// moved reports whether the decision says that money moved.
func (r Resolution) moved() bool { return r.State == Succeeded || r.State == PartiallyPaid }

// Validate reports whether the decision is allowed for an order in the given state.
// The error is a *Refusal.
func (r Resolution) Validate(request Request, state State) error {
	if refusal := r.unproved(); refusal != nil {
		return refusal
	}
	if refusal := r.check(request, state); refusal != nil {
		return refusal
	}
	return nil
}

func (r Resolution) unproved() *Refusal {
	if refusal := refuseUnsigned("a resolution", r.By, r.Why); refusal != nil {
		return refusal
	}
	if blank(r.Evidence) {
		return Refuse(CodeEvidenceMissing, "a resolution names the gateway's proof: a ticket, a statement line, a certificate")
	}
	return nil
}

func (r Resolution) check(request Request, state State) *Refusal {
	if state != InReview {
		return Refuse(CodeNotInReview, "order %s is %s; only an order in review can be resolved", request.Number, state)
	}
	if !r.State.Terminal() || !CanMove(request.Kind, state, r.State) {
		return Refuse(CodeNotAnEnd, "a %s in review cannot be resolved to %q", request.Kind, r.State)
	}
	if r.State == PartiallyPaid {
		whole, err := r.Paid.Compare(request.Amount)
		if err != nil || whole >= 0 || !r.Paid.IsPositive() {
			return Refuse(CodeNotAnEnd, "a part payment needs the amount that arrived: above zero and below %s", request.Amount)
		}
	}
	return r.checkFee(request)
}

// paidOf returns the amount that the decision says was paid for a request.
func (r Resolution) paidOf(request Request) money.Amount {
	if r.State == PartiallyPaid {
		return r.Paid
	}
	return request.Amount
}

// KeepsAll reports whether the fee is all of what was paid, which WholeFee has to
// confirm.
func (r Resolution) KeepsAll(request Request) bool {
	return r.Fee.IsPositive() && r.Fee.Minor() == r.paidOf(request).Minor()
}

// checkFee refuses a fee that the gateway cannot have kept.
func (r Resolution) checkFee(request Request) *Refusal {
	paid := r.paidOf(request)
	switch {
	case r.Fee == (money.Amount{}), r.Fee.IsZero():
		return nil
	case !r.moved():
		return Refuse(CodeFeeBounds, "a fee is kept of what was paid, and %s says that nothing was", r.State)
	case !bearable(r.Fee, paid):
		return Refuse(CodeFeeBounds, "a fee of %s cannot have been kept of %s: it is at least nothing and at most that", r.Fee, paid)
	case r.KeepsAll(request) && !r.WholeFee:
		return Refuse(CodeFeeUnconfirmed, "a fee of %s is all of what was paid; give the fee that the proof names, or confirm that the gateway kept everything (whole_fee)", r.Fee)
	}
	return nil
}

// Finding returns the decision as a finding, which the ledger books.
func (r Resolution) Finding(request Request, gatewayID string) (Finding, error) {
	if err := r.Validate(request, InReview); err != nil {
		return Finding{}, err
	}
	f := Finding{
		Source: FromOperator, GatewayID: gatewayID, Evidence: r.Evidence, By: r.By,
		Reason: Reason{Code: CodeResolved, Text: "resolved by " + r.By + ": " + r.Why},
	}
	zero, err := money.Minor(0, request.Amount.Currency())
	if err != nil {
		return Finding{}, err
	}
	f.Fee = zero
	if r.Fee.Currency() == request.Amount.Currency() && r.Fee.IsPositive() {
		f.Fee = r.Fee
	}
	switch r.State {
	case Succeeded:
		f.Verdict, f.Paid = Paid, request.Amount
	case PartiallyPaid:
		f.Verdict, f.Paid = PartPaid, r.Paid
	case Expired:
		f.Verdict, f.Fee = Lapsed, money.Amount{}
	default:
		f.Verdict, f.Fee = Unpaid, money.Amount{}
	}
	return f, nil
}
