package payouts

import "github.com/tarspay-payouts/orchestrator/order"

// A number of another shape may be a person's name. An action records the number
// in the audit, so other shapes are refused before that.

// CheckKey checks the shape of an order's key. The error is an *order.Invalid.
func CheckKey(key order.Key) error {
	return checkShape(key, "number", "order and merchant numbers are letters, digits, hyphen and underscore")
}

// CheckReference checks the shape of an adjustment's key. The error is an *order.Invalid.
func CheckReference(key order.Key) error {
	return checkShape(key, "ref", "references and merchant numbers are letters, digits, hyphen and underscore")
}

func checkShape(key order.Key, field, message string) error {
	if order.IsNumber(key.Number) && order.IsNumber(key.Merchant) {
		return nil
	}
	return &order.Invalid{Problems: []order.Problem{{Code: order.ProblemNumber, Field: field, Message: message}}}
}
