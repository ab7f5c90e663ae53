package order

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Refusals about an order name its merchant and the next command.
func TestRefusalsNameTheNextCommand(t *testing.T) {
	t.Parallel()
	at := "INV-1 --merchant M1"
	row := Order{Request: Request{Merchant: "M1", Number: "INV-1", Kind: Withdrawal}}
	require.Contains(t, OtherContent(row.Key()).Text, "starter status "+at)
	row.State = Succeeded
	require.Contains(t, refuseEnded(row).Text, "starter show "+at)
	row.State = Submitted
	refusal := Cancellation{By: "amina", Why: "x", ID: "1"}.Permit(row, true)
	require.Equal(t, CodeAlreadySubmitted, refusal.Code)
	require.Contains(t, refusal.Text, "starter status "+at+" --wait")
}
