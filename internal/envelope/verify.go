package envelope

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/saytime"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Signed is an envelope with its signature: what is sent and stored. In JSON it can
// be pasted as the argument of an update.
type Signed struct {
	Envelope Envelope `json:"envelope"`
	// Signature is an armored SSH signature, or "ed25519:ID:BASE64".
	Signature string `json:"signature"`
}

// maxSigned is the most bytes of the JSON of a Signed.
const maxSigned = 64 << 10

// ReadSigned reads the JSON of a Signed. The codes are INVALID_REQUEST and
// ENVELOPE_MALFORMED.
func ReadSigned(data []byte) (Signed, *order.Refusal) {
	if len(data) > maxSigned {
		return Signed{}, malformed("a signed envelope has at most %d bytes", maxSigned)
	}
	var signed Signed
	if refusal := read(data, &signed); refusal != nil {
		return Signed{}, refusal
	}
	return signed, signed.Envelope.Check()
}

// ReadSignedItem reads the JSON of a Signed. That of a list has the member item: one of its
// orders, with the proof that the list has it; item is nil otherwise. The codes are
// INVALID_REQUEST, ENVELOPE_MALFORMED and ENVELOPE_LIST_DIFFERS.
func ReadSignedItem(data []byte) (signed Signed, item *Listed, refusal *order.Refusal) {
	if len(data) > maxSigned {
		return signed, nil, malformed("a signed envelope has at most %d bytes", maxSigned)
	}
	var form struct {
		Signed
		Item *Listed `json:"item"`
	}
	if refusal := read(data, &form); refusal != nil {
		return signed, nil, refusal
	}
	signed, item = form.Signed, form.Item
	if refusal = signed.Envelope.Check(); refusal != nil {
		return signed, nil, refusal
	}
	if (signed.Envelope.List != nil) != (item != nil) {
		return signed, nil, order.Refuse(CodeListDiffers, "an envelope of a list is sent with one of its orders, as the member item, and one of an order without")
	}
	return signed, item, nil
}

// Acted is a verified envelope, with its actor and its signer.
type Acted struct {
	Envelope Envelope
	Hash     string       // of the canonical bytes
	Actor    roster.Actor // who acts
	Door     string       // the system that signed for the actor; "" if the actor signed
	Key      string       // the signing key: an SSH fingerprint, or the id of an ed25519 key

	roster *roster.Roster
}

// Verify checks a signed envelope against a roster at a time: its form, its
// signature, its installation and its times, and whether the actor's role,
// merchants and limits allow the action. It does not compare the envelope with an
// order: see Fits and FitsItem. The caller must check whether the id was used
// before.
//
// To verify an entry of the audit, pass the roster that was in force and the time of
// the entry.
//
// The codes are those of Check, of roster.SignedBy and roster.May,
// OWN_SIGNATURE_NEEDED, SIGNER_NOT_ACTOR, ENVELOPE_FOREIGN, ENVELOPE_EXPIRED and
// ENVELOPE_TOO_EARLY.
func (s Signed) Verify(r *roster.Roster, origin string, at time.Time) (Acted, *order.Refusal) {
	return s.VerifyDone(r, origin, at, at)
}

// VerifyDone is Verify for an envelope that was used before, at the time done, and is
// counted now: it must not have expired when it was used. Its key and its actor must be
// those of the roster now.
func (s Signed) VerifyDone(r *roster.Roster, origin string, done, now time.Time) (Acted, *order.Refusal) {
	bytes, refusal := s.Envelope.Bytes()
	if refusal != nil {
		return Acted{}, refusal
	}
	acted := Acted{Envelope: s.Envelope, Hash: Hash(bytes), roster: r}
	if refusal := acted.signer(bytes, s.Signature, now); refusal != nil {
		return Acted{}, refusal
	}
	e := s.Envelope
	switch {
	case e.Origin != origin:
		return Acted{}, order.Refuse(CodeForeign, "the envelope is for installation %s; this is %s", e.Origin, origin)
	case e.Issued.After(done.Add(MaxAhead)):
		return Acted{}, order.Refuse(CodeTooEarly, "the envelope was issued at %s, which is in the future; set the clock of the machine that signed", saytime.Say(e.Issued))
	case !done.Before(e.Expires):
		return Acted{}, order.Refuse(CodeExpired, "the envelope expired at %s; sign a new one", saytime.Say(e.Expires))
	}
	if refusal := acted.may(e.Merchant); refusal != nil {
		return Acted{}, refusal
	}
	return acted, nil
}

// signer finds the signer, and checks that it is the actor or a door.
func (a *Acted) signer(bytes []byte, signature string, at time.Time) *order.Refusal {
	signer, refusal := a.whoSigned(bytes, signature, at)
	if refusal != nil {
		return refusal
	}
	if signer.Name == a.Envelope.By {
		a.Actor = signer
		return nil
	}
	if !signer.Door {
		return order.Refuse(CodeSignerOther, "the envelope says that %s acts, and %s signed it", clip(a.Envelope.By), signer.Name)
	}
	a.Door = signer.Name
	if a.Actor, refusal = a.roster.Actor(a.Envelope.By); refusal != nil {
		return refusal
	}
	return a.doorMay()
}

// doorMay refuses what a door may not sign for the actor: other actions than those that
// are done at a door, a person who has no subject to log in with, and amounts above the
// roster's limit.
func (a *Acted) doorMay() *order.Refusal {
	rule, _ := ruleOf(a.Envelope.Action)
	switch {
	case !rule.door:
		return order.Refuse(roster.CodeOwnSignatureNeeded, "%s is not done by logging in; sign it with your own key", a.Envelope.Action)
	case a.Actor.Kind == roster.Person && !a.roster.LogsIn(a.Actor.Name):
		return order.Refuse(roster.CodeOwnSignatureNeeded, "%s has no OIDC subject in the roster, so nobody can have logged in by that name", a.Actor.Name)
	}
	return a.roster.DoorMay(a.Envelope.amounts()...)
}

// systemSignature is the prefix of a system's signature.
const systemSignature = "ed25519:"

func (a *Acted) whoSigned(bytes []byte, signature string, at time.Time) (roster.Actor, *order.Refusal) {
	rest, system := strings.CutPrefix(signature, systemSignature)
	if !system {
		actor, key, refusal := a.roster.SignedBy(bytes, []byte(signature), at)
		if refusal == nil {
			a.Key = ssh.FingerprintSHA256(key)
		}
		return actor, refusal
	}
	id, text, _ := strings.Cut(rest, ":")
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != ed25519.SignatureSize || base64.StdEncoding.EncodeToString(raw) != text {
		return roster.Actor{}, order.Refuse(roster.CodeSignatureMalformed, "the signature of a system is ed25519:ID:SIGNATURE, with the %d bytes of the signature in base64", ed25519.SignatureSize)
	}
	actor, key, refusal := a.roster.ByEd25519(id, at)
	if refusal != nil {
		return roster.Actor{}, refusal
	}
	if !ed25519.Verify(key, bytes, raw) {
		return roster.Actor{}, order.Refuse(roster.CodeSignatureWrong, "the signature of %s does not fit what was signed; sign the canonical bytes, as they are", actor.Name)
	}
	a.Key = id
	return actor, nil
}

// may checks the actor's roles, limits and merchant. If a list has no merchant,
// FitsItem checks the merchant of each item.
func (a Acted) may(merchant string) *order.Refusal {
	rule, _ := ruleOf(a.Envelope.Action)
	if merchant == "" && a.Envelope.List != nil {
		merchant = a.oneMerchant()
	}
	var refusal *order.Refusal
	for _, role := range rule.roles {
		refusal = a.roster.May(a.Actor.Name, role, merchant, a.Envelope.amounts()...)
		if refusal == nil || refusal.Code != roster.CodeRoleMissing {
			return refusal
		}
	}
	return refusal
}

// oneMerchant returns a merchant of the actor. It returns "" for an actor of all
// merchants, and for an actor without merchants, whom May refuses.
func (a Acted) oneMerchant() string {
	if len(a.Actor.Merchants) == 0 || a.Actor.Merchants[0] == roster.AllMerchants {
		return ""
	}
	return a.Actor.Merchants[0]
}

// Fits refuses an envelope that differs from the stored order in number, content,
// amount or requester. The actor of a start must be the order's requester. The
// requester may not approve: the code is then SAME_PERSON. Otherwise it is
// ENVELOPE_OTHER_CONTENT.
func (a Acted) Fits(o order.Order) *order.Refusal {
	e := a.Envelope
	if e.List != nil {
		return order.Refuse(CodeOtherOrder, "the envelope is for a list of orders")
	}
	item, stored := Item{e.Merchant, e.Number, e.Fingerprint, e.Amount, e.Requester}, ItemOf(o, e.Action)
	if e.Action == order.ActionAdopt && e.Fingerprint == "" {
		stored = Item{Merchant: o.Merchant, Number: o.Number, Amount: e.Amount, Requester: e.Requester}
	}
	if item != stored {
		return order.Refuse(CodeOtherOrder, "the envelope is not for order %s as it is on record; look at the order again and sign that", o.Number)
	}
	return a.checkRequester(o.Number, o.RequestedBy)
}

// FitsItem is Fits for an order of a list, with the item that was sent. The codes are
// those of Fits and CheckItem.
//
// The totals in the envelope are the signer's words, and the actor's limits were compared
// with them. So the caller must not let the orders that are done by the envelope be
// worth more than its totals.
func (a Acted) FitsItem(o order.Order, item Listed) *order.Refusal {
	if item.Item != ItemOf(o, a.Envelope.Action) {
		return order.Refuse(CodeOtherOrder, "order %s is not on record as it is in the list; look at the list again and sign that", o.Number)
	}
	return a.CheckItem(item)
}

// CheckItem refuses an order that is not in the envelope's list, or that the actor may
// not act on. The codes are ENVELOPE_OTHER_CONTENT, ENVELOPE_LIST_DIFFERS, SAME_PERSON,
// and MERCHANT_NOT_ALLOWED for an order of a merchant that is not the actor's.
func (a Acted) CheckItem(item Listed) *order.Refusal {
	switch {
	case a.Envelope.List == nil:
		return order.Refuse(CodeOtherOrder, "the envelope is for one order, not for a list")
	case a.Envelope.Merchant != "" && a.Envelope.Merchant != item.Merchant:
		return order.Refuse(CodeOtherOrder, "the envelope is for orders of merchant %s", a.Envelope.Merchant)
	}
	if refusal := a.Envelope.List.Has(item); refusal != nil {
		return refusal
	}
	if refusal := a.may(item.Merchant); refusal != nil {
		return refusal
	}
	return a.checkRequester(item.Number, item.Requester)
}

// ItemOf returns the item of an order. The item of a start has no requester,
// because the actor is the requester.
func ItemOf(o order.Order, action string) Item {
	item := Item{o.Merchant, o.Number, o.Fingerprint, o.Amount, o.RequestedBy}
	if action == ActionStart {
		item.Requester = ""
	}
	return item
}

// checkRequester refuses an approval by the order's requester, and a start for another
// requester. It compares the names with order.SamePerson, because an order from
// before the roster may have another spelling of the name.
func (a Acted) checkRequester(number, requester string) *order.Refusal {
	if a.Envelope.Action == ActionStart && requester != "" && requester != a.Actor.Name {
		return order.Refuse(CodeOtherOrder, "order %s says that %q requests it, and %s signed it", number, clip(requester), a.Actor.Name)
	}
	if a.Envelope.Action == order.ActionApprove && rules.SamePerson(a.Actor.Name, requester) {
		return order.Refuse(codes.SamePerson, "%s requested order %s; another person must approve it", requester, number)
	}
	return nil
}
