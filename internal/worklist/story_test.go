package worklist

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestTell(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return time.Date(2026, 3, 1, 12, minutes, 0, 0, time.UTC) }
	because := func(code, text string) order.Reason { return order.Reason{Code: code, Text: text} }
	o := anOrder(order.Withdrawal, "W1", "100", order.Succeeded, "")
	o.CreatedAt = at(1)
	story := ledger.Story{
		Order: o,
		Callbacks: []ledger.InboxEntry{{
			ID: "c1", Status: ledger.Stored, Received: 2, FirstAt: at(6), LastAt: at(7),
			Callback: tarspay.Callback{State: tarspay.StateSucceeded, GatewayID: "G1", PayAmount: "100.00", OrderAmount: "100.00", Currency: "PKR", Fee: "0"},
		}, {
			ID: "c2", Status: ledger.Done, Received: 1, FirstAt: at(9), LastAt: at(9),
			Callback: tarspay.Callback{State: tarspay.StateFailed, GatewayID: "G1", OrderAmount: "100.00", Currency: "PKR"},
		}},
		Submissions: []ledger.Submission{
			{Attempt: 1, StartedAt: at(3), EndedAt: at(3), Outcome: ledger.Paused, Reason: because(order.CodeGatewayPaused, "key expired")},
			{Attempt: 2, StartedAt: at(4), EndedAt: at(5), Outcome: ledger.Accepted},
			{Attempt: 3, StartedAt: at(10)},
		},
		Audit: []ledger.AuditEntry{
			{At: at(0), Actor: "amina", Action: ledger.ActionApprove, Source: rules.FromOperator, Refused: true, Reason: because(order.CodeOrderNotFound, "there is no order W1 of merchant M1700000001")},
			{At: at(1), Actor: "tests", Action: ledger.ActionOpen, Source: ledger.FromOpening, After: order.AwaitingApproval, Reason: because(codes.LimitOrder, "it needs approval")},
			{At: at(2), Actor: "amina", Action: ledger.ActionApprove, Source: rules.FromOperator, Before: order.AwaitingApproval, After: order.Reserved, Reason: because(codes.Approved, "a known vendor")},
			{At: at(3), Actor: ledger.System, Action: ledger.ActionSubmit, Source: ledger.FromSubmission, Evidence: "attempt 1", Before: order.Reserved, After: order.Submitting},
			{At: at(6), Actor: ledger.System, Action: ledger.ActionSettle, Source: rules.FromCallback, Evidence: "c1", Before: order.Submitted, After: order.Succeeded, Paid: pkr("100"), Fee: pkr("2")},
			{At: at(7), Actor: ledger.System, Action: ledger.ActionDiscrepancy, Before: order.Succeeded, After: order.Succeeded},
			{At: at(8), Actor: "amina", Action: ledger.ActionCloseDiscrepancy, Source: rules.FromOperator, Before: order.Succeeded, After: order.Succeeded, Reason: because(codes.DiscrepancyUnpaidPaid, "their mistake")},
		},
		Discrepancies: []ledger.Discrepancy{
			{ID: 8, Code: codes.DiscrepancyRecord, Detail: "newer", At: at(7)},
			{ID: 7, Code: codes.DiscrepancyUnpaidPaid, Detail: "the order is succeeded and the query says unpaid", At: at(7)},
		},
		Transfers: []ledger.Transfer{
			{Reason: ledger.ReasonReserve, From: ledger.AccountAvailable, To: ledger.AccountInFlight, Amount: pkr("100"), At: at(2)},
			{Reason: ledger.ReasonPayout, From: ledger.AccountInFlight, To: ledger.AccountPaidOut, Amount: pkr("100"), At: at(6)},
			{Reason: ledger.ReasonFee, From: ledger.AccountAvailable, To: ledger.AccountFees, Amount: pkr("2"), At: at(6)},
		},
	}
	var lines []string
	for _, e := range Tell(story) {
		lines = append(lines, fmt.Sprintf("%s %s %s| %s", e.At.Format("15:04"), e.Kind, e.By, e.Text))
	}
	require.Equal(t, []string{
		"12:00 decision amina| approve refused: ORDER_NOT_FOUND: there is no order W1 of merchant M1700000001",
		"12:01 request tests| withdrawal of 100.00 PKR requested, in PK by JAZZCASH",
		"12:01 move | opened as awaiting_approval: LIMIT_ORDER it needs approval",
		"12:02 decision amina| awaiting_approval → reserved (approve): APPROVED a known vendor",
		"12:02 transfer | reserve: available → in_flight 100.00 PKR",
		"12:03 attempt | attempt 1 to send it begins",
		"12:03 attempt | attempt 1 ends: paused: GATEWAY_PAUSED key expired",
		"12:03 move | reserved → submitting (submission attempt 1)",
		"12:04 attempt | attempt 2 to send it begins",
		"12:05 attempt | attempt 2 ends: accepted",
		"12:06 callback | the gateway says succeeded of its order G1 (100.00 of 100.00 PKR, fee 0), received 2 times until 2026-03-01 12:07 UTC: stored",
		"12:06 move | submitted → succeeded (callback c1), paid 100.00 PKR, fee 2.00 PKR",
		"12:06 transfer | payout: in_flight → paid_out 100.00 PKR",
		"12:06 transfer | fee: available → fees 2.00 PKR",
		"12:07 discrepancy | discrepancy 7: UNPAID_AFTER_SUCCESS: the order is succeeded and the query says unpaid",
		"12:07 discrepancy | discrepancy 8: RECORD_DIFFERS: newer",
		"12:08 decision amina| close_discrepancy: UNPAID_AFTER_SUCCESS their mistake",
		"12:09 callback | the gateway says failed of its order G1 (nothing of 100.00 PKR, fee unknown): done",
		"12:10 attempt | attempt 3 to send it begins",
	}, lines)
}
