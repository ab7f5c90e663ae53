package authority

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// pairs is what first persons have done, of one key.
type pairs struct {
	key      order.Key
	unsigned bool             // two persons must approve the order
	firsts   map[string][]act // by what was done to
}

// checkPair refuses the second person's act without a first one's that counts. An act that
// is not genuine is reported as that, and neither counts nor is judged here.
func (r *Review) checkPair(e act) *order.Refusal {
	if e.Key != r.pairs.key || r.pairs.firsts == nil {
		r.pairs = pairs{key: e.Key, firsts: make(map[string][]act)}
	}
	if e.Action == envelope.ActionStart {
		r.pairs.unsigned = e.used == nil && r.inForce(e.At)
	}
	if !e.Genuine {
		return nil
	}
	firsts := r.pairs.firsts
	switch e.Part {
	case rules.PartFirst:
		if e.Approval {
			r.pairs.unsigned = true // one approval was not enough
		} else {
			firsts[e.About] = nil // the last proposal stands
		}
		firsts[e.About] = append(firsts[e.About], e)
	case rules.PartWithdrawn:
		delete(firsts, e.About)
	case rules.PartSecond:
		earlier := firsts[e.About]
		switch {
		case e.Approval:
			firsts[e.About] = append(earlier, e) // an order is asked about again at its release
		case e.Action != order.ActionResolve: // which may be several moves
			delete(firsts, e.About)
		}
		if e.used == nil || e.Approval && !r.pairs.unsigned {
			return nil
		}
		return r.second(e, earlier)
	case rules.PartAlone:
	}
	return nil
}

// second refuses the second person's act unless one of the earlier acts counts.
func (r *Review) second(e act, earlier []act) *order.Refusal {
	fault := errors.New("the audit has no earlier entry of another person")
	for _, first := range slices.Backward(earlier) {
		if fault = r.counts(first, e); fault == nil {
			return nil
		}
	}
	return order.Refuse(codes.FirstUnproven, "two persons do this, and of the first one nothing counts: %v", fault)
}

// counts returns why a first person's act does not count when the second one acts. One
// from before the first roster had no signature, and counts.
func (r *Review) counts(first, second act) error {
	by := second.proof.Envelope.By
	switch {
	case rules.SamePerson(first.Actor, by):
		return fmt.Errorf("%s is the first and the second", by)
	case second.Action == order.ActionResolve && second.Actor != first.Actor+" and "+by:
		return fmt.Errorf("the entry names %s, and %s proposed it", second.Actor, first.Actor)
	case first.used == nil:
		return nil
	}
	acted, refusal := first.proof.VerifyDone(second.used, r.originOf(first.proof), first.At, second.At)
	if refusal == nil && first.proof.Item != nil {
		refusal = acted.CheckItem(*first.proof.Item)
	}
	switch {
	case refusal != nil:
		return fmt.Errorf("%s of %s: %w", first.Action, first.Actor, refusal)
	case acted.Actor.Kind != roster.Person:
		return fmt.Errorf("%s is a system", first.Actor)
	case contentOf(first.proof) != contentOf(second.proof):
		return fmt.Errorf("%s signed other content", first.Actor)
	}
	return nil
}

// content is what two persons must have signed alike.
type content struct {
	merchant, number, fingerprint string
	amount, paid                  money.Amount
	fee                           int64
	kind, adjustment              string
	end                           order.State
}

func contentOf(proof Proof) content {
	e := proof.Envelope
	signed := content{
		merchant: e.Merchant, number: e.Number, fingerprint: e.Fingerprint, amount: e.Amount, fee: e.Fee.Minor(), kind: e.Kind, end: e.End,
	}
	if item := proof.Item; item != nil {
		signed.merchant, signed.number, signed.fingerprint, signed.amount = item.Merchant, item.Number, item.Fingerprint, item.Amount
	}
	if e.End == order.PartiallyPaid {
		signed.paid = e.Paid
	}
	if e.Action != order.ActionResolve { // two persons may have two proofs of one end
		signed.adjustment = e.Evidence
	}
	return signed
}
