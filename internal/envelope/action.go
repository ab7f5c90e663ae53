package envelope

import (
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Of returns the envelope of an action on an order as the actor sees the order. It
// is issued at the given time, and expires after life. Its id is the action's id,
// or a new one if the action has none. The codes are ENVELOPE_NOT_NEEDED, for a
// note or a poll, and those of Check.
func Of(action order.Action, o order.Order, origin string, issued time.Time, life time.Duration) (Envelope, *order.Refusal) {
	e := Envelope{
		Format: Format, Origin: origin, Action: action.Name(), ID: action.ActionID(),
		Issued: issued.UTC().Truncate(time.Second), Merchant: o.Merchant, Number: o.Number,
		Fingerprint: o.Fingerprint, Requester: o.RequestedBy, Amount: o.Amount,
	}
	e.Expires = e.Issued.Add(life.Truncate(time.Second))
	if e.ID == "" {
		e.ID = NewID()
	}
	switch a := action.(type) {
	case order.Approval:
		e.By, e.Reason = a.By, a.Why
	case order.Rejection:
		e.By, e.Reason = a.By, a.Why
	case order.Cancellation:
		e.By, e.Reason = a.By, a.Why
	case order.Resolution:
		e.By, e.Reason, e.End, e.Evidence, e.Paid, e.Fee = a.By, a.Why, a.State, a.Evidence, a.Paid, a.Fee
	case order.Adoption:
		e.By = a.By
	default:
		return Envelope{}, order.Refuse(CodeNotNeeded, "%s is not signed", action.Name())
	}
	return e, e.Check()
}

// Action returns the signed action for an order of the envelope. Call Fits or
// FitsItem before. The members of an adoption that no person decides about are
// empty. The code is ENVELOPE_NOT_NEEDED for a start and for an adjustment, which
// are no actions on an order.
func (a Acted) Action(o order.Order) (order.Action, *order.Refusal) {
	e := a.Envelope
	switch e.Action {
	case order.ActionApprove:
		return order.Approval{ID: e.ID, By: e.By, Fingerprint: o.Fingerprint, Why: e.Reason}, nil
	case order.ActionReject:
		return order.Rejection{ID: e.ID, By: e.By, Why: e.Reason}, nil
	case order.ActionCancel:
		return order.Cancellation{ID: e.ID, By: e.By, Why: e.Reason}, nil
	case order.ActionResolve:
		return order.Resolution{ID: e.ID, State: e.End, By: e.By, Why: e.Reason, Evidence: e.Evidence, Paid: e.Paid, Fee: e.Fee}, nil
	case order.ActionAdopt:
		return order.Adoption{ID: e.ID, By: e.By}, nil
	}
	return nil, order.Refuse(CodeNotNeeded, "%s is no action on an order that is on record", clip(e.Action))
}
