// Package authority decides who may act, with the roster in force. The ledger asks
// it in the transaction that acts.
//
// It verifies signatures and compares them with orders. It stores nothing, and uses
// no SQL, no Temporal and no HTTP.
package authority

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

// CodeSignatureNeeded means that the action must be signed, because there is a
// roster. It is stable.
const CodeSignatureNeeded = "SIGNATURE_NEEDED"

// Authority permits actions. It is safe for concurrent use.
type Authority struct {
	roster *roster.Holder
	origin string
}

// New returns the authority of an installation with a roster. origin names the
// installation.
func New(holder *roster.Holder, origin string) *Authority {
	return &Authority{holder, origin}
}

// Refresh puts a new roster into force if there is one. It may write to the ledger.
// Call it before a transaction that calls Permit or PermitStart.
func (a *Authority) Refresh() { a.roster.Current() }

// Proof is what the audit keeps of a signed action.
type Proof struct {
	envelope.Signed
	Roster string `json:"roster"` // hash of the roster that permitted the action
}

// Permit returns why the action on the order is refused at a time, or the proof for
// the audit as JSON. The proof of an action that needs no signature is empty. The
// codes are SIGNATURE_NEEDED and those of envelope.ReadSigned, Verify and Fits.
func (a *Authority) Permit(action order.Action, o order.Order, at time.Time) (string, *order.Refusal) {
	plain, given := order.Plain(action)
	if given == nil {
		if !envelope.Needed(plain.Name()) {
			return "", nil
		}
		return "", order.Refuse(CodeSignatureNeeded, "with a roster, %s is signed: use starter with your key, or make the envelope with starter sign and send it with its signature", plain.Name())
	}
	return a.verify(*given, func(acted envelope.Acted) *order.Refusal { return acted.Fits(o) }, at)
}

// PermitStart does the same for the start of an order. An unsigned start has no
// proof and is not refused.
func (a *Authority) PermitStart(request order.Request, at time.Time) (string, *order.Refusal) {
	if request.Proof == nil {
		return "", nil
	}
	opening := order.Order{Request: request, Fingerprint: request.Fingerprint()}
	return a.verify(*request.Proof, func(acted envelope.Acted) *order.Refusal {
		if acted.Envelope.Action != envelope.ActionStart {
			return order.Refuse(envelope.CodeOtherOrder, "the envelope of a start has the action %s", envelope.ActionStart)
		}
		return acted.Fits(opening)
	}, at)
}

// PermitAdjustment does the same for an action on an adjustment. The adjustment is
// as proposed, or as it is on record.
func (a *Authority) PermitAdjustment(action string, who order.Who, adjustment order.AdjustmentProposal, at time.Time) (string, *order.Refusal) {
	misfit := order.Refuse(envelope.CodeOtherOrder, "the envelope is not for the adjustment %s as it is on record; look at it again and sign that", adjustment.Ref)
	return a.permitWho(action, who, at, misfit, func(e envelope.Envelope) bool {
		return adjustment == order.AdjustmentProposal{
			AdjustmentRef: order.AdjustmentRef{Merchant: e.Merchant, Ref: e.Number}, Kind: e.Kind, Amount: e.Amount, Evidence: e.Evidence,
		}
	})
}

// PermitResume does the same for the end of a stop. A stop of more than one merchant
// is ended by persons who act for all merchants.
func (a *Authority) PermitResume(who order.Who, scope order.StopScope, id int64, at time.Time) (string, *order.Refusal) {
	misfit := order.Refuse(envelope.CodeOtherOrder, "the envelope is not for stop %d (%s); look at the queue again and sign that", id, scope)
	return a.permitWho(envelope.ActionResume, who, at, misfit, func(e envelope.Envelope) bool {
		return e.Merchant == scope.Merchant && e.Number == strconv.FormatInt(id, 10) && e.Kind == scope.String()
	})
}

// permitWho permits an action that is not on an order, if its envelope is of the action
// and the person, and fits. Otherwise it returns misfit.
func (a *Authority) permitWho(
	action string, who order.Who, at time.Time, misfit *order.Refusal, fits func(envelope.Envelope) bool,
) (string, *order.Refusal) {
	if who.Proof == nil {
		return "", order.Refuse(CodeSignatureNeeded, "with a roster, %s is signed: use starter with your key", action)
	}
	return a.verify(*who.Proof, func(acted envelope.Acted) *order.Refusal {
		e := acted.Envelope
		if e.Action == action && e.ID == who.ID && e.By == who.By && fits(e) {
			return nil
		}
		return misfit
	}, at)
}

func (a *Authority) verify(given order.Proof, fits func(envelope.Acted) *order.Refusal, at time.Time) (string, *order.Refusal) {
	text, err := json.Marshal(given)
	if err != nil {
		return "", order.Refuse(order.CodeInvalidRequest, "the signed envelope cannot be read")
	}
	signed, refusal := envelope.ReadSigned(text)
	if refusal != nil {
		return "", refusal
	}
	r := a.roster.InForce()
	acted, refusal := signed.Verify(r, a.origin, at)
	if refusal != nil {
		return "", refusal
	}
	if refusal := fits(acted); refusal != nil {
		return "", refusal
	}
	proof, err := json.Marshal(Proof{signed, r.Hash()})
	if err != nil {
		return "", order.Refuse(order.CodeInvalidRequest, "the signed envelope cannot be written: %v", err)
	}
	return string(proof), nil
}
