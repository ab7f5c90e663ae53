package campaign

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// oddities are changes to genuine callbacks, as "member/change". A failure may come
// without amounts, and a text may contain a NUL, which some databases refuse.
var oddities = []string{
	"payAmount/absent", "payAmount/null", "payAmount/empty", "fee/absent", "fee/null", "fee/empty",
	"mchOrderNo/nul", "payOrderId/nul", "failReason/nul", "extra/nul",
}

// postOddCallback posts a changed callback with the order's state at the gateway. A
// callback about a failed order must be accepted whatever its amounts are. One with a NUL
// may be accepted or refused, but must not fail with a 5xx.
func (w *world) postOddCallback(l *trackedOrder, what string) {
	booked := w.gateway.Orders(merchant, l.Number)
	if len(booked) == 0 || w.ledgerAway() {
		return
	}
	o := booked[0]
	failed := o.State == tarspay.StateFailed || o.State == tarspay.StateRejected
	member, how, _ := strings.Cut(what, "/")
	if !failed && how != "nul" {
		return
	}
	signer, err := tarspay.NewSigner(key("platform"))
	w.must(err, l.Number, "the gateway's key cannot be read")
	profile, _ := tarspay.Country("PK")
	plain, _ := tarspay.EncodeCallback(tarspay.Callback{
		Direction: o.Direction, Currency: profile.GatewayCurrency, FailReason: o.State.String(), Fee: o.Fee.Short(), Merchant: merchant,
		OrderNumber: l.Number, OrderAmount: o.Amount.Short(), PayAmount: o.Paid.Short(), GatewayID: o.ID, State: o.State,
	}, signer)
	members := make(map[string]any)
	w.must(json.Unmarshal(plain, &members), l.Number, "a callback cannot be read")
	switch how {
	case "absent":
		delete(members, member)
	case "null":
		members[member] = nil
	case "empty":
		members[member] = ""
	case "nul":
		text, _ := members[member].(string)
		members[member] = text + "\x00"
	}
	body, err := json.Marshal(members)
	w.must(err, l.Number, "a callback cannot be written")
	w.count()
	code := w.deliver(posted{string(body), signer.Sign(body)})
	if code != http.StatusOK && (failed && how != "nul" || code >= http.StatusInternalServerError) {
		w.addViolation("P7", l.Number, "a genuine callback with %s was answered %d", what, code)
	}
}
