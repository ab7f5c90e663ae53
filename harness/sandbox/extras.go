package sandbox

import (
	"fmt"
	"strings"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// extras are the endpoints that only some countries have; the country's
// profile says which.
func extras(o Options) []operation {
	all := []operation{
		{name: tarspay.OperationHistory, path: tarspay.PathHistory, handle: (*Gateway).history, extra: true},
		{name: tarspay.OperationDepositByTrxID, path: tarspay.PathDepositByTrxID, handle: (*Gateway).depositByTrxID, extra: true},
		{name: tarspay.OperationPayoutProof, path: tarspay.PathPayoutProof, handle: (*Gateway).payoutProof, extra: true},
		{name: tarspay.OperationTrxQuery, path: tarspay.PathTrxQuery, handle: paymentQuery("trxId"), extra: true, optionalAuth: true},
		{name: tarspay.OperationTrxSupplement, path: tarspay.PathTrxSupplement, handle: supplement("trxId"), extra: true, optionalAuth: true},
		{name: tarspay.OperationTrxSubmit, path: tarspay.PathTrxSubmit("{payOrderId}", "{trxId}"), handle: (*Gateway).submitTrx,
			extra: true, optionalAuth: true, bodiless: true},
		{name: tarspay.OperationUTRQuery, path: tarspay.PathUTRQuery, handle: paymentQuery("utr"), extra: true, optionalAuth: true},
	}
	if o.AccountCheckPath != "" {
		all = append(all, operation{name: tarspay.OperationAccountCheck, path: o.AccountCheckPath, handle: (*Gateway).accountCheck, extra: true})
	}
	if o.UTRSupplementPath != "" {
		all = append(all, operation{name: tarspay.OperationUTRSupplement, path: o.UTRSupplementPath, handle: supplement("utr"), extra: true})
	}
	return all
}

// The account of the page's example (ALL/3095254), and who holds it there.
const (
	exampleAccount = "08491312411"
	exampleHolder  = "CHU KHANH DUY"
)

// accountCheck compares a name with the holder of an account. The holder is made up: for an
// account whose number ends in 9, the given name with one more name; for any other, the given
// name.
func (g *Gateway) accountCheck(c *call) (any, *refusal) {
	for _, name := range []string{"accountNumber", "wayCode", "userName"} {
		if c.text(name) == "" {
			return nil, refuse(codeParameter, "%s", name)
		}
	}
	if _, known := c.account.profile.Way(tarspay.DirectionWithdrawal, c.text("wayCode")); !known {
		return nil, refuse(codeWay, "no such way of payouts")
	}
	if c.text("accountNumber") == exampleAccount && c.text("userName") != exampleHolder {
		return map[string]any{"result": false, "actualUserName": exampleHolder}, nil
	}
	if strings.HasSuffix(c.text("accountNumber"), "9") {
		return map[string]any{"result": false, "actualUserName": c.text("userName") + " DUY"}, nil
	}
	return map[string]any{"result": true}, nil
}

// depositByTrxID answers the deposit that a payment was made for, in the shape
// of a query; the page's own answer is cut off.
func (g *Gateway) depositByTrxID(c *call) (any, *refusal) {
	if c.text("trxId") == "" {
		return nil, refuse(codeParameter, "trxId")
	}
	if o := g.book.payment(c.account.Number, c.text("trxId")); o != nil && o.Direction == tarspay.DirectionDeposit {
		return g.status(o), nil
	}
	return nil, nil
}

// payoutProof answers the certificate of a payout that was paid. No page shows
// the answer; this one is the sandbox's own.
func (g *Gateway) payoutProof(c *call) (any, *refusal) {
	if c.text("mchOrderNo") == "" && c.text("payOrderId") == "" {
		return nil, refuse(codeParameter, "payOrderId or mchOrderNo")
	}
	o := c.order
	if o == nil || o.Direction != tarspay.DirectionWithdrawal || o.State != tarspay.StateSucceeded {
		return nil, nil
	}
	return map[string]any{
		"mchOrderNo": o.Number, "payOrderId": o.ID, "trxId": o.TrxID, "amount": o.Amount.Short(),
		"currency": c.account.profile.GatewayCurrency, "successTime": o.PaidAt[len(o.PaidAt)-1].Unix(),
	}, nil
}

// paymentQuery makes the handler that says whether a payment can be put on an
// order: 0 it cannot, 1 it can, 2 only the gateway's operations can.
func paymentQuery(idName string) func(*Gateway, *call) (any, *refusal) {
	return func(g *Gateway, c *call) (any, *refusal) {
		id := c.text(idName)
		if id == "" {
			return nil, refuse(codeParameter, "%s", idName)
		}
		data := map[string]any{"status": 0, "message": "not paid", idName: id}
		switch o := g.book.payment(c.account.Number, id); {
		case o == nil:
		case o.Unnoticed && o.State == tarspay.StateCancelled:
			data["status"], data["message"], data["amount"] = 2, "contact operations", o.Amount.Short()
		case o.Unnoticed:
			data["status"], data["message"], data["amount"] = 1, "can be supplemented", o.Amount.Short()
		default:
			data["message"], data["amount"], data["mchOrderNo"] = "used already", o.Paid.Short(), o.Number
		}
		return data, nil
	}
}

// supplement makes the handler that puts a payment nobody noticed on a deposit
// that did not move. A payment of less makes it a partial one.
func supplement(idName string) func(*Gateway, *call) (any, *refusal) {
	return func(g *Gateway, c *call) (any, *refusal) {
		id, number := c.text(idName), c.text("mchOrderNo")
		if id == "" || number == "" {
			return nil, refuse(codeParameter, "%s and mchOrderNo", idName)
		}
		data := map[string]any{idName: id, "mchOrderNo": number, "status": 0}
		o := g.book.find(key{c.account.Number, number})
		if o == nil || o.Direction != tarspay.DirectionDeposit {
			data["message"] = "no such deposit"
			return data, nil
		}
		data["payOrderId"] = o.ID
		if err := g.putOn(o, id); err != nil {
			data["message"] = err.Error()
			return data, nil
		}
		data["status"], data["message"] = 1, "supplemented"
		return data, nil
	}
}

// putOn sets a deposit to the state that its unnoticed payment leads to.
func (g *Gateway) putOn(o *order, id string) error {
	from := g.book.payment(o.Merchant, id)
	switch {
	case from == nil:
		return fmt.Errorf("not paid")
	case !from.Unnoticed:
		return fmt.Errorf("used already")
	case o.State.Paid() || o.State == tarspay.StateRefunded:
		return fmt.Errorf("the order is paid already")
	case from.Amount.Minor() > o.Amount.Minor():
		return fmt.Errorf("more was paid than ordered")
	}
	state := tarspay.StateSucceeded
	if from.Amount.Minor() < o.Amount.Minor() {
		state = tarspay.StatePartial
	}
	from.Unnoticed, from.TrxID = false, ""
	o.Unnoticed, o.TrxID = false, id
	g.save(from)
	return g.moveByHand(o, state, from.Amount.Number())
}

// submitTrx takes the payment's number of a payer who paid on the merchant's
// own page: an order that waited for it is then paid.
func (g *Gateway) submitTrx(c *call) (any, *refusal) {
	o, id := c.order, c.parts["trxId"]
	if o == nil || o.Direction != tarspay.DirectionDeposit || len(id) > maxIDBytes {
		return nil, refuse(codeParameter, "payOrderId or trxId")
	}
	if used := g.book.payment(o.Merchant, id); used != nil && used != o {
		return nil, refuse(codeOrderStatus, "the payment belongs to another order")
	}
	if !o.open() {
		return nil, refuse(codeOrderStatus, "the order has ended")
	}
	if o.TrxID == "" {
		o.TrxID = id
		if len(o.Steps) == 0 || g.planOf(o).waits() {
			g.plan(o, plan{})
		}
	}
	return nil, nil
}

// waits reports whether a plan does not end the order by itself.
func (p plan) waits() bool { return len(p.path) > 0 && p.path[0].expiry }

// payment is the order of a merchant that a payment was made for.
func (b *book) payment(merchant, trxID string) *order {
	for _, o := range b.orders {
		if o.Merchant == merchant && o.TrxID == trxID {
			return o
		}
	}
	return nil
}
