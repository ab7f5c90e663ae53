package authority

import (
	"cmp"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/shell"
	"github.com/tarspay-payouts/orchestrator/order"
)

// commands returns how a person makes and sends the signed envelope of an action on an
// order that was sent without one.
func commands(action order.Action, o order.Order) string {
	by, what := wanted(action, o)
	file := action.Name() + ".json"
	return "starter sign " + action.Name() + " " + shell.Word(o.Number) + " --merchant " + shell.Word(o.Merchant) + what +
		" --by " + shell.Word(cmp.Or(by, "WHO")) + " > " + file + ", then ssh-keygen -Y sign -n payouts -f KEY " + file
}

// wanted returns who acts, and the flags of the command that makes the envelope. What a
// person writes is left to the person.
func wanted(action order.Action, o order.Order) (by, flags string) {
	switch a := action.(type) {
	case order.Approval:
		return a.By, " --fingerprint " + rules.ShortFingerprint(o.Fingerprint)
	case order.Rejection:
		return a.By, " --why WHY"
	case order.Cancellation:
		return a.By, " --why WHY"
	case order.Resolution:
		return a.By, " --state " + shell.Word(string(a.State)) + " --why WHY --evidence PROOF"
	case order.Adoption:
		return a.By, ""
	}
	return "", ""
}
