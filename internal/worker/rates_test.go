package worker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
)

// A limit of calls limits calls, whatever an attempt makes of them.
func TestRatesAreOfCalls(t *testing.T) {
	t.Parallel()
	gateway, transactions := Rates{Gateway: 30, Transactions: 100}.attempts()
	require.LessOrEqual(t, gateway*activities.CallsPerOrderAttempt, 30.0)
	require.LessOrEqual(t, transactions*activities.CallsPerAttempt, 100.0)
	require.InDelta(t, 10.0, gateway, 0)
	require.InDelta(t, 2.0, transactions, 0)
}
