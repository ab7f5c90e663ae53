package authority

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// CodeRosterUnknown means that a roster is stored, or named by the audit, that was not in
// force, or not then. It is stable.
const CodeRosterUnknown = "ROSTER_UNKNOWN"

// Review verifies the proofs of an audit against the rosters that were in force. Give
// it the entries in the order of the chains: the installation's chain, which has the
// rosters, comes first.
type Review struct {
	origin string // of the installation; empty: it is not compared
	texts  map[string]RosterText
	force  []inForce
	opened opening         // of the order whose entries are being read
	pairs  pairs           // what two persons do, of the key whose entries are being read
	done   map[total]int64 // what was done by decisions over lists, in minor units
	named  map[string]bool // the rosters of which there was an entry
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
	return &Review{origin: origin, texts: rosters, done: make(map[total]int64), named: make(map[string]bool)}
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
	Genuine  bool       // its hash and its seal are right
	Part     rules.Part // in what two persons do
	About    string     // what they do it to, in the entry's chain
	Approval bool       // of an order: two persons must give it if the start is not signed
}

// Roster takes the entry of a roster that came into force. The code is ROSTER_UNKNOWN:
// the roster is not stored, or may not follow the one before.
func (r *Review) Roster(hash string, at time.Time) *order.Refusal {
	stored, found := r.texts[hash]
	r.named[hash] = true
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

// Unnamed returns the hashes of the stored rosters of which Roster was given no entry,
// sorted: none of them came into force.
func (r *Review) Unnamed() []string {
	var unnamed []string
	for _, hash := range slices.Sorted(maps.Keys(r.texts)) {
		if !r.named[hash] {
			unnamed = append(unnamed, hash)
		}
	}
	return unnamed
}

// clocks is the most by which the clock of the process that checked a roster may have
// differed from that of the ledger, whose time the entry has. It matters if a key of an
// admin expired in between.
const clocks = 5 * time.Minute

func (r *Review) next(stored RosterText, at time.Time) (next *roster.Roster, err error) {
	if len(r.force) == 0 {
		return roster.Parse(stored.Text, "the first roster")
	}
	for _, difference := range []time.Duration{-clocks, clocks, 0} {
		next, err = roster.Succeeds(r.force[len(r.force)-1].roster, stored.Text, "the roster", roster.SplitSignatures(stored.Signatures), at.Add(difference))
		if err == nil {
			break
		}
	}
	return next, err
}

// Check verifies the proof of an entry, and what two persons do. Without a proof, an
// action that a person has done while a roster was in force is refused with
// SIGNATURE_NEEDED. The code of a second person's entry without a first one is
// FIRST_PERSON_UNPROVEN. The other codes are ROSTER_UNKNOWN and those of Signed.Verify,
// Fits and FitsItem.
func (r *Review) Check(e Entry) *order.Refusal {
	act := act{Entry: e}
	if refusal := r.checkProof(&act); refusal != nil {
		return refusal
	}
	return r.checkPair(act)
}

// act is an entry with its proof, and the roster that the proof was verified with; nil if
// it has none.
type act struct {
	Entry
	proof Proof
	used  *roster.Roster
}

func (r *Review) checkProof(e *act) *order.Refusal {
	if e.Action == envelope.ActionStart {
		fingerprint, _, _ := strings.Cut(e.Evidence, " ")
		r.opened = opening{e.Key, fingerprint}
	}
	if e.Proof == "" {
		if e.Decided && envelope.Needed(e.Action) && r.inForce(e.At) {
			return order.Refuse(CodeSignatureNeeded, "%s of %s has no signature, and a roster was in force", e.Action, e.Actor)
		}
		return nil
	}
	if err := json.Unmarshal([]byte(e.Entry.Proof), &e.proof); err != nil {
		return order.Refuse(envelope.CodeMalformed, "the proof cannot be read")
	}
	proof := e.proof
	if proof.Decision != "" && proof.Signature == "" {
		return order.Refuse(envelope.CodeListDiffers, "the signed envelope of the list, %s, is not stored", proof.Decision)
	}
	used := r.rosterOf(proof.Roster, e.At)
	if used == nil {
		return order.Refuse(CodeRosterUnknown, "the roster of the proof, %s, was not in force", proof.Roster)
	}
	acted, refusal := proof.Verify(used, r.originOf(proof), e.At)
	if refusal != nil {
		return refusal
	}
	e.used = used
	if proof.Door != acted.Door {
		return order.Refuse(envelope.CodeSignerOther, "the entry says that %q signed for %s, and the signature is of %q", proof.Door, e.Actor, acted.Door)
	}
	if proof.Envelope.List != nil && e.Key.Number != "" {
		return r.checkItem(e.Entry, proof, acted)
	}
	return r.belongsTo(e.Entry, proof.Envelope)
}

// inForce reports whether any roster was in force at a time.
func (r *Review) inForce(at time.Time) bool { return len(r.force) > 0 && at.After(r.force[0].since) }

// originOf returns the installation that a proof must be for.
func (r *Review) originOf(proof Proof) string { return cmp.Or(r.origin, proof.Envelope.Origin) }

// belongsTo refuses an envelope that was made for another entry.
func (r *Review) belongsTo(e Entry, signed envelope.Envelope) *order.Refusal {
	number := signed.Number == e.Key.Number || e.Key.Number == "" && strings.HasPrefix(e.Evidence, about(signed)+":")
	actor := signed.By == e.Actor || e.Part == rules.PartSecond && e.Action == order.ActionResolve && strings.HasSuffix(e.Actor, " and "+signed.By)
	if signed.Action != e.Action || signed.Merchant != e.Key.Merchant || !number || !actor {
		return order.Refuse(envelope.CodeOtherOrder, "the proof is for %s of %s/%s by %s", signed.Action, signed.Merchant, signed.Number, signed.By)
	}
	if signed.Action == envelope.ActionCloseDay && !strings.HasSuffix(e.Evidence, " "+signed.Fingerprint) {
		return order.Refuse(envelope.CodeOtherOrder, "the proof is for other figures of %s", signed.Number)
	}
	if named, _, _ := strings.Cut(e.Evidence, ":"); signed.Action == envelope.ActionCloseDiscrepancy && !strings.HasPrefix(signed.Kind, named+" ") {
		return order.Refuse(envelope.CodeOtherOrder, "the proof is for %s", signed.Kind)
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
	switch signed.Action {
	case envelope.ActionResume:
		return "stop " + signed.Number
	case envelope.ActionCloseDay:
		return "day " + signed.Number
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
