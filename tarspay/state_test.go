package tarspay

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStates(t *testing.T) {
	t.Parallel()
	// Each row: the number, its name, and for each direction whether a page
	// lists it, whether it is final, whether payAmount counts, and whether a
	// callback names it.
	type side struct{ documented, final, paid, calledBack bool }
	tests := []struct {
		state               State
		name                string
		deposit, withdrawal side
	}{
		{StateCreated, "created", side{true, false, false, false}, side{true, false, false, false}},
		{StateInProgress, "in progress", side{true, false, false, false}, side{true, false, false, false}},
		{StateSucceeded, "succeeded", side{true, true, true, true}, side{true, true, true, true}},
		{StateFailed, "failed", side{true, true, false, true}, side{true, true, false, true}},
		{StateCancelled, "cancelled", side{true, true, false, false}, side{}},
		{StateRefunded, "refunded", side{true, true, false, true}, side{true, true, false, true}},
		{StateTimedOut, "timed out", side{true, true, false, false}, side{}},
		{StateQueued, "queued", side{true, false, false, false}, side{}},
		{StateRejected, "rejected", side{true, true, false, true}, side{true, true, false, true}},
		{StatePartial, "partially paid", side{true, true, true, true}, side{}},
	}
	require.Len(t, States(), len(tests))
	for i, test := range tests {
		require.Equal(t, State(i), test.state)
		require.Equal(t, test.state, States()[i].State)
		require.Equal(t, test.name, test.state.String())
		require.True(t, test.state.Documented())
		require.Equal(t, test.deposit.paid, test.state.Paid())
		for direction, want := range map[Direction]side{DirectionDeposit: test.deposit, DirectionWithdrawal: test.withdrawal} {
			meaning := test.state.Meaning(direction)
			require.Equal(t, want, side{meaning.Documented, meaning.Final, meaning.Paid, meaning.CalledBack}, "%s %s", direction, test.name)
			require.Equal(t, want.final, test.state.Final(direction))
			require.NotEmpty(t, meaning.Text)
		}
	}
}

func TestUndocumentedStateDecidesNothing(t *testing.T) {
	t.Parallel()
	for _, state := range []State{-1, 10, 42} {
		require.False(t, state.Documented())
		require.False(t, state.Final(DirectionDeposit))
		require.False(t, state.Final(DirectionWithdrawal))
		require.False(t, state.Paid())
	}
	require.Equal(t, "state 42", State(42).String())
	require.False(t, StateSucceeded.Final(Direction(3)), "no such direction")
	require.Equal(t, "deposit", DirectionDeposit.String())
	require.Equal(t, "withdrawal", DirectionWithdrawal.String())
	require.Equal(t, "direction 3", Direction(3).String())
}
