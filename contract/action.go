package contract

import (
	"encoding/json"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Action is an action as it crosses Temporal: {"approve":{…}}. Without one it is
// null.
type Action struct{ Action order.Action }

// MarshalJSON writes the action under its name.
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

// Acted is what came of an action. Whether it was done or refused, the audit
// has it.
type Acted struct {
	Kind     order.Kind     `json:"kind,omitempty"`
	Standing order.Standing `json:"standing"`
	Refusal  *order.Reason  `json:"refusal,omitempty"` // why it was not done
	Pending  string         `json:"pending,omitempty"` // who has proposed it: a second person must say the same
}
