package rules

import (
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Outcome returns the end that the evidence proves, with its amounts, for people:
// "partially_paid with 40.00 PKR, fee 2.00 PKR".
func Outcome(r order.Resolution) string {
	text := string(r.State)
	if r.State == order.PartiallyPaid {
		text += " with " + r.Paid.String()
	}
	if r.Fee.IsPositive() {
		text += ", fee " + r.Fee.String()
	}
	return text
}

// outcomeWithFee is Outcome, and says so when money moved and no fee was kept.
func outcomeWithFee(r order.Resolution) string {
	if moneyMoved(r) && !r.Fee.IsPositive() {
		return Outcome(r) + " without a fee"
	}
	return Outcome(r)
}

// moneyMoved reports whether the decision says that money moved.
func moneyMoved(r order.Resolution) bool {
	return r.State == order.Succeeded || r.State == order.PartiallyPaid
}

// ValidateResolution reports whether the decision is allowed for an order in the given state.
// The error is a *Refusal.
func ValidateResolution(r order.Resolution, request order.Request, state order.State) error {
	if refusal := unproved(r); refusal != nil {
		return refusal
	}
	if refusal := checkResolution(r, request, state); refusal != nil {
		return refusal
	}
	return nil
}

func unproved(r order.Resolution) *order.Refusal {
	if refusal := refuseUnsigned("a resolution", r.By, r.Why); refusal != nil {
		return refusal
	}
	if blank(r.Evidence) {
		return order.Refuse(codes.EvidenceMissing, "a resolution names the gateway's proof: a ticket, a statement line, a certificate")
	}
	return nil
}

func checkResolution(r order.Resolution, request order.Request, state order.State) *order.Refusal {
	if state != order.InReview {
		return order.Refuse(codes.NotInReview, "order %s is %s; only an order in review can be resolved", request.Number, state)
	}
	if !r.State.Terminal() || !CanMove(request.Kind, state, r.State) {
		return order.Refuse(codes.NotAnEnd, "a %s in review cannot be resolved to %q", request.Kind, r.State)
	}
	if r.State == order.PartiallyPaid {
		whole, err := r.Paid.Compare(request.Amount)
		if err != nil || whole >= 0 || !r.Paid.IsPositive() {
			return order.Refuse(codes.NotAnEnd, "a part payment needs the amount that arrived: above zero and below %s", request.Amount)
		}
	}
	return checkFee(r, request)
}

// paidOf returns the amount that the decision says was paid for a request.
func paidOf(r order.Resolution, request order.Request) money.Amount {
	if r.State == order.PartiallyPaid {
		return r.Paid
	}
	return request.Amount
}

// KeepsAll reports whether the fee is all of what was paid, which WholeFee has to
// confirm.
func KeepsAll(r order.Resolution, request order.Request) bool {
	return r.Fee.IsPositive() && r.Fee.Minor() == paidOf(r, request).Minor()
}

// checkFee refuses a fee that the gateway cannot have kept.
func checkFee(r order.Resolution, request order.Request) *order.Refusal {
	paid := paidOf(r, request)
	switch {
	case r.Fee == (money.Amount{}), r.Fee.IsZero():
		return nil
	case !moneyMoved(r):
		return order.Refuse(codes.FeeBounds, "a fee is kept of what was paid, and %s says that nothing was", r.State)
	case !bearable(r.Fee, paid):
		return order.Refuse(codes.FeeBounds, "a fee of %s cannot have been kept of %s: it is at least nothing and at most that", r.Fee, paid)
	case KeepsAll(r, request) && !r.WholeFee:
		return order.Refuse(codes.FeeUnconfirmed, "a fee of %s is all of what was paid; give the fee that the proof names, or confirm that the gateway kept everything (whole_fee)", r.Fee)
	}
	return nil
}

// ResolutionFinding returns the decision as a finding, which the ledger books.
func ResolutionFinding(r order.Resolution, request order.Request, gatewayID string) (Finding, error) {
	if err := ValidateResolution(r, request, order.InReview); err != nil {
		return Finding{}, err
	}
	f := Finding{
		Source: FromOperator, GatewayID: gatewayID, Evidence: r.Evidence, By: r.By,
		Reason: order.Reason{Code: order.CodeResolved, Text: "resolved by " + r.By + ": " + r.Why},
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
	case order.Succeeded:
		f.Verdict, f.Paid = Paid, request.Amount
	case order.PartiallyPaid:
		f.Verdict, f.Paid = PartPaid, r.Paid
	case order.Expired:
		f.Verdict, f.Fee = Lapsed, money.Amount{}
	default:
		f.Verdict, f.Fee = Unpaid, money.Amount{}
	}
	return f, nil
}
