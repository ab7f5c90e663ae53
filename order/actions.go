package order

import (
	"slices"
	"strings"
)

// Action is what a person does to an order: an Approval, a Rejection, a
// Cancellation, a Resolution, a Note, a Poll or an Adoption.
type Action interface {
	// Name is the action's name in messages, in JSON and in the audit.
	Name() string
	// TooLong refuses an action that has a text longer than it may be.
	TooLong() *Refusal
	// ActionID tells a repetition of one action from a second action; "" when
	// whoever asks gave none.
	ActionID() string
	// WithID is the same action with another ID.
	WithID(id string) Action
}

// Marked gives an action an ID unless it has one.
func Marked(action Action, id string) Action {
	if action == nil || action.ActionID() != "" {
		return action
	}
	return action.WithID(id)
}

// The names of actions. An update of an order's workflow is called by them.
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
	// Update describes the update by which the action is sent to an order's
	// workflow; "" when it is not sent to one.
	Update string
	// Read reads the action strictly, as Read does.
	Read func(data []byte) (Action, error)
}

// ActionTypes are all of them.
var ActionTypes = []ActionType{
	actionType[Approval]("Let the order go ahead, as a second person."),
	actionType[Rejection]("End an order that waits for a second person."),
	actionType[Cancellation]("Withdraw the order before anything is sent."),
	actionType[Resolution]("End an order in review, with evidence."),
	actionType[Note]("Add a remark to the order's audit."),
	actionType[Poll]("Ask the gateway about this order, or look for its funds, at once."),
	actionType[Adoption](""), // of an order that no workflow drives
}

func actionType[A Action](update string) ActionType {
	var blank A
	return ActionType{blank.Name(), update, func(data []byte) (Action, error) {
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

// NoAction refuses what is not exactly one action.
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

// ActionID is the ID of the action.
func (a Approval) ActionID() string { return a.ID }

// WithID is the action with another ID.
func (a Approval) WithID(id string) Action {
	a.ID = id
	return a
}

// ActionID is the ID of the action.
func (r Rejection) ActionID() string { return r.ID }

// WithID is the action with another ID.
func (r Rejection) WithID(id string) Action {
	r.ID = id
	return r
}

// ActionID is the ID of the action.
func (c Cancellation) ActionID() string { return c.ID }

// WithID is the action with another ID.
func (c Cancellation) WithID(id string) Action {
	c.ID = id
	return c
}

// ActionID is the ID of the action.
func (r Resolution) ActionID() string { return r.ID }

// WithID is the action with another ID.
func (r Resolution) WithID(id string) Action {
	r.ID = id
	return r
}

// ActionID is the ID of the action.
func (n Note) ActionID() string { return n.ID }

// WithID is the action with another ID.
func (n Note) WithID(id string) Action {
	n.ID = id
	return n
}

// ActionID is the ID of the action.
func (p Poll) ActionID() string { return p.ID }

// WithID is the action with another ID.
func (p Poll) WithID(id string) Action {
	p.ID = id
	return p
}

// ActionID is the ID of the action.
func (a Adoption) ActionID() string { return a.ID }

// WithID is the action with another ID.
func (a Adoption) WithID(id string) Action {
	a.ID = id
	return a
}
