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

// A refusal of the same person names the person as typed the first time, and the
// order shows who requested it.
func TestTheRequesterIsNamed(t *testing.T) {
	t.Parallel()
	row := Order{
		Request: Request{Merchant: "M1", Number: "INV-1", Kind: Withdrawal, Amount: amount(t, "5", "PKR"), RequestedBy: "Bilal"}, Standing: Standing{State: AwaitingApproval},
	}
	require.Equal(t, "Bilal", row.View(row.Standing).RequestedBy)
	require.Equal(t, "Bilal requested order INV-1; another person must approve it", Approval{By: " bilal"}.Permit(row, row.CreatedAt).Text)
	row.State = InReview
	resolution := Resolution{By: "BILAL", Why: "x", Evidence: "y", State: Failed}
	require.Equal(t, "Bilal requested order INV-1; two other persons must resolve it", resolution.Permit(row, true).Text)
	_, refusal := resolution.Second(Resolution{By: "Bilal", State: Failed})
	require.Equal(t, "Bilal has proposed this; another person must confirm it", refusal.Text)
}
