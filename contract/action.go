package contract

import (
	"encoding/json"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Action is the JSON form of an action in Temporal: {"approve":{…}}. Without an
// action it is null.
type Action struct{ Action order.Action }

// MarshalJSON writes an object whose only member is the action, under the action's
// name.
func (a Action) MarshalJSON() ([]byte, error) {
	if a.Action == nil {
		return []byte("null"), nil
	}
	return json.Marshal(map[string]order.Action{a.Action.Name(): a.Action})
}

// UnmarshalJSON reads exactly one action, strictly. The error is an
// *order.Refusal with INVALID_REQUEST.
func (a *Action) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		a.Action = nil
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || len(members) != 1 {
		return order.NoAction()
	}
	for name, member := range members {
		action, err := order.ReadAction(name, member)
		if err != nil {
			return err
		}
		a.Action = action
	}
	return nil
}

// Acted is the result of an action. An executed and a refused action are both
// audited.
type Acted struct {
	Kind     order.Kind     `json:"kind,omitempty"`
	Standing order.Standing `json:"standing"`
	Refusal  *order.Reason  `json:"refusal,omitempty"` // why the action was refused
	Pending  string         `json:"pending,omitempty"` // who has proposed the resolution; a second person must propose the same
	Outcome  string         `json:"outcome,omitempty"` // what was proposed, for people; see order.Resolution
}
