package order

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Signed is an action with the envelope that describes it, and the signature of the
// envelope. Its JSON is that of the envelope and the signature: what a person signs
// can be sent as it is. Package order does not verify the signature.
type Signed struct {
	// Action is the action that the envelope describes.
	Action
	Proof
	// Item shows that the order is in the list of the envelope, if the envelope is of a
	// list: the order, as it was signed, with its proof. See package envelope.
	Item jsontext.Value
}

// Proof is an envelope and its signature, as they came.
type Proof struct {
	Envelope  jsontext.Value `json:"envelope"`
	Signature string         `json:"signature"`
	// Done is when the envelope was used, of one that is read from the audit: it may have
	// expired since. Zero: it is used now.
	Done time.Time `json:"-"`
}

// By returns the name of who acts, as the envelope says; empty if it cannot be
// read.
func (p Proof) By() string {
	var claim claim
	_ = json.Unmarshal(p.Envelope, &claim)
	return claim.By
}

// maxProof is the most bytes of a proof.
const maxProof = 64 << 10

// Plain returns an action without its signature, and the proof; nil if the action
// is not signed.
func Plain(action Action) (Action, *Proof) {
	if signed, is := action.(Signed); is {
		return signed.Action, &signed.Proof
	}
	return action, nil
}

// withID returns the action as it is: the envelope has the id.
func (s Signed) withID(string) Action { return s }

// MarshalJSON writes the envelope and the signature. Of an adoption it also writes
// what the client found out about the order's workflow, which nobody signs.
func (s Signed) MarshalJSON() ([]byte, error) {
	form := signedForm{Proof: s.Proof, Item: s.Item}
	if adoption, is := s.Action.(Adoption); is && (adoption.Run != "" || adoption.Squatted != "" || adoption.Request != nil) {
		form.Workflow = &adoptee{Run: adoption.Run, Squatted: adoption.Squatted, Request: adoption.Request}
	}
	return json.Marshal(form)
}

type signedForm struct {
	Proof    `json:",inline"`
	Item     jsontext.Value `json:"item,omitzero"`
	Workflow *adoptee       `json:"workflow,omitempty"`
}

type adoptee struct {
	Run      string   `json:"run,omitempty"`
	Squatted string   `json:"squatted,omitempty"`
	Request  *Request `json:"request,omitempty"`
}

// Adopting returns an adoption with what the client found out about the order's
// workflow. The action is an Adoption, signed or not.
func Adopting(action Action, run, squatted string, request *Request) Action {
	plain, proof := Plain(action)
	adoption, is := plain.(Adoption)
	if !is {
		return action
	}
	adoption.Run, adoption.Squatted, adoption.Request = run, squatted, request
	if proof == nil {
		return adoption
	}
	return Signed{Action: adoption, Proof: *proof}
}

// claim has the members of an envelope that an action on an order has.
type claim struct {
	Action      string       `json:"action"`
	ID          string       `json:"id"`
	By          string       `json:"by"`
	Fingerprint string       `json:"fingerprint"`
	End         State        `json:"end"`
	Paid        money.Amount `json:"paid"`
	Fee         money.Amount `json:"fee"`
	Evidence    string       `json:"evidence"`
	Reason      string       `json:"reason"`
	WholeFee    bool         `json:"whole_fee"`
	Replace     bool         `json:"replace"`
}

// ReadSigned reads a signed action. The error is a *Refusal with INVALID_REQUEST or
// TEXT_TOO_LONG.
func ReadSigned(data []byte) (Signed, error) {
	if refusal := TooLong("envelope", string(data), maxProof); refusal != nil {
		return Signed{}, refusal
	}
	var form signedForm
	if err := Read(data, &form); err != nil {
		return Signed{}, err
	}
	var claim claim
	if err := json.Unmarshal(form.Envelope, &claim); err != nil {
		return Signed{}, Refuse(CodeInvalidRequest, "member envelope is not an envelope: %s", misread(err))
	}
	if form.Item != nil {
		var item struct {
			Fingerprint string `json:"fingerprint"`
		}
		if err := json.Unmarshal(form.Item, &item); err != nil {
			return Signed{}, Refuse(CodeInvalidRequest, "member item is not an order of a list: %s", misread(err))
		}
		claim.Fingerprint = item.Fingerprint
	}
	action := claim.action()
	adoption, adopts := action.(Adoption)
	switch {
	case action == nil:
		return Signed{}, Refuse(CodeInvalidRequest, "member envelope.action is no action on an order")
	case claim.ID == "":
		return Signed{}, Refuse(CodeInvalidRequest, "member envelope.id is missing")
	case form.Workflow != nil && !adopts:
		return Signed{}, Refuse(CodeInvalidRequest, "member workflow belongs to an adoption only")
	case form.Workflow != nil:
		adoption.Run, adoption.Squatted, adoption.Request = form.Workflow.Run, form.Workflow.Squatted, form.Workflow.Request
		action = adoption
	}
	return Signed{Action: action, Proof: form.Proof, Item: form.Item}, nil
}

// action returns the action of the claim; nil if it is none on an order.
func (c claim) action() Action {
	switch c.Action {
	case ActionApprove:
		return Approval{ID: c.ID, By: c.By, Fingerprint: c.Fingerprint, Why: c.Reason}
	case ActionReject:
		return Rejection{ID: c.ID, By: c.By, Why: c.Reason}
	case ActionCancel:
		return Cancellation{ID: c.ID, By: c.By, Why: c.Reason}
	case ActionResolve:
		return Resolution{
			ID: c.ID, By: c.By, Why: c.Reason, State: c.End, Paid: c.Paid, Fee: c.Fee, Evidence: c.Evidence,
			WholeFee: c.WholeFee, Replace: c.Replace,
		}
	case ActionAdopt:
		return Adoption{ID: c.ID, By: c.By}
	}
	return nil
}

// isSigned reports whether JSON is that of a signed action.
func isSigned(data []byte) bool {
	var members map[string]jsontext.Value
	err := json.Unmarshal(data, &members)
	_, is := members["envelope"]
	return is && (err == nil || errors.Is(err, jsontext.ErrDuplicateName))
}

// readSigned reads a signed action of the name.
func readSigned(name string, data []byte) (Action, error) {
	signed, err := ReadSigned(data)
	if err == nil && signed.Name() != name {
		err = Refuse(CodeInvalidRequest, "member envelope.action is %s; it must be %s", signed.Name(), name)
	}
	return signed, err
}
