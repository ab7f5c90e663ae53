package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// A fee is booked as far as it can be, and never more than the gateway says.
func TestReadFee(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, of, currency string
		fee                string
		rest               int64
		words              string
		believed           bool
	}{
		{"", "1500", "PKR", "0", 0, "", true},
		{"0", "1500", "PKR", "0", 0, "", true},
		{"15", "1500", "PKR", "15", 0, "", true},
		{"15.00", "1500", "PKR", "15", 0, "", true},
		{"15.50000", "1500", "PKR", "15.50", 0, "", true},
		{"1500", "1500", "PKR", "1500", 0, "", true},
		{"0.000", "1500", "VND", "0", 0, "", true},
		// Finer than the currency: towards zero, and the rest is kept.
		{"1481.4", "123450", "VND", "1481", 400_000, "1481.4", true},
		{"4.995", "333", "PKR", "4.99", 500_000, "4.995", true},
		{"0.4", "33", "VND", "0", 400_000, "0.4", true},
		{"0.00000000001", "33", "VND", "0", 0, "", true}, // less than can be kept
		{"1.9999999", "333", "VND", "1", 999_999, "1.9999999", true},
		// Not believed.
		{"-1", "1500", "PKR", "0", 0, "-1", false},
		{"-0.4", "123450", "VND", "0", 0, "-0.4", false},
		{"1500.01", "1500", "PKR", "0", 0, "1500.01", false},
		{"1500.5", "1500", "VND", "0", 0, "1500.5", false},
		{"99999", "900", "PKR", "0", 0, "99999", false},
		{"1,481", "123450", "VND", "0", 0, "1,481", false},
		{"1.481", "123450", "VND", "0", 0, "1.481", false}, // 1,481 would be one, too
		{"1.481", "123450", "PKR", "0", 0, "1.481", false},
		{"2.000", "123450", "VND", "0", 0, "2.000", false},
		{"1.500.000", "123450", "VND", "0", 0, "1.500.000", false},
		{"1e2", "123450", "VND", "0", 0, "1e2", false},
		{" 15", "1500", "PKR", "0", 0, " 15", false},
		{"fifteen of Test Person", "1500", "PKR", "0", 0, "no number", false},
		{"99999999999999999999", "1500", "PKR", "0", 0, "99999999999999999999", false},
	} {
		name := test.text + " of " + test.of + " " + test.currency
		of, err := money.Parse(test.of, test.currency)
		require.NoError(t, err)
		want, err := money.Parse(test.fee, test.currency)
		require.NoError(t, err)
		require.Equal(t, Fee{Amount: want, Rest: test.rest, Text: test.words, Believed: test.believed}, ReadFee(test.text, of), name)
	}
}

// What the gateway says of its fee never stands in the way of a payment.
func TestNoFeeStandsInTheWayOfAPayment(t *testing.T) {
	t.Parallel()
	known := pakistan(t, order.Withdrawal)
	for _, fee := range []string{"", "0", "15", "4.4444", "-1", "1,5", "99999", "1.000", "none", "\x00", "15.0.0"} {
		paid := callback(tarspay.DirectionWithdrawal, tarspay.StateSucceeded)
		paid.Fee = fee
		f, err := CallbackFinding(known, paid)
		require.NoError(t, err, fee)
		require.Equal(t, Paid, f.Verdict, fee)
		require.Equal(t, known.Amount, f.Paid, fee)
		require.GreaterOrEqual(t, f.Fee.Minor(), int64(0), fee)

		returned := tarspay.OrderStatus{GatewayID: paid.GatewayID, OrderAmount: paid.OrderAmount, Currency: paid.Currency, Fee: fee, State: tarspay.StateRefunded}
		f, err = StatusFinding(known, returned)
		require.NoError(t, err, fee)
		require.Equal(t, Returned, f.Verdict, fee)
	}
}

func TestAFeeOfAPersonHasBounds(t *testing.T) {
	t.Parallel()
	pkr := func(text string) money.Amount {
		amount, err := money.Parse(text, "PKR")
		require.NoError(t, err)
		return amount
	}
	vnd, err := money.Parse("1", "VND")
	require.NoError(t, err)
	r := order.Resolution{State: order.Succeeded, By: "amina", Why: "told", Evidence: "ticket 7"}
	request := order.Request{Kind: order.Deposit, Number: "D-1", Amount: pkr("900")}
	for _, test := range []struct {
		state order.State
		paid  money.Amount
		fee   money.Amount
		code  string
	}{
		{order.Succeeded, money.Amount{}, money.Amount{}, ""},
		{order.Succeeded, money.Amount{}, pkr("0"), ""},
		{order.Succeeded, money.Amount{}, pkr("900"), codes.FeeUnconfirmed},
		{order.Succeeded, money.Amount{}, pkr("899.99"), ""},
		{order.Succeeded, money.Amount{}, pkr("900.01"), codes.FeeBounds},
		{order.Succeeded, money.Amount{}, pkr("99999"), codes.FeeBounds},
		{order.Succeeded, money.Amount{}, pkr("-1"), codes.FeeBounds},
		{order.Succeeded, money.Amount{}, vnd, codes.FeeBounds},
		{order.PartiallyPaid, pkr("300"), pkr("300"), codes.FeeUnconfirmed},
		{order.PartiallyPaid, pkr("300"), pkr("301"), codes.FeeBounds},
		{order.Failed, money.Amount{}, pkr("15"), codes.FeeBounds},
		{order.Failed, money.Amount{}, pkr("0"), ""},
	} {
		r.State, r.Paid, r.Fee = test.state, test.paid, test.fee
		require.Equal(t, test.code, order.CodeOf(ValidateResolution(r, request, order.InReview)), "%s, fee %s", test.state, test.fee)
	}
	// A confirmation lets a fee of everything pass, and nothing above it.
	for fee, code := range map[string]string{"900": "", "900.01": codes.FeeBounds} {
		r = order.Resolution{State: order.Succeeded, By: "amina", Why: "told", Evidence: "ticket 7", Fee: pkr(fee), WholeFee: true}
		require.Equal(t, code, order.CodeOf(ValidateResolution(r, request, order.InReview)), fee)
	}
	r.Fee = pkr("900")
	finding, err := ResolutionFinding(r, request, "P1")
	require.NoError(t, err)
	require.Equal(t, pkr("900"), finding.Fee)
}
