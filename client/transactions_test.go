package client

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// While a comparison of a merchant is under way, one of the same span is it, and one of
// another span is refused. What is none of ours is never taken for one.
func TestOneComparisonAtATime(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	there := contract.ReconcileTransactionsInput{Merchants: []string{"M1"}, From: from}
	temporal := &taken{typ: contract.ReconcileTransactionsType, queue: contract.Queue, input: payloads(t, converter.GetDefaultDataConverter(), there)}
	c := New(temporal)
	found, err := c.CompareTransactions(t.Context(), "M1", from.In(time.FixedZone("", 3600)), time.Time{})
	require.NoError(t, err)
	require.Equal(t, "run-1", found.RunID)
	require.True(t, found.Existing)
	require.Zero(t, found.EndedAt)
	require.Nil(t, found.Result)

	for _, span := range [][2]time.Time{{}, {from.Add(time.Hour)}, {from, from.Add(time.Hour)}} {
		_, err = c.CompareTransactions(t.Context(), "M1", span[0], span[1])
		require.Equal(t, CodeReconciliationUnderWay, order.CodeOf(err), "%v", span)
		require.ErrorContains(t, err, "run-1")
	}
	temporal.typ = contract.DepositType
	_, err = c.CompareTransactions(t.Context(), "M1", from, time.Time{})
	require.Equal(t, CodeReconciliationUnderWay, order.CodeOf(err))
	_, err = c.ComparedTransactions(t.Context(), "M1", "run-1")
	require.Equal(t, CodeReconciliationNotFound, order.CodeOf(err))
}
