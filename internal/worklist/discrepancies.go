package worklist

import "github.com/tarspay-payouts/orchestrator/order"

// Explain returns the catalogue's entry of a discrepancy's code, and the zero
// entry for any other code.
func Explain(code string) order.CatalogueEntry {
	for _, entry := range order.CodesOf(order.GroupDiscrepancies) {
		if entry.Code == code {
			return entry
		}
	}
	return order.CatalogueEntry{}
}

// DiscrepancyCodes lists the codes of discrepancies, sorted.
func DiscrepancyCodes() []string {
	var found []string
	for _, entry := range order.CodesOf(order.GroupDiscrepancies) {
		found = append(found, entry.Code)
	}
	return found
}
