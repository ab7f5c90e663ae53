package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func pakistan(t *testing.T, kind order.Kind) order.Order {
	t.Helper()
	return order.Order{Request: order.Request{
		Kind: kind, Merchant: "M1700000001", Number: "P-1", Country: "PK", Way: "easypaisa", Amount: amount(t, "1500", "PKR"),
	}}
}

func status(state tarspay.State) tarspay.OrderStatus {
	return tarspay.OrderStatus{
		GatewayID: "P1", Merchant: "M1700000001", OrderNumber: "P-1", OrderAmount: "1500", PayAmount: "1500",
		Currency: "PKR", Fee: "15", State: state,
	}
}

func callback(direction tarspay.Direction, state tarspay.State) tarspay.Callback {
	return tarspay.Callback{
		Direction: direction, GatewayID: "P1", Merchant: "M1700000001", OrderNumber: "P-1", OrderAmount: "1500",
		PayAmount: "1500", Currency: "PKR", Fee: "15", State: state, FailReason: "account 03001234567 closed",
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	tests := map[tarspay.State][2]Verdict{ // deposit, withdrawal
		0: {Pending, Pending}, 1: {Pending, Pending}, 2: {Paid, Paid}, 3: {Unpaid, Unpaid}, 4: {Unpaid, Unclear},
		5: {Returned, Returned}, 6: {Lapsed, Unclear}, 7: {Pending, Pending}, 8: {Unpaid, Unpaid}, 9: {PartPaid, Unclear},
		10: {Unclear, Unclear}, -1: {Unclear, Unclear},
	}
	for state, want := range tests {
		require.Equal(t, want[0], Judge(order.Deposit, state), "deposit %d", state)
		require.Equal(t, want[1], Judge(order.Withdrawal, state), "withdrawal %d", state)
	}
}

func TestFromStatus(t *testing.T) {
	t.Parallel()
	finding, err := StatusFinding(pakistan(t, order.Withdrawal), status(tarspay.StateSucceeded))
	require.NoError(t, err)
	require.Equal(t, Finding{
		Source: FromQuery, Verdict: Paid, GatewayID: "P1", Paid: amount(t, "1500", "PKR"), Fee: amount(t, "15", "PKR"),
	}, finding)
}

// The gateway's failure carries a full payAmount and a fee: neither counts.
func TestFailureMovesNothing(t *testing.T) {
	t.Parallel()
	finding, err := CallbackFinding(pakistan(t, order.Withdrawal), callback(tarspay.DirectionWithdrawal, tarspay.StateFailed))
	require.NoError(t, err)
	require.Equal(t, Unpaid, finding.Verdict)
	require.Equal(t, money.Amount{}, finding.Paid)
	require.Equal(t, money.Amount{}, finding.Fee)
	require.Equal(t, order.CodeGatewayFailed, finding.Reason.Code)
	require.Contains(t, finding.Reason.Text, "account ########### closed")
	require.NotContains(t, finding.Reason.Text, "0300")
}

func TestPartialDeposit(t *testing.T) {
	t.Parallel()
	part := status(tarspay.StatePartial)
	part.PayAmount = "700"
	finding, err := StatusFinding(pakistan(t, order.Deposit), part)
	require.NoError(t, err)
	require.Equal(t, PartPaid, finding.Verdict)
	require.Equal(t, "700.00 PKR", finding.Paid.String())

	for _, wrong := range []string{"1500", "1501", "0", "-1", "", "7.005"} {
		part.PayAmount = wrong
		_, err = StatusFinding(pakistan(t, order.Deposit), part)
		var mismatch *Mismatch
		require.ErrorAs(t, err, &mismatch, wrong)
		require.Equal(t, []string{"payAmount"}, mismatch.Fields, wrong)
	}
}

func TestMismatches(t *testing.T) {
	t.Parallel()
	known := pakistan(t, order.Withdrawal)
	known.GatewayID = "P1"
	tests := map[string]func(*tarspay.Callback){
		"bizType":     func(c *tarspay.Callback) { c.Direction = tarspay.DirectionDeposit },
		"mchNo":       func(c *tarspay.Callback) { c.Merchant = "M2" },
		"mchOrderNo":  func(c *tarspay.Callback) { c.OrderNumber = "P-2" },
		"payOrderId":  func(c *tarspay.Callback) { c.GatewayID = "P2" },
		"currency":    func(c *tarspay.Callback) { c.Currency = "VND" },
		"orderAmount": func(c *tarspay.Callback) { c.OrderAmount = "1501" },
		"payAmount":   func(c *tarspay.Callback) { c.PayAmount = "1499" },
		"state":       func(c *tarspay.Callback) { c.State = 77 },
	}
	for field, change := range tests {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			changed := callback(tarspay.DirectionWithdrawal, tarspay.StateSucceeded)
			change(&changed)
			_, err := CallbackFinding(known, changed)
			var mismatch *Mismatch
			require.ErrorAs(t, err, &mismatch)
			require.Equal(t, []string{field}, mismatch.Fields)
		})
	}
	_, err := CallbackFinding(known, callback(tarspay.DirectionWithdrawal, tarspay.StateSucceeded))
	require.NoError(t, err)
}

// The gateway's samples leave the echo of the order number empty now and
// then, and name Thailand's currency THA.
func TestLenientWhereTheGatewayIs(t *testing.T) {
	t.Parallel()
	empty := status(tarspay.StateInProgress)
	empty.OrderNumber, empty.Merchant, empty.PayAmount, empty.Fee = "", "", "0", "0"
	finding, err := StatusFinding(pakistan(t, order.Withdrawal), empty)
	require.NoError(t, err)
	require.Equal(t, Pending, finding.Verdict)

	thai := pakistan(t, order.Withdrawal)
	thai.Country, thai.Amount = "TH", amount(t, "1500", "THB")
	for _, currency := range []string{"THA", "THB"} {
		s := status(tarspay.StateSucceeded)
		s.Currency = currency
		_, err = StatusFinding(thai, s)
		require.NoError(t, err, currency)
	}
}

func TestResolution(t *testing.T) {
	t.Parallel()
	request := pakistan(t, order.Withdrawal).Request
	good := order.Resolution{State: order.Succeeded, By: "amina", Why: "bank statement shows it", Evidence: "statement 2026-11-20 line 4"}
	require.NoError(t, ValidateResolution(good, request, order.InReview))
	finding, err := ResolutionFinding(good, request, "P1")
	require.NoError(t, err)
	require.Equal(t, Paid, finding.Verdict)
	require.Equal(t, request.Amount, finding.Paid)
	require.Equal(t, FromOperator, finding.Source)
	require.Equal(t, "amina", finding.By)

	for code, change := range map[string]func(*order.Resolution){
		codes.EvidenceMissing: func(r *order.Resolution) { r.Evidence = " " },
		codes.NotAnEnd:        func(r *order.Resolution) { r.State = order.Submitted },
	} {
		bad := good
		change(&bad)
		require.Equal(t, code, order.CodeOf(ValidateResolution(bad, request, order.InReview)))
	}
	for _, state := range []order.State{order.Created, order.Reserved, order.Submitting, order.Unknown, order.Submitted, order.Succeeded, order.Failed} {
		require.Equal(t, codes.NotInReview, order.CodeOf(ValidateResolution(good, request, state)), state)
	}
	part := good
	part.State = order.PartiallyPaid
	require.Equal(t, codes.NotAnEnd, order.CodeOf(ValidateResolution(part, request, order.InReview)), "a withdrawal is never paid in part")
	deposit := pakistan(t, order.Deposit).Request
	require.Equal(t, codes.NotAnEnd, order.CodeOf(ValidateResolution(part, deposit, order.InReview)), "without an amount")
	part.Paid = amount(t, "700", "PKR")
	require.NoError(t, ValidateResolution(part, deposit, order.InReview))
	failed := good
	failed.State = order.Failed
	finding, err = ResolutionFinding(failed, request, "")
	require.NoError(t, err)
	require.Equal(t, Unpaid, finding.Verdict)
	require.True(t, finding.Paid.IsZero())
}

func amount(t *testing.T, text, currency string) money.Amount {
	t.Helper()
	a, err := money.Parse(text, currency)
	require.NoError(t, err)
	return a
}
