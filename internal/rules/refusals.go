package rules

import "github.com/tarspay-payouts/orchestrator/order"

// OtherContent refuses a number that belongs to an order with other content.
func OtherContent(key order.Key) *order.Refusal {
	return order.Refuse(order.CodeOrderConflict,
		"the number %s of merchant %s belongs to an order with other content; look at it first (starter status %s --merchant %s), and use another number only for another payment",
		key.Number, key.Merchant, key.Number, key.Merchant)
}
