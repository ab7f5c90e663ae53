package authority

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// CodeRosterUnknown means that the proof of an entry names a roster that was not in
// force then. It is stable.
const CodeRosterUnknown = "ROSTER_UNKNOWN"

// Review verifies the proofs of an audit against the rosters that were in force. Give
// it the entries in the order of the chains: the installation's chain, which has the
// rosters, comes first.
type Review struct {
	origin string // of the installation; empty: it is not compared
	texts  map[string]RosterText
	force  []inForce
	opened opening         // of the order whose entries are being read
	done   map[total]int64 // what was done by decisions over lists, in minor units
}

type total struct{ decision, currency string }

// opening is the content with which an order was opened.
type opening struct {
	key         order.Key
	fingerprint string
}

// RosterText is a roster as it is stored.
type RosterText struct {
	Text, Signatures []byte
}

type inForce struct {
	roster *roster.Roster
	since  time.Time
}

// NewReview returns a review with the stored rosters, by their hashes.
func NewReview(origin string, rosters map[string]RosterText) *Review {
	return &Review{origin: origin, texts: rosters, done: make(map[total]int64)}
}

// Entry is what a review needs of an audit entry.
type Entry struct {
	Key      order.Key
	At       time.Time
	Actor    string
	Action   string // as package envelope names it; empty: no action that is signed
	Decided  bool   // a person has done the action; it was not refused
	Proof    string
	Evidence string
}

// Roster takes the entry of a roster that came into force. The code is ROSTER_UNKNOWN:
// the roster is not stored, or may not follow the one before.
func (r *Review) Roster(hash string, at time.Time) *order.Refusal {
	stored, found := r.texts[hash]
	if !found {
		return order.Refuse(CodeRosterUnknown, "the roster %s is not stored", hash)
	}
	next, err := r.next(stored, at)
	if err == nil && next.Hash() != hash {
		return order.Refuse(CodeRosterUnknown, "the stored roster is not %s", hash)
	}
	if err != nil {
		return order.Refuse(CodeRosterUnknown, "the stored roster %s may not follow the one before: %v", hash, err)
	}
	r.force = append(r.force, inForce{next, at})
	return nil
}

func (r *Review) next(stored RosterText, at time.Time) (*roster.Roster, error) {
	if len(r.force) == 0 {
		return roster.Parse(stored.Text, "the first roster")
	}
	return roster.Succeeds(r.force[len(r.force)-1].roster, stored.Text, "the roster", roster.SplitSignatures(stored.Signatures), at)
}

// Check verifies the proof of an entry. Without a proof, an action that a person has
// done while a roster was in force is refused with SIGNATURE_NEEDED. The other codes
// are ROSTER_UNKNOWN and those of Signed.Verify, Fits and FitsItem.
func (r *Review) Check(e Entry) *order.Refusal {
	if e.Action == envelope.ActionStart {
		fingerprint, _, _ := strings.Cut(e.Evidence, " ")
		r.opened = opening{e.Key, fingerprint}
	}
	if e.Proof == "" {
		if e.Decided && envelope.Needed(e.Action) && len(r.force) > 0 && e.At.After(r.force[0].since) {
			return order.Refuse(CodeSignatureNeeded, "%s of %s has no signature, and a roster was in force", e.Action, e.Actor)
		}
		return nil
	}
	var proof Proof
	if err := json.Unmarshal([]byte(e.Proof), &proof); err != nil {
		return order.Refuse(envelope.CodeMalformed, "the proof cannot be read")
	}
	if proof.Decision != "" && proof.Signature == "" {
		return order.Refuse(envelope.CodeListDiffers, "the signed envelope of the list, %s, is not stored", proof.Decision)
	}
	used := r.rosterOf(proof.Roster, e.At)
	if used == nil {
		return order.Refuse(CodeRosterUnknown, "the roster of the proof, %s, was not in force", proof.Roster)
	}
	origin := r.origin
	if origin == "" {
		origin = proof.Envelope.Origin
	}
	acted, refusal := proof.Verify(used, origin, e.At)
	if refusal != nil {
		return refusal
	}
	if proof.Door != "" && proof.Door != acted.Door { // entries from before the member have none
		return order.Refuse(envelope.CodeSignerOther, "the entry says that %q signed for %s, and the signature is of %q", proof.Door, e.Actor, acted.Door)
	}
	if proof.Envelope.List != nil && e.Key.Number != "" {
		return r.checkItem(e, proof, acted)
	}
	return r.belongsTo(e, proof.Envelope)
}

// belongsTo refuses an envelope that was made for another entry.
func (r *Review) belongsTo(e Entry, signed envelope.Envelope) *order.Refusal {
	number := signed.Number == e.Key.Number || e.Key.Number == "" && strings.HasPrefix(e.Evidence, about(signed)+":")
	if signed.Action != e.Action || signed.Merchant != e.Key.Merchant || !number || !slices.Contains(strings.Split(e.Actor, " and "), signed.By) {
		return order.Refuse(envelope.CodeOtherOrder, "the proof is for %s of %s/%s by %s", signed.Action, signed.Merchant, signed.Number, signed.By)
	}
	return r.hasContent(e.Key, signed.Fingerprint)
}

// hasContent refuses a proof for other content than the order was opened with. An
// adoption may leave the fingerprint out.
func (r *Review) hasContent(key order.Key, fingerprint string) *order.Refusal {
	if fingerprint != "" && key == r.opened.key && fingerprint != r.opened.fingerprint {
		return order.Refuse(envelope.CodeOtherOrder, "the proof is for other content than order %s was opened with", key)
	}
	return nil
}

// checkItem refuses an entry that the decision over a list does not cover: another
// order, or more orders than the totals that were signed.
func (r *Review) checkItem(e Entry, proof Proof, acted envelope.Acted) *order.Refusal {
	signed, item := proof.Envelope, proof.Item
	switch {
	case item == nil || proof.Decision != acted.Hash:
		return order.Refuse(envelope.CodeListDiffers, "the entry does not refer to the envelope of the list that is stored")
	case signed.Action != e.Action || item.Key() != e.Key || signed.By != e.Actor:
		return order.Refuse(envelope.CodeOtherOrder, "the proof is for %s of %s by %s", signed.Action, item.Key(), signed.By)
	}
	if refusal := acted.CheckItem(*item); refusal != nil {
		return refusal
	}
	if refusal := r.hasContent(e.Key, item.Fingerprint); refusal != nil || !e.Decided {
		return refusal
	}
	return r.spend(acted.Hash, item.Amount, signed.List.Totals)
}

// spend adds an order to what was done by a decision over a list.
func (r *Review) spend(decision string, amount money.Amount, totals []money.Amount) *order.Refusal {
	i := slices.IndexFunc(totals, func(total money.Amount) bool { return total.Currency() == amount.Currency() })
	of := total{decision, amount.Currency()}
	if i < 0 || amount.Minor() > totals[i].Minor()-r.done[of] {
		return order.Refuse(envelope.CodeListDiffers, "the orders that the decision %s has done are worth more than the totals that were signed", decision)
	}
	r.done[of] += amount.Minor()
	return nil
}

// about returns the beginning of the evidence of an entry that is not about an order.
func about(signed envelope.Envelope) string {
	if signed.Action == envelope.ActionResume {
		return "stop " + signed.Number
	}
	return "adjustment " + signed.Number
}

// overlap is how long a worker may go on with a roster after another worker has put
// its successor in force.
const overlap = time.Minute

// rosterOf returns the roster of the hash, if it was in force.
func (r *Review) rosterOf(hash string, at time.Time) *roster.Roster {
	for i, f := range r.force {
		ended := i+1 < len(r.force) && at.After(r.force[i+1].since.Add(overlap))
		if f.roster.Hash() == hash && !at.Before(f.since) && !ended {
			return f.roster
		}
	}
	return nil
}
