package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Refusals about an order name its merchant and the next command.
func TestRefusalsNameTheNextCommand(t *testing.T) {
	t.Parallel()
	at := "INV-1 --merchant M1"
	row := order.Order{Request: order.Request{Merchant: "M1", Number: "INV-1", Kind: order.Withdrawal}}
	require.Contains(t, OtherContent(row.Key()).Text, "starter status "+at)
	row.State = order.Succeeded
	require.Contains(t, refuseEnded(row).Text, "starter show "+at)
	row.State = order.Submitted
	refusal := PermitCancellation(order.Cancellation{By: "amina", Why: "x", ID: "1"}, row, true)
	require.Equal(t, order.CodeAlreadySubmitted, refusal.Code)
	require.Contains(t, refusal.Text, "starter status "+at+" --wait")
}

// A refusal of the same person names the person as typed the first time, and the
// order shows who requested it.
func TestTheRequesterIsNamed(t *testing.T) {
	t.Parallel()
	row := order.Order{
		Request: order.Request{Merchant: "M1", Number: "INV-1", Kind: order.Withdrawal, Amount: amount(t, "5", "PKR"), RequestedBy: "Bilal"}, Standing: order.Standing{State: order.AwaitingApproval},
	}
	require.Equal(t, "Bilal", row.View(row.Standing).RequestedBy)
	require.Equal(t, "Bilal requested order INV-1; another person must approve it", PermitApproval(order.Approval{By: " bilal"}, row, row.CreatedAt).Text)
	row.State = order.InReview
	resolution := order.Resolution{By: "BILAL", Why: "x", Evidence: "y", State: order.Failed}
	require.Equal(t, "Bilal requested order INV-1; two other persons must resolve it", PermitResolution(resolution, row, true).Text)
	_, refusal := Second(resolution, order.Resolution{By: "Bilal", State: order.Failed})
	require.Equal(t, "Bilal has proposed this; another person must confirm it", refusal.Text)
}
