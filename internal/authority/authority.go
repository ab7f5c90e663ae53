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
	"github.com/tarspay-payouts/orchestrator/money"
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

// Proof is what the audit shows of a signed action.
type Proof struct {
	envelope.Signed
	reference
}

// reference is what the audit keeps of an action besides the signed envelope. Of an
// action on an order of a list it is kept alone: the envelope is kept once for all.
type reference struct {
	Decision string           `json:"decision,omitempty"` // hash of the envelope of a list
	Item     *envelope.Listed `json:"item,omitempty"`     // of the order in that list
	Roster   string           `json:"roster"`             // hash of the roster that permitted the action
	Door     string           `json:"door,omitempty"`     // the system that signed for the actor, who logged in there
}

// Permit returns why the action on the order is refused at a time, or what the audit
// keeps. That is empty for an action that needs no signature. The codes are
// SIGNATURE_NEEDED and those of envelope.ReadSigned, Verify, Fits, ReadItem and FitsItem.
func (a *Authority) Permit(action order.Action, o order.Order, at time.Time) (envelope.Kept, *order.Refusal) {
	signed, is := action.(order.Signed)
	switch {
	case !is && !envelope.Needed(action.Name()):
		return envelope.Kept{}, nil
	case !is:
		return envelope.Kept{}, order.Refuse(CodeSignatureNeeded,
			`with a roster, %s is signed: use starter with your key, or %s; send it with starter act, or paste {"envelope":…,"signature":"…"} as the update's input`,
			action.Name(), commands(action, o))
	case signed.Item != nil:
		return a.permitItem(signed, o, at)
	}
	proof, refusal := a.verify(signed.Proof, func(acted envelope.Acted) *order.Refusal { return acted.Fits(o) }, at)
	return envelope.Kept{Proof: proof}, refusal
}

// permitItem is Permit for an order of a list.
func (a *Authority) permitItem(given order.Signed, o order.Order, at time.Time) (envelope.Kept, *order.Refusal) {
	item, refusal := envelope.ReadItem(given.Item)
	if refusal != nil {
		return envelope.Kept{}, refusal
	}
	var kept envelope.Kept
	proof, refusal := a.keep(given.Proof, at, func(signed envelope.Signed, acted envelope.Acted, roster string) (any, *order.Refusal) {
		text, err := json.Marshal(signed)
		if err != nil {
			return nil, unwritable(err)
		}
		refusal := acted.FitsItem(o, item)
		if refusal == nil {
			kept.Decision = &envelope.Decision{Hash: acted.Hash, Signed: string(text), Totals: acted.Envelope.List.Totals}
		}
		return reference{acted.Hash, &item, roster, acted.Door}, refusal
	})
	kept.Proof, kept.Item = proof, item.Item
	return kept, refusal
}

// Approved reports whether an entry of the audit shows that its actor approved the order: what
// the audit keeps of it is signed by the actor for that, and is still permitted at a time. The
// entry's seal is not looked at.
func (a *Authority) Approved(kept, actor string, done time.Time, o order.Order, at time.Time) bool {
	var proof Proof
	if json.Unmarshal([]byte(kept), &proof) != nil || proof.Envelope.By != actor || proof.Envelope.Action != order.ActionApprove {
		return false
	}
	action, err := proof.Action()
	if proof.Item != nil {
		action, err = proof.ActionOn(*proof.Item)
	}
	if err != nil {
		return false
	}
	action.Done = done
	_, refusal := a.Permit(action, o, at)
	return refusal == nil
}

// PermitStart is Permit for the start of an order. An unsigned start has no
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
//
// This and the following functions refuse an envelope of another action, person, id or
// reason than those of who: see permitActed.
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

// PermitDiscrepancy does the same for closing a discrepancy with the stake. If two persons
// close it, a system is not one of them: the code is OWN_SIGNATURE_NEEDED.
func (a *Authority) PermitDiscrepancy(who order.Who, d order.DiscrepancySigned, stake money.Amount, two bool, at time.Time) (string, *order.Refusal) {
	misfit := order.Refuse(envelope.CodeOtherOrder, "the envelope is not for %s with a stake of %s; look at it again and sign that", d, stake)
	return a.permitActed(envelope.ActionCloseDiscrepancy, who, at, misfit, func(acted envelope.Acted) *order.Refusal {
		e := acted.Envelope
		switch {
		case e.Merchant != d.Merchant || e.Number != d.Number || e.Kind != d.String() || e.Amount != stake:
			return misfit
		case two && acted.Actor.Kind != roster.Person:
			return order.Refuse(roster.CodeOwnSignatureNeeded, "two persons close %s, and %s is a system; sign it with the key of a person", d, acted.Actor.Name)
		}
		return nil
	})
}

// PermitErasure does the same for the erasure of an order's personal data.
func (a *Authority) PermitErasure(who order.Who, key order.Key, at time.Time) (string, *order.Refusal) {
	misfit := order.Refuse(envelope.CodeOtherOrder, "the envelope is not for the erasure of order %s", key.Number)
	return a.permitWho(envelope.ActionErase, who, at, misfit, func(e envelope.Envelope) bool {
		return e.Merchant == key.Merchant && e.Number == key.Number
	})
}

// PermitClosing does the same for the closing of a day.
func (a *Authority) PermitClosing(who order.Who, day order.DayRef, at time.Time) (string, *order.Refusal) {
	misfit := order.Refuse(envelope.CodeOtherOrder, "the envelope is not for the figures of %s of merchant %s; look at the report again and sign that", day.Day, day.Merchant)
	return a.permitWho(envelope.ActionCloseDay, who, at, misfit, func(e envelope.Envelope) bool {
		return e.Merchant == day.Merchant && e.Number == string(day.Day) && e.Kind == envelope.ClosingKind(day) && e.Fingerprint == day.Hash
	})
}

// permitWho permits an action that is not on an order, if its envelope is of the action
// and the person, and fits. Otherwise it returns misfit.
func (a *Authority) permitWho(
	action string, who order.Who, at time.Time, misfit *order.Refusal, fits func(envelope.Envelope) bool,
) (string, *order.Refusal) {
	return a.permitActed(action, who, at, misfit, func(acted envelope.Acted) *order.Refusal {
		if fits(acted.Envelope) {
			return nil
		}
		return misfit
	})
}

// permitActed is permitWho for what depends on who acted. misfit is returned for the
// envelope of another action or person. Here and nowhere else the reason that came with an
// action is compared with the one that was signed.
func (a *Authority) permitActed(
	action string, who order.Who, at time.Time, misfit *order.Refusal, permit func(envelope.Acted) *order.Refusal,
) (string, *order.Refusal) {
	if who.Proof == nil {
		return "", order.Refuse(CodeSignatureNeeded, "with a roster, %s is signed: use starter with your key", action)
	}
	return a.verify(*who.Proof, func(acted envelope.Acted) *order.Refusal {
		e := acted.Envelope
		if e.Action != action || e.ID != who.ID || e.By != who.By {
			return misfit
		}
		if e.Reason != who.Why {
			return order.Refuse(envelope.CodeOtherOrder, "the reason that was sent is not the one that %s signed; send what was signed", e.By)
		}
		return permit(acted)
	}, at)
}

// verify returns the proof of an envelope that fits.
func (a *Authority) verify(given order.Proof, fits func(envelope.Acted) *order.Refusal, at time.Time) (string, *order.Refusal) {
	return a.keep(given, at, func(signed envelope.Signed, acted envelope.Acted, roster string) (any, *order.Refusal) {
		return Proof{signed, reference{Roster: roster, Door: acted.Door}}, fits(acted)
	})
}

// keep verifies a signed envelope, and returns what is kept of it as JSON.
func (a *Authority) keep(
	given order.Proof, at time.Time, what func(envelope.Signed, envelope.Acted, string) (any, *order.Refusal),
) (string, *order.Refusal) {
	text, err := json.Marshal(given)
	if err != nil {
		return "", order.Refuse(order.CodeInvalidRequest, "the signed envelope cannot be read")
	}
	signed, refusal := envelope.ReadSigned(text)
	if refusal != nil {
		return "", refusal
	}
	r := a.roster.InForce()
	done := at
	if !given.Done.IsZero() {
		done = given.Done
	}
	acted, refusal := signed.VerifyDone(r, a.origin, done, at)
	if refusal != nil {
		return "", refusal
	}
	kept, refusal := what(signed, acted, r.Hash())
	if refusal != nil {
		return "", refusal
	}
	proof, err := json.Marshal(kept)
	if err != nil {
		return "", unwritable(err)
	}
	return string(proof), nil
}

func unwritable(err error) *order.Refusal {
	return order.Refuse(order.CodeInvalidRequest, "the signed envelope cannot be written: %v", err)
}
