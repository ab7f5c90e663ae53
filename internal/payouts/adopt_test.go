package payouts

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// adoptedNext has a text for every state in which an order can be adopted.
func TestAdoptedNext(t *testing.T) {
	t.Parallel()
	for _, state := range order.States() {
		require.Equal(t, !state.Terminal(), adoptedNext[state] != "", state)
	}
}
