package campaign

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// oddities are genuine callbacks whose members are written as the gateway seldom
// writes them. What failed has no amounts; a text may hold what not every
// database takes. The member is before the slash, what is done to it after it.
var oddities = []string{
	"payAmount/absent", "payAmount/null", "payAmount/empty", "fee/absent", "fee/null", "fee/empty",
	"mchOrderNo/nul", "payOrderId/nul", "failReason/nul", "extra/nul",
}

// odd posts a callback about an order as it stands at the gateway. One about an
// order that failed is taken whatever is said of its amounts; one whose number
// holds a NUL is taken or refused, and holds nobody else up.
func (w *world) odd(l *life, what string) {
	booked := w.gateway.Orders(merchant, l.Number)
	if len(booked) == 0 || w.away() {
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
		w.accuse("P7", l.Number, "a genuine callback with %s was answered %d", what, code)
	}
}
