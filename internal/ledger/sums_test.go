package ledger

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// minor is so many minor units of a rupee.
func minor(t *testing.T, n int64) money.Amount {
	t.Helper()
	amount, err := money.Minor(n, "PKR")
	require.NoError(t, err)
	return amount
}

// No amount is so large that a day's total could not hold thousands of it.
func TestAmountsHaveABound(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		tooLarge := request(order.Deposit, "D-1", "1")
		tooLarge.Amount = minor(t, money.Most+1)
		_, _, err := b.OpenOrder(t.Context(), tooLarge, Terms{})
		require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err))
		tooLarge.Amount = minor(t, money.Most)
		require.Equal(t, order.Created, open(t, b, tooLarge).State)

		require.ErrorIs(t, b.OpenBooks(t.Context(), "M2", minor(t, money.Most+1), minor(t, 0)), money.ErrRange)
		require.ErrorIs(t, b.OpenBooks(t.Context(), "M2", minor(t, 0), minor(t, money.Most+1)), money.ErrRange)
		require.ErrorIs(t, b.OpenBooks(t.Context(), "M2", minor(t, math.MinInt64), minor(t, 0)), money.ErrRange)

		_, refusal, err := b.ProposeAdjustment(t.Context(), Adjustment{
			Merchant: merchant, Ref: "A-1", Kind: "top_up", Amount: minor(t, money.Most+1), By: "amina", Why: "test", Evidence: "slip",
		})
		require.NoError(t, err)
		require.Equal(t, CodeAdjustmentInvalid, refusal.Code)
		b.clean(t)
	})
}

// An order with which a total could not be held is rejected and counts for
// nothing, with limits and without. Other sums say what they are.
func TestATotalThatOverflows(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		limited := policy(t, "rules:\n  - {country: PK, per_merchant_day: {refuse_above: 10000000000000}}")
		open(t, b, request(order.Deposit, "D-1", "100")) // its day is the books'
		open(t, b, request(order.Withdrawal, "W-1", "100"))
		_, err := b.pool().ExecContext(t.Context(), b.pool().Rebind("UPDATE books SET day_deposits = ?, day_withdrawals = ?"), int64(math.MaxInt64)-10, int64(math.MaxInt64)-10)
		require.NoError(t, err)
		for name, r := range map[string]order.Request{
			"D-2": request(order.Deposit, "D-2", "100"), "W-2": request(order.Withdrawal, "W-2", "100"),
		} {
			o := open(t, b, r)
			require.Equal(t, order.Rejected, o.State, name)
			require.Equal(t, codes.SumTooLarge, o.Reason.Code, name)
		}
		require.Equal(t, codes.LimitMerchantDay, b.openOn(t, limited, request(order.Deposit, "D-3", "100")).Reason.Code)
		balances, err := b.Balances(t.Context(), merchant, "PKR")
		require.NoError(t, err)
		require.Equal(t, pkr("900"), balances[AccountAvailable], "nothing is reserved for what was rejected")
		audit, err := b.VerifyAudit(t.Context(), sealed)
		require.NoError(t, err)
		require.Empty(t, audit.Broken)

		const nearly = int64(math.MaxInt64) - 5
		_, err = b.pool().ExecContext(t.Context(), b.pool().Rebind("UPDATE books SET received = ?, opening = ? - available - in_flight"), -nearly, nearly)
		require.NoError(t, err)
		submit(t, b, order.Key{Merchant: merchant, Number: "D-1"}, accepted)
		_, err = b.Settle(t.Context(), order.Key{Merchant: merchant, Number: "D-1"}, paid("100", "0"))
		var unusable *Error
		require.ErrorAs(t, err, &unusable)
		require.Equal(t, CodeSum, unusable.Code)
	})
}
