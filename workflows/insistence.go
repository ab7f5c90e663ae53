package workflows

import (
	"encoding/json"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// An update that is accepted is written to the history, and a workflow takes two
// thousand of them. So the same action, refused again and again while the order
// stands as it stood, is refused from memory: the validator's refusals cost
// nothing.
const (
	sameRefusals = 10 // of one action, before it is refused from memory
	keptRefusals = 64 // different refused actions that a run remembers
)

// refusals are what became of one action, asked for so often.
type refusals struct {
	times int
	last  order.Reason
}

// insists refuses an action that was refused before, often enough, with the same
// words and in the same situation. The error is an *order.Refusal.
func (p *payout) insists(action order.Action) error {
	earlier, known := p.refusals[p.situation(action)]
	if !known || earlier.times < sameRefusals {
		return nil
	}
	return order.Refuse(earlier.last.Code, "%s (refused %d times before; it is not written down any more)", earlier.last.Text, earlier.times)
}

// remember notes that an action was refused.
func (p *payout) remember(action order.Action, reason order.Reason) {
	if p.refusals == nil || len(p.refusals) >= keptRefusals {
		p.refusals = make(map[string]refusals)
	}
	at := p.situation(action)
	p.refusals[at] = refusals{times: p.refusals[at].times + 1, last: reason}
}

// situation tells one action, and what its refusal depends on, from another: what
// is asked for, where the order stands, and what is proposed for it.
func (p *payout) situation(action order.Action) string {
	text, err := json.Marshal(struct {
		Action   contract.Action // without its ID: the same, however often it is asked for
		State    order.State
		Proposed string
	}{contract.Action{Action: action.WithID("")}, p.standing.State, p.proposed})
	if err != nil {
		return "" // texts and amounts always encode
	}
	return string(text)
}
