package workflows

import (
	"encoding/json"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// An accepted update adds events to the history, and a run accepts two thousand of
// them. So an action that was refused sameRefusals times while the order's state
// stayed the same is refused by the validator, which adds no events.
const (
	sameRefusals = 10 // of one action, before the validator refuses it
	keptRefusals = 64 // different refused actions that a run remembers
)

// refusals counts how often one action was refused, and keeps the last reason.
type refusals struct {
	times int
	last  order.Reason
}

// checkRepeated returns the earlier refusal if the same action was refused
// sameRefusals times in the same state of the order. The error is an
// *order.Refusal.
func (p *payout) checkRepeated(action order.Action) error {
	earlier, known := p.refusals[p.refusalKey(action)]
	if !known || earlier.times < sameRefusals {
		return nil
	}
	return order.Refuse(earlier.last.Code, "%s (refused %d times before; further refusals are not audited)", earlier.last.Text, earlier.times)
}

// countRefusal counts one refusal of an action.
func (p *payout) countRefusal(action order.Action, reason order.Reason) {
	if p.refusals == nil || len(p.refusals) >= keptRefusals {
		p.refusals = make(map[string]refusals)
	}
	at := p.refusalKey(action)
	p.refusals[at] = refusals{times: p.refusals[at].times + 1, last: reason}
}

// refusalKey returns a key of what a refusal depends on: the action, the order's
// state, and who has proposed a resolution.
func (p *payout) refusalKey(action order.Action) string {
	text, err := json.Marshal(struct {
		Action   contract.Action // without its id, which differs each time
		State    order.State
		Proposed string
	}{contract.Action{Action: order.WithID(action, "")}, p.standing.State, p.proposed})
	if err != nil {
		return "" // texts and amounts always encode
	}
	return string(text)
}
