package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The fee that is expected is shown beside the real one, and only if there is one.
func TestExpectedFeeIsShown(t *testing.T) {
	t.Parallel()
	fee, err := money.Parse("15", "PKR")
	require.NoError(t, err)
	text := func(s order.Standing) string {
		var out strings.Builder
		writeOrder(&out, orderDocument{Order: order.View{Kind: order.Withdrawal, Standing: s}})
		return out.String()
	}
	require.Regexp(t, `(?m)^ *expected fee +15\.00 PKR$`, text(order.Standing{State: order.Reserved, ExpectedFee: fee}))
	require.NotContains(t, text(order.Standing{State: order.Reserved}), "expected fee")
}
