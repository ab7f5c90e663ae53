package reconcile

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

func TestBalance(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		drift, withdrawals, deposits, feeRest int64
		want                                  order.Agreement
	}{
		{0, 0, 0, 0, order.Agreed},
		{0, 5, 5, 0, order.Agreed},
		{1, 0, 0, 0, order.Drifting},
		{-1, 0, 0, 0, order.Drifting},
		{-1, 0, 100, 0, order.Drifting},
		{1, 100, 0, 0, order.Drifting},
		{5, 0, 5, 0, order.Unsettled},
		{6, 0, 5, 0, order.Drifting},
		{-100, 100, 0, 0, order.Unsettled},
		{-110, 100, 0, 0, order.Unsettled}, // with a fee of a tenth
		{-111, 100, 0, 0, order.Drifting},
		{-200, 100, 0, 0, order.Drifting}, // twice its amount
		{-1, 0, 0, 1, order.Agreed},       // a fee that was finer
		{-1, 0, 0, 1_000_000, order.Agreed},
		{-2, 0, 0, 1_000_000, order.Drifting},
		{-2, 0, 0, 1_000_001, order.Agreed},
		{1, 0, 0, 5_000_000, order.Drifting},
		{-112, 100, 0, 2_000_000, order.Unsettled},
		{math.MinInt64, math.MaxInt64, 0, 0, order.Unsettled},
		{math.MinInt64, math.MaxInt64 / 4, 0, 0, order.Drifting},
		{-math.MaxInt64, math.MaxInt64, 0, 0, order.Unsettled},
	} {
		require.Equal(t, test.want, Balance(test.drift, test.withdrawals, test.deposits, test.feeRest), "%+v", test)
	}
}
