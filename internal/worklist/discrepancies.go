package worklist

import "github.com/tarspay-payouts/orchestrator/internal/codes"

// Explain returns the catalogue's entry of a discrepancy's code, and the zero
// entry for any other code.
func Explain(code string) codes.Entry {
	for _, entry := range codes.Of(codes.GroupDiscrepancies) {
		if entry.Code == code {
			return entry
		}
	}
	return codes.Entry{}
}

// DiscrepancyCodes lists the codes of discrepancies, sorted.
func DiscrepancyCodes() []string {
	var found []string
	for _, entry := range codes.Of(codes.GroupDiscrepancies) {
		found = append(found, entry.Code)
	}
	return found
}
