package sandbox

import (
	"strconv"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func isQuery(operation tarspay.Operation) bool {
	return operation == tarspay.OperationQueryDeposit || operation == tarspay.OperationQueryWithdrawal
}

func (g *Gateway) queryDeposit(c *call) (any, *refusal) { return g.query(c) }

func (g *Gateway) queryWithdrawal(c *call) (any, *refusal) { return g.query(c) }

// query answers where an order stands. What the gateway answers when there is
// no such order is undocumented; here it is code 0 without data.
func (g *Gateway) query(c *call) (any, *refusal) {
	if c.text("mchOrderNo") == "" && c.text("payOrderId") == "" {
		return nil, refuse(codeParameter, "payOrderId or mchOrderNo")
	}
	o := c.order
	if o == nil || o.Direction != c.direction() {
		return nil, nil
	}
	p := g.planOf(o)
	if p.query != nil && c.serial <= p.query.hidden {
		return nil, nil
	}
	data := g.status(o)
	if c.text("mchOrderNo") == "" {
		data["mchOrderNo"] = "" // as in the samples
	}
	if p.query != nil && p.query.textState {
		data["state"] = strconv.Itoa(int(o.State))
	}
	return data, nil
}

// status is an order as queries tell it.
func (g *Gateway) status(o *order) map[string]any {
	paid, fee := o.told()
	return map[string]any{
		"payOrderId": o.ID, "mchNo": o.Merchant, "mchOrderNo": o.Number,
		"orderAmount": o.Amount.Short(), "payAmount": paid.Short(), "fee": fee.Short(),
		"currency": g.book.accounts[o.Merchant].profile.GatewayCurrency, "state": int(o.State),
	}
}

// referred is the order a call names by one of its two numbers, or by both if
// they agree; nil if there is none of the merchant's. The lock is held.
func (g *Gateway) referred(c *call) *order {
	id, number := c.text("payOrderId"), c.text("mchOrderNo")
	if c.operation.bodiless {
		id = c.parts["payOrderId"]
	}
	var o *order
	switch {
	case id != "":
		o = g.book.byID[id]
	case number != "":
		o = g.book.find(key{c.account.Number, number})
	}
	if o == nil || o.Merchant != c.account.Number || number != "" && o.Number != number {
		return nil
	}
	return o
}

// balance answers what the merchant has. It names no currency.
func (g *Gateway) balance(c *call) (any, *refusal) {
	a := c.account
	available := a.available
	if g.switched(c, switchLyingBalance) {
		available += a.profile.Step()
	}
	return map[string]any{
		"mchNo": a.Number, "availableAmount": a.text(available), "frozenAmount": a.text(a.frozen),
	}, nil
}

// switched reports whether a switch is on for the merchant or drawn for this
// call.
func (g *Gateway) switched(c *call, name string) bool {
	return c.account.switches[name] || g.options.Faults.drawn(name, c.account.Number, string(c.operation.name), c.serial)
}
