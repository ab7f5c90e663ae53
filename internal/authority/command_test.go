package authority

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// An unsigned action is refused with the commands that sign it. Nothing that a caller
// chooses ends a word of a command.
func TestUnsignedActionsAreToldTheCommands(t *testing.T) {
	t.Parallel()
	o := order.Order{Request: order.Request{Merchant: "M1", Number: "INV-1"}, Fingerprint: strings.Repeat("0123456789abcdef", 4)}
	for want, action := range map[string]order.Action{
		"starter sign approve INV-1 --merchant M1 --fingerprint 01234567 --by amina > approve.json, then ssh-keygen -Y sign -n payouts -f KEY approve.json": order.Approval{By: "amina"},
		"starter sign approve INV-1 --merchant M1 --fingerprint 01234567 --by 'a; rm x' > approve.json,":                                                    order.Approval{By: "a; rm x"},
		"starter sign reject INV-1 --merchant M1 --why WHY --by WHO > reject.json,":                                                                         order.Rejection{},
		"starter sign cancel INV-1 --merchant M1 --why WHY --by dana > cancel.json,":                                                                        order.Cancellation{By: "dana", Why: "private words"},
		"starter sign resolve INV-1 --merchant M1 --state failed --why WHY --evidence PROOF --by dana > resolve.json,":                                      order.Resolution{By: "dana", State: order.Failed},
		"starter sign adopt INV-1 --merchant M1 --by dana > adopt.json,":                                                                                    order.Adoption{By: "dana"},
	} {
		_, refusal := New(nil, "payouts.test/live").Permit(action, o, o.CreatedAt)
		require.NotNil(t, refusal, want)
		require.Equal(t, CodeSignatureNeeded, refusal.Code)
		require.Contains(t, refusal.Text, want)
		require.Contains(t, refusal.Text, `{"envelope":…,"signature":"…"}`)
		require.NotContains(t, refusal.Text, "private")
	}
}
