package order

import (
	"slices"
	"strings"
)

// Action is what a person does to an order: an Approval, a Rejection, a
// Cancellation, a Resolution, a Note, a Poll or an Adoption. Only this package has
// actions.
type Action interface {
	// Name is the action's name in messages, in JSON and in the audit.
	Name() string
	tooLong() *Refusal
	actionID() string
	withID(id string) Action
}

// ActionID returns the action's idempotency key; "" if the caller gave none.
func ActionID(action Action) string { return action.actionID() }

// WithID returns a copy of the action with the ID.
func WithID(action Action, id string) Action { return action.withID(id) }

// CheckTexts returns a refusal if a text of the action is too long, and nil
// otherwise.
func CheckTexts(action Action) *Refusal { return action.tooLong() }

// Marked returns the action with the ID, unless it has one already.
func Marked(action Action, id string) Action {
	if action == nil || ActionID(action) != "" {
		return action
	}
	return WithID(action, id)
}

// The names of actions. They are also the names of the updates of an order's
// workflow.
const (
	ActionApprove = "approve"
	ActionReject  = "reject"
	ActionCancel  = "cancel"
	ActionResolve = "resolve"
	ActionNote    = "note"
	ActionPoll    = "poll_now"
	ActionAdopt   = "adopt"
)

// ActionType is one type of action.
type ActionType struct {
	Name string
	// Update describes the update that sends the action to an order's workflow; ""
	// if there is no such update.
	Update string
	// Read reads the action strictly, as Read does. A signed action is a Signed.
	Read func(data []byte) (Action, error)
}

// ActionTypes lists all types of actions.
var ActionTypes = []ActionType{
	actionType[Approval]("Approve the order, as a second person."),
	actionType[Rejection]("Reject an order that waits for a second person."),
	actionType[Cancellation]("Withdraw the order before anything is sent."),
	actionType[Resolution]("End an order in review, with evidence."),
	actionType[Note]("Add a remark to the order's audit."),
	actionType[Poll]("Query the gateway for this order, or check its funds, at once."),
	actionType[Adoption](""), // of an order that no workflow drives
}

func actionType[A Action](update string) ActionType {
	var blank A
	return ActionType{blank.Name(), update, func(data []byte) (Action, error) {
		if isSigned(data) {
			return readSigned(blank.Name(), data)
		}
		var action A
		err := Read(data, &action)
		return action, err
	}}
}

// ReadAction reads an action of the name. The error is a *Refusal with
// INVALID_REQUEST.
func ReadAction(name string, data []byte) (Action, error) {
	i := slices.IndexFunc(ActionTypes, func(t ActionType) bool { return t.Name == name })
	if i < 0 {
		return nil, NoAction()
	}
	return ActionTypes[i].Read(data)
}

// NoAction returns the refusal of an input that is not exactly one action.
func NoAction() *Refusal {
	names := make([]string, len(ActionTypes))
	for i, t := range ActionTypes {
		names[i] = t.Name
	}
	last := len(names) - 1
	return Refuse(CodeInvalidRequest, "an action is exactly one of %s and %s", strings.Join(names[:last], ", "), names[last])
}

// Name is the name of the action.
func (Approval) Name() string { return ActionApprove }

// Name is the name of the action.
func (Rejection) Name() string { return ActionReject }

// Name is the name of the action.
func (Cancellation) Name() string { return ActionCancel }

// Name is the name of the action.
func (Resolution) Name() string { return ActionResolve }

// Name is the name of the action.
func (Note) Name() string { return ActionNote }

// Name is the name of the action.
func (Poll) Name() string { return ActionPoll }

// Name is the name of the action.
func (Adoption) Name() string { return ActionAdopt }

func (a Approval) actionID() string { return a.ID }

func (a Approval) withID(id string) Action {
	a.ID = id
	return a
}

func (r Rejection) actionID() string { return r.ID }

func (r Rejection) withID(id string) Action {
	r.ID = id
	return r
}

func (c Cancellation) actionID() string { return c.ID }

func (c Cancellation) withID(id string) Action {
	c.ID = id
	return c
}

func (r Resolution) actionID() string { return r.ID }

func (r Resolution) withID(id string) Action {
	r.ID = id
	return r
}

func (n Note) actionID() string { return n.ID }

func (n Note) withID(id string) Action {
	n.ID = id
	return n
}

func (p Poll) actionID() string { return p.ID }

func (p Poll) withID(id string) Action {
	p.ID = id
	return p
}

func (a Adoption) actionID() string { return a.ID }

func (a Adoption) withID(id string) Action {
	a.ID = id
	return a
}

func (a Approval) tooLong() *Refusal {
	return firstTooLong(bounded{"id", a.ID, MaxMark}, bounded{"by", a.By, MaxName},
		bounded{"why", a.Why, MaxText}, bounded{"fingerprint", a.Fingerprint, MaxMark})
}

func (r Rejection) tooLong() *Refusal { return signedTooLong(r.ID, r.By, "why", r.Why) }

func (c Cancellation) tooLong() *Refusal { return signedTooLong(c.ID, c.By, "why", c.Why) }

func (n Note) tooLong() *Refusal { return signedTooLong(n.ID, n.By, "text", n.Text) }

func (p Poll) tooLong() *Refusal { return signedTooLong(p.ID, p.By, "why", "") }

func (a Adoption) tooLong() *Refusal {
	if refusal := signedTooLong(a.ID, a.By, "run", a.Run); refusal != nil {
		return refusal
	}
	return firstTooLong(bounded{"squatted", a.Squatted, MaxText})
}

func (r Resolution) tooLong() *Refusal {
	if refusal := signedTooLong(r.ID, r.By, "why", r.Why); refusal != nil {
		return refusal
	}
	return firstTooLong(bounded{"state", string(r.State), MaxMark}, bounded{"evidence", r.Evidence, MaxText})
}
