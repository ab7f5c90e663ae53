package envelope

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Of returns the envelope of an action on an order as the actor sees the order. It
// is issued at the given time, and expires after life. Its id is the action's id,
// or a new one if the action has none. The codes are ENVELOPE_NOT_NEEDED, for a
// note or a poll, and those of Check.
func Of(action order.Action, o order.Order, origin string, issued time.Time, life time.Duration) (Envelope, *order.Refusal) {
	e := issue(action.Name(), origin, issued, life)
	e.ID, e.Merchant, e.Number = order.ActionID(action), o.Merchant, o.Number
	e.Fingerprint, e.Requester, e.Amount = o.Fingerprint, o.RequestedBy, o.Amount
	if e.Fingerprint == "" { // an adoption of an order that the ledger has lost
		e.Amount, e.Requester = money.Amount{}, ""
	}
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
		e.WholeFee, e.Replace = a.WholeFee, a.Replace
	case order.Adoption:
		e.By = a.By
	default:
		return Envelope{}, order.Refuse(CodeNotNeeded, "%s is not signed", action.Name())
	}
	return e, e.Check()
}

// Start returns the envelope of a request's start.
func Start(request order.Request, origin string, issued time.Time, life time.Duration) Envelope {
	e := issue(ActionStart, origin, issued, life)
	e.ID, e.By, e.Merchant, e.Number = NewID(), request.RequestedBy, request.Merchant, request.Number
	e.Fingerprint, e.Amount = request.Fingerprint(), request.Amount
	return e
}

// Adjustment returns the envelope of an action on an adjustment, as proposed or as
// it is on record.
func Adjustment(action string, who order.Who, a order.AdjustmentProposal, origin string, issued time.Time, life time.Duration) Envelope {
	e := issue(action, origin, issued, life)
	e.ID, e.By, e.Reason, e.Merchant, e.Number = who.ID, who.By, who.Why, a.Merchant, a.Ref
	e.Kind, e.Amount, e.Evidence = a.Kind, a.Amount, a.Evidence
	return e
}

// CloseDiscrepancy returns the envelope of closing a discrepancy with the stake.
func CloseDiscrepancy(who order.Who, d order.DiscrepancySigned, stake money.Amount, origin string, issued time.Time, life time.Duration) Envelope {
	e := issue(ActionCloseDiscrepancy, origin, issued, life)
	e.ID, e.By, e.Reason, e.Merchant, e.Number, e.Kind, e.Amount = who.ID, who.By, who.Why, d.Merchant, d.Number, d.String(), stake
	return e
}

// Resume returns the envelope of the end of a stop.
func Resume(who order.Who, scope order.StopScope, id int64, origin string, issued time.Time, life time.Duration) Envelope {
	e := issue(ActionResume, origin, issued, life)
	e.ID, e.By, e.Reason, e.Merchant, e.Number, e.Kind = who.ID, who.By, who.Why, scope.Merchant, strconv.FormatInt(id, 10), scope.String()
	return e
}

// OfList returns the envelope of one decision over a list. If all its orders are of one
// merchant, the envelope names it. The codes are those of Check.
func OfList(action, by, why string, list List, merchant, origin string, issued time.Time, life time.Duration) (Envelope, *order.Refusal) {
	e := issue(action, origin, issued, life)
	e.ID, e.By, e.Reason, e.Merchant, e.List = NewID(), by, why, merchant, &list
	return e, e.Check()
}

// Erase returns the envelope of the erasure of an order's personal data.
func Erase(who order.Who, key order.Key, origin string, issued time.Time, life time.Duration) Envelope {
	e := issue(ActionErase, origin, issued, life)
	e.ID, e.By, e.Reason, e.Merchant, e.Number = who.ID, who.By, who.Why, key.Merchant, key.Number
	return e
}

// Closing returns the envelope of the closing of a day.
func Closing(who order.Who, day order.DayRef, origin string, issued time.Time, life time.Duration) Envelope {
	e := issue(ActionCloseDay, origin, issued, life)
	e.ID, e.By, e.Reason, e.Merchant, e.Number = who.ID, who.By, who.Why, day.Merchant, string(day.Day)
	e.Kind, e.Fingerprint = ClosingKind(day), day.Hash
	return e
}

// ClosingKind returns the kind of the envelope of the closing of a day.
func ClosingKind(day order.DayRef) string { return day.Currency + " " + day.Zone }

// issue returns an envelope with what all envelopes have. Times are in whole seconds.
func issue(action, origin string, issued time.Time, life time.Duration) Envelope {
	e := Envelope{Format: Format, Origin: origin, Action: action, Issued: issued.UTC().Truncate(time.Second)}
	e.Expires = e.Issued.Add(life.Truncate(time.Second))
	return e
}

// Proof returns the signed envelope as a request or an action has it.
func (s Signed) Proof() (order.Proof, error) {
	text, refusal := s.Envelope.Bytes()
	if refusal != nil {
		return order.Proof{}, refusal
	}
	return order.Proof{Envelope: text, Signature: s.Signature}, nil
}

// Action returns the signed envelope as an action on an order. The code is
// INVALID_REQUEST for a start, an adjustment and a resumption, which are no actions
// on an order.
func (s Signed) Action() (order.Signed, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return order.Signed{}, err
	}
	return order.ReadSigned(text)
}

// ActionOn returns the signed envelope of a list as an action on one of its orders. The
// code is INVALID_REQUEST.
func (s Signed) ActionOn(item Listed) (order.Signed, error) {
	text, err := json.Marshal(struct {
		Signed
		Item Listed `json:"item"`
	}{s, item})
	if err != nil {
		return order.Signed{}, err
	}
	return order.ReadSigned(text)
}

// ReadItem reads the item of an action on an order of a list. The codes are
// INVALID_REQUEST and ENVELOPE_LIST_DIFFERS.
func ReadItem(data []byte) (Listed, *order.Refusal) {
	var item Listed
	if refusal := read(data, &item); refusal != nil {
		return Listed{}, refusal
	}
	if len(item.Hashes) > maxPath {
		return Listed{}, order.Refuse(CodeListDiffers, "the proof of a list has at most %d hashes", maxPath)
	}
	return item, item.check()
}

// Kept is what the audit keeps of an action.
type Kept struct {
	Proof    string    // JSON; empty for an action that needs no signature
	Decision *Decision // of the list that Proof refers to; nil for an action on one order
	Item     Item      // of the order in that list
}

// Decision is the signed envelope of a list. It is kept once for all its orders.
type Decision struct {
	Hash   string // of the canonical bytes
	Signed string // the JSON of a Signed
	Totals []money.Amount
}

// Needed reports whether an action of the name is signed when there is a roster.
func Needed(action string) bool {
	_, needed := ruleOf(action)
	return needed
}
