package contract

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

func TestWorkflowID(t *testing.T) {
	t.Parallel()
	key := order.Key{Merchant: "M1700000002", Number: "INV-1"}
	require.Equal(t, "order:M1700000002:INV-1", WorkflowID(key))
	parsed, ok := ParseWorkflowID(WorkflowID(key))
	require.True(t, ok)
	require.Equal(t, key, parsed)
	for _, bad := range []string{"", "order:M1", "order", "withdrawal:M1:2", "refund:M1:2", "reconcile-balances"} {
		_, ok := ParseWorkflowID(bad)
		require.False(t, ok, bad)
	}
}

func TestHolder(t *testing.T) {
	t.Parallel()
	key := order.Key{Merchant: "M1", Number: "N1"}
	for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
		holder := Holder{Type: WorkflowType(kind), Queue: "payouts"}
		require.Equal(t, kind, holder.Kind())
		require.Nil(t, holder.Refuse(key))
	}
	for _, holder := range []Holder{{"Withdrawal", "dead"}, {"Refund", "payouts"}, {"", "payouts"}, {"Deposit", ""}} {
		require.Empty(t, holder.Kind(), holder)
		refusal := holder.Refuse(key)
		require.Equal(t, order.CodeNumberSquatted, refusal.Code)
		require.Contains(t, refusal.Text, "--workflow-id order:M1:N1)")
	}
}
