// Package envelope creates and verifies signed actions: decisions of a person or a
// system of the roster. Their bytes can be verified without this program.
//
// # Canonical bytes
//
// An envelope is signed as one JSON object in the canonical form of RFC 8785 (JCS):
//
//   - UTF-8, no byte order mark, no white space outside texts, no newline at the end;
//   - members sorted by name; a member without a value is left out, and none is null;
//   - texts escape only ", \ and characters below U+0020, in the shortest way;
//   - an amount is {"currency":"PKR","value":"1500.00"}, with exactly the decimals of
//     its currency; the only number is list.count, an integer; true is written as true,
//     and false is left out;
//   - a time is RFC 3339 in UTC with whole seconds: "2026-11-29T12:00:00Z";
//   - fingerprints and roots are 64 digits 0 to 9 and a to f.
//
// Other bytes with the same meaning are refused with ENVELOPE_NOT_CANONICAL.
//
// # Members
//
//	action       what is done, see Actions
//	amount       of the order or the adjustment
//	by           the name in the roster of who acts
//	end          resolve: the state that the evidence proves
//	evidence     the proof of a resolution or an adjustment
//	expires      the envelope is refused from then on; at most 31 days after issued
//	fee          resolve: what the gateway kept
//	fingerprint  of the order's content, whole; an adoption may leave it out with the
//	             amount, because the ledger may have lost the order; close_day: the hash
//	             of the figures
//	format       "payouts-envelope-1"
//	id           chosen once per decision; a second use of it is a repetition
//	issued       when it was made, by the signer's clock
//	kind         of an adjustment; resume: what was stopped, in words; close_day: the
//	             currency and the time zone
//	list         of a decision over many orders: count, root and totals
//	merchant     the merchant number; left out if the list or the stop is of several
//	number       the order's number, the adjustment's reference, the stop's id, or the day
//	origin       the installation; an envelope of another one is refused
//	paid         resolve to partially_paid: what arrived
//	reason       why, in a sentence
//	replace      resolve: true to take the place of another person's proposal
//	requester    who requested the order, as the signer saw it
//	whole_fee    resolve: true to confirm a fee as large as what was paid
//
// # Signatures
//
// A person signs the bytes as an SSHSIG of namespace "payouts", as
// `ssh-keygen -Y sign -n payouts` does. A system signs the same bytes with ed25519
// (RFC 8032), written as "ed25519:", the key's id in the roster, ":" and the
// signature in base64.
//
// # Lists
//
// list.root is the root of a Merkle tree as in RFC 6962. Its leaves are the list's
// items, sorted by merchant and number, each in canonical JSON with the members
// amount, fingerprint, merchant, number and requester.
//
// This package uses no SQL, no Temporal and no HTTP.
package envelope

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Format is the version of the envelope's form. A changed form needs a new
// version.
const Format = "payouts-envelope-1"

// Envelope is one decision, ready to be signed. The package comment describes its
// members.
type Envelope struct {
	Format      string       `json:"format"`
	Origin      string       `json:"origin"`
	Action      string       `json:"action"`
	By          string       `json:"by"`
	ID          string       `json:"id"`
	Issued      time.Time    `json:"issued"`
	Expires     time.Time    `json:"expires"`
	Merchant    string       `json:"merchant,omitempty"`
	Number      string       `json:"number,omitempty"`
	Fingerprint string       `json:"fingerprint,omitempty"`
	Requester   string       `json:"requester,omitempty"`
	Amount      money.Amount `json:"amount,omitzero"`
	Kind        string       `json:"kind,omitempty"`
	End         order.State  `json:"end,omitempty"`
	Paid        money.Amount `json:"paid,omitzero"`
	Fee         money.Amount `json:"fee,omitzero"`
	Evidence    string       `json:"evidence,omitempty"`
	Reason      string       `json:"reason,omitempty"`
	WholeFee    bool         `json:"whole_fee,omitempty"`
	Replace     bool         `json:"replace,omitempty"`
	List        *List        `json:"list,omitempty"`
}

// Codes of refusals, beside those of package roster. They are stable.
const (
	CodeMalformed    = "ENVELOPE_MALFORMED"     // a member is missing, not of this action, or of another form
	CodeNotCanonical = "ENVELOPE_NOT_CANONICAL" // the bytes are not the canonical ones
	CodeNotNeeded    = "ENVELOPE_NOT_NEEDED"    // the action is not signed
	CodeForeign      = "ENVELOPE_FOREIGN"       // it was made for another installation
	CodeExpired      = "ENVELOPE_EXPIRED"       // it has expired
	CodeTooEarly     = "ENVELOPE_TOO_EARLY"     // it was issued in the future
	CodeOtherOrder   = "ENVELOPE_OTHER_CONTENT" // it is for another order, or for other content
	CodeListDiffers  = "ENVELOPE_LIST_DIFFERS"  // the list is not the one that was signed
	CodeSignerOther  = "SIGNER_NOT_ACTOR"       // the key does not belong to the actor
)

const (
	// MaxLife is the longest time between issued and expires: an order waits for its
	// approval for 30 days at most.
	MaxLife = 31 * 24 * time.Hour
	// MaxAhead is how far the signer's clock may be ahead of the verifier's.
	MaxAhead = 5 * time.Minute
)

// NewID returns a random id for an envelope.
func NewID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	return hex.EncodeToString(random[:])
}

// Bytes returns the canonical bytes: what is signed and stored. The refusal is that
// of Check.
func (e Envelope) Bytes() ([]byte, *order.Refusal) {
	if refusal := e.Check(); refusal != nil {
		return nil, refusal
	}
	return canonical(e), nil
}

// canonical returns the JSON of a value in the form of RFC 8785.
func canonical(value any) []byte {
	text, err := json.Marshal(value)
	form := jsontext.Value(text)
	if err == nil {
		err = form.Canonicalize()
	}
	if err != nil {
		panic("envelope: valid texts, amounts and times cannot fail to encode: " + err.Error())
	}
	return form
}

// Hash returns the SHA-256 of canonical bytes, in hex. The audit refers to an
// envelope by it.
func Hash(bytes []byte) string {
	sum := sha256.Sum256(bytes)
	return hex.EncodeToString(sum[:])
}

// Parse reads canonical bytes. The codes are INVALID_REQUEST, ENVELOPE_MALFORMED
// and ENVELOPE_NOT_CANONICAL.
func Parse(bytes []byte) (Envelope, *order.Refusal) {
	var e Envelope
	if refusal := read(bytes, &e); refusal != nil {
		return Envelope{}, refusal
	}
	again, refusal := e.Bytes()
	if refusal != nil {
		return Envelope{}, refusal
	}
	if string(again) != string(bytes) {
		return Envelope{}, order.Refuse(CodeNotCanonical, "these are not the canonical bytes of the envelope; sign and send the file as it was written, without a newline or any other change")
	}
	return e, nil
}

func read(data []byte, into any) *order.Refusal {
	var refusal *order.Refusal
	if err := order.Read(data, into); err != nil && !errors.As(err, &refusal) {
		return order.Refuse(order.CodeInvalidRequest, "it cannot be read")
	}
	return refusal
}

var (
	hashForm   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	idForm     = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)
	originForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}(/[A-Za-z0-9._-]{1,64}){0,3}$`)
)

// Check refuses an envelope with an unknown, missing or malformed member. The
// codes are ENVELOPE_MALFORMED and TEXT_TOO_LONG.
func (e Envelope) Check() *order.Refusal {
	rule, known := ruleOf(e.Action)
	switch {
	case e.Format != Format:
		return malformed("format must be %s", Format)
	case !known:
		return malformed("no action %q; known are %s", clip(e.Action), strings.Join(Actions(), ", "))
	case !originForm.MatchString(e.Origin):
		return malformed("origin must be the installation's name, such as payouts.example.com/live")
	case e.By == "":
		return malformed("by must say who acts")
	case !idForm.MatchString(e.ID):
		return malformed("id must be 8 to 64 of letters, digits and . _ -")
	}
	for _, check := range []func() *order.Refusal{e.checkTimes, e.checkTexts, e.checkForms, e.checkList} {
		if refusal := check(); refusal != nil {
			return refusal
		}
	}
	return e.checkMembers(rule)
}

func (e Envelope) checkTimes() *order.Refusal {
	for _, t := range []time.Time{e.Issued, e.Expires} {
		if t.IsZero() || t.Location() != time.UTC || t.Nanosecond() != 0 || t.Year() > 9999 {
			return malformed("issued and expires must be times in UTC with whole seconds")
		}
	}
	if life := e.Expires.Sub(e.Issued); life <= 0 || life > MaxLife {
		return malformed("expires must be after issued, by at most %d days", int(MaxLife/(24*time.Hour)))
	}
	return nil
}

// checkTexts refuses a text that is too long, or has characters that could make
// its display differ from the signed text.
func (e Envelope) checkTexts() *order.Refusal {
	for _, t := range []struct {
		member, text string
		most         int
	}{
		{"by", e.By, order.MaxName},
		{"requester", e.Requester, order.MaxName},
		{"kind", e.Kind, order.MaxName},
		{"end", string(e.End), order.MaxName},
		{"number", e.Number, order.MaxName},
		{"evidence", e.Evidence, order.MaxText},
		{"reason", e.Reason, order.MaxText},
	} {
		if refusal := order.TooLong(t.member, t.text, t.most); refusal != nil {
			return refusal
		}
		if !utf8.ValidString(t.text) || strings.ContainsFunc(t.text, hides) {
			return malformed("%s must be UTF-8 without control characters and without marks that change the direction of writing", t.member)
		}
		if t.text != "" && strings.TrimSpace(t.text) == "" {
			return malformed("%s is blank", t.member)
		}
	}
	return nil
}

func hides(c rune) bool {
	return (unicode.IsControl(c) && c != '\n' && c != '\t') || unicode.Is(unicode.Bidi_Control, c)
}

func (e Envelope) checkForms() *order.Refusal {
	key := order.Key{Merchant: e.Merchant, Number: e.Number}
	if e.Merchant == "" {
		key.Merchant = "M"
	}
	if e.Number == "" {
		key.Number = "1"
	}
	if !key.WellFormed() {
		return malformed("merchant must be a merchant number, and number an order's number or an adjustment's reference")
	}
	if e.Fingerprint != "" && !hashForm.MatchString(e.Fingerprint) {
		return malformed("fingerprint must be whole: 64 digits 0 to 9 and a to f")
	}
	for _, amount := range []money.Amount{e.Amount, e.Paid, e.Fee} {
		if amount != (money.Amount{}) && (!amount.Within(money.Most) || amount.Minor() < 0) {
			return malformed("amounts must not be negative, nor larger than an order's may be")
		}
	}
	return nil
}

// checkMembers compares the envelope's members with those of its action.
func (e Envelope) checkMembers(rule rule) *order.Refusal {
	if e.List != nil && !rule.list {
		return malformed("%s is for one order; it has no list", e.Action)
	}
	needs, may := rule.needs, rule.may
	if e.List != nil {
		needs = slices.DeleteFunc(slices.Clone(needs), func(member string) bool { return slices.Contains(itemMembers, member) })
		may = append(slices.DeleteFunc(slices.Clone(may), func(member string) bool { return slices.Contains(itemMembers, member) }), "merchant")
	}
	there := map[string]bool{
		"merchant": e.Merchant != "", "number": e.Number != "", "fingerprint": e.Fingerprint != "", "requester": e.Requester != "",
		"amount": e.Amount != (money.Amount{}), "kind": e.Kind != "", "end": e.End != "", "paid": e.Paid != (money.Amount{}),
		"fee": e.Fee != (money.Amount{}), "evidence": e.Evidence != "", "reason": e.Reason != "",
		"whole_fee": e.WholeFee, "replace": e.Replace,
	}
	for _, member := range members {
		switch {
		case there[member] && !slices.Contains(needs, member) && !slices.Contains(may, member):
			return malformed("the member %s does not belong to %s", member, e.Action)
		case !there[member] && slices.Contains(needs, member):
			return malformed("%s needs the member %s", e.Action, member)
		}
	}
	return nil
}

func malformed(format string, values ...any) *order.Refusal {
	return order.Refuse(CodeMalformed, format, values...)
}

// maxClip is the most bytes of another party's text that a refusal repeats.
const maxClip = 64

func clip(text string) string {
	if len(text) > maxClip {
		return strings.ToValidUTF8(text[:maxClip], "") + "…"
	}
	return text
}

// rule says which members an action's envelope has, and who may sign it.
type rule struct {
	action string
	roles  []roster.Role // the actor needs one of them
	moves  bool          // the actor's limits apply
	list   bool          // the envelope may have a list of orders
	door   bool          // a door may sign it for who logged in there
	needs  []string
	may    []string
}

// The actions that are not on an order. Package order names those on orders.
const (
	ActionStart             = "start"
	ActionProposeAdjustment = "propose_adjustment"
	ActionConfirmAdjustment = "confirm_adjustment"
	ActionRejectAdjustment  = "reject_adjustment"
	ActionCloseDiscrepancy  = "close_discrepancy" // its amount is the stake, if that is known
	ActionResume            = "resume"
	ActionCloseDay          = "close_day" // of a merchant, with the figures' hash as fingerprint
	ActionErase             = "erase"     // the personal data of an order; it names no fingerprint, which may be erased
)

// members are the members that depend on the action. itemMembers are those of a
// list's items.
var (
	members     = []string{"merchant", "number", "fingerprint", "requester", "amount", "kind", "end", "paid", "fee", "evidence", "reason", "whole_fee", "replace"}
	itemMembers = []string{"merchant", "number", "fingerprint", "requester", "amount"}
)

var signedActions = []rule{
	{ActionStart, []roster.Role{roster.Request}, true, true, true,
		[]string{"merchant", "number", "fingerprint", "amount"}, nil},
	{order.ActionApprove, []roster.Role{roster.Approve}, true, true, true,
		[]string{"merchant", "number", "fingerprint", "amount"}, []string{"requester", "reason"}},
	{order.ActionReject, []roster.Role{roster.Approve}, false, true, true,
		[]string{"merchant", "number", "fingerprint", "amount", "reason"}, []string{"requester"}},
	{order.ActionCancel, []roster.Role{roster.Request, roster.Approve}, false, true, true,
		[]string{"merchant", "number", "fingerprint", "amount", "reason"}, []string{"requester"}},
	{order.ActionResolve, []roster.Role{roster.Resolve}, true, false, false,
		[]string{"merchant", "number", "fingerprint", "amount", "end", "evidence", "reason"}, []string{"requester", "paid", "fee", "whole_fee", "replace"}},
	{order.ActionAdopt, []roster.Role{roster.Operate}, false, false, false,
		[]string{"merchant", "number"}, []string{"fingerprint", "amount", "requester", "reason"}},
	{ActionProposeAdjustment, []roster.Role{roster.Adjust}, true, false, false,
		[]string{"merchant", "number", "amount", "kind", "evidence", "reason"}, nil},
	{ActionConfirmAdjustment, []roster.Role{roster.Adjust}, true, false, false,
		[]string{"merchant", "number", "amount", "kind", "evidence"}, []string{"reason"}},
	{ActionRejectAdjustment, []roster.Role{roster.Adjust}, false, false, false,
		[]string{"merchant", "number", "amount", "kind", "evidence", "reason"}, nil},
	{ActionCloseDiscrepancy, []roster.Role{roster.Adjust, roster.Resolve, roster.Operate}, true, false, true,
		[]string{"merchant", "kind", "reason"}, []string{"number", "amount"}},
	{ActionResume, []roster.Role{roster.Approve}, false, false, false,
		[]string{"number", "kind", "reason"}, []string{"merchant"}},
	{ActionCloseDay, []roster.Role{roster.Adjust}, false, false, false,
		[]string{"merchant", "number", "fingerprint", "kind"}, []string{"reason"}},
	{ActionErase, []roster.Role{roster.Admin}, false, false, false,
		[]string{"merchant", "number", "reason"}, nil},
}

func ruleOf(action string) (rule, bool) {
	i := slices.IndexFunc(signedActions, func(r rule) bool { return r.action == action })
	if i < 0 {
		return rule{}, false
	}
	return signedActions[i], true
}

// Actions lists the actions that are signed.
func Actions() []string {
	names := make([]string, len(signedActions))
	for i, rule := range signedActions {
		names[i] = rule.action
	}
	return names
}

// amounts returns the amounts for the actor's limits: those of the order, of the
// adjustment or of the whole list.
func (e Envelope) amounts() []money.Amount {
	rule, _ := ruleOf(e.Action)
	switch {
	case !rule.moves, e.Action == ActionCloseDiscrepancy && e.Amount == money.Amount{}:
		return nil
	case e.List != nil:
		return e.List.Totals
	}
	return []money.Amount{e.Amount}
}
