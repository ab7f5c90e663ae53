package workflows_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (w *world) actOnBooks(action order.BookAction) contract.BookActed {
	w.t.Helper()
	w.TestWorkflowEnvironment.ExecuteWorkflow(contract.BookActionType, action)
	require.True(w.t, w.IsWorkflowCompleted())
	require.NoError(w.t, w.GetWorkflowError())
	var acted contract.BookActed
	require.NoError(w.t, w.GetWorkflowResult(&acted))
	return acted
}

// An action on the books is executed and audited, or refused and audited. A refusal
// is a result. A run that is reset executes it once.
func TestBookAction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	end := order.BookAction{Who: order.Who{ID: "1", By: "amina", Why: "all found"}, EndRestore: &order.Installation{}}
	require.Equal(t, ledger.CodeNotRestored, w.actOnBooks(end).Refusal.Code)
	refused, _ := w.audited(order.Key{}, "amina")
	require.Equal(t, 1, refused)

	_, _, err := w.books.MarkRestored(t.Context(), order.Who{By: "dana", Why: "the disk broke"})
	require.NoError(t, err)
	end.ID = "" // then the workflow's id is the key
	w = w.again()
	first := w.actOnBooks(end)
	require.Nil(t, first.Refusal)
	var restore ledger.Restore
	require.NoError(t, json.Unmarshal(first.Record, &restore))
	require.Equal(t, "amina", restore.By)
	require.True(t, restore.Ended)
	w = w.again() // the environment gives every run the same workflow id
	second := w.actOnBooks(end)
	require.JSONEq(t, string(first.Record), string(second.Record))
	_, done := w.audited(order.Key{}, "amina")
	require.Equal(t, 1, done)
}

// Whatever goes wrong in the activity, the action is executed when it is over.
func TestNothingFailsABookAction(t *testing.T) {
	t.Parallel()
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sabotaged(&saboteur{now: w.Now, called: "ActOnBooks", fault: f})
			acted := w.actOnBooks(order.BookAction{Who: order.Who{By: "amina", Why: "w"}, EndRestore: &order.Installation{}})
			require.Equal(t, ledger.CodeNotRestored, acted.Refusal.Code)
			refused, _ := w.audited(order.Key{}, "amina")
			require.Equal(t, 1, refused)
		})
	}
}
