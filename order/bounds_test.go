package order

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARequestsTextsAreBounded(t *testing.T) {
	t.Parallel()
	r := Request{
		Kind: Withdrawal, Merchant: "M1700000001", Number: "W-1", Country: "PK", Way: "jazzcash", Amount: amount(t, "1500", "PKR"),
		Details: map[string]string{"customerAccountNumber": "03001234567", "customerName": "Test Person"},
	}
	r.RequestedBy = strings.Repeat("a", MaxName)
	require.NoError(t, r.Validate(nil))
	r.RequestedBy += "a"
	r.ReturnURL = "https://shop.example.com/" + strings.Repeat("a", maxURL)
	var invalid *Invalid
	require.ErrorAs(t, r.Validate(nil), &invalid)
	found := map[string]string{}
	for _, problem := range invalid.Problems {
		if problem.Code == CodeTextTooLong {
			found[problem.Field] = problem.Message
		}
	}
	require.Len(t, found, 2)
	require.Contains(t, found["requested_by"], "has 201 bytes and may have 200")
	require.Contains(t, found["return_url"], "has 2025 bytes and may have 2000")
}
