package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// answer is what an update was told.
type answer struct {
	rejected, failed error
	acted            contract.Acted
}

// ask sends an action after a while of the world's time.
func (w *world) ask(after time.Duration, argument any) *answer {
	a := &answer{}
	w.RegisterDelayedCallback(func() {
		w.TestWorkflowEnvironment.UpdateWorkflow(contract.ActUpdate, after.String(), &testsuite.TestUpdateCallback{
			OnAccept: func() {},
			OnReject: func(err error) { a.rejected = err },
			OnComplete: func(value any, err error) {
				a.failed = err
				if acted, is := value.(contract.Acted); is {
					a.acted = acted
				}
			},
		}, argument)
	}, after)
	return a
}

func ghost(by string) contract.OperatorActionInput {
	return contract.OperatorActionInput{
		Key:    order.Key{Merchant: merchant, Number: "NO-SUCH-ORDER"},
		Action: contract.Action{Action: order.Cancellation{By: by, Why: "mistake"}},
	}
}

// One workflow answers for all that is asked of a merchant's orders, audits each,
// and ends when nothing has been asked for a day.
func TestOneWorkflowForAllActions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.ask(time.Hour, ghost("amina")), w.ask(20*time.Hour, ghost("dana"))
	w.RegisterDelayedCallback(w.CancelWorkflow, 30*time.Hour)
	last := w.ask(40*time.Hour, ghost("rana"))
	began := w.Now()
	w.TestWorkflowEnvironment.ExecuteWorkflow(contract.OperatorActionsType)
	require.True(t, w.IsWorkflowCompleted())
	require.NoError(t, w.GetWorkflowError(), "a request to cancel does not abandon what is asked")
	for by, a := range map[string]*answer{"amina": first, "dana": second, "rana": last} {
		require.NoError(t, a.rejected)
		require.NoError(t, a.failed)
		require.Equal(t, order.CodeOrderNotFound, a.acted.Refusal.Code)
		refused, _ := w.audited(ghost(by).Key, by)
		require.Equal(t, 1, refused, by)
	}
	require.GreaterOrEqual(t, w.Now().Sub(began), 64*time.Hour)
	require.Less(t, w.Now().Sub(began), 90*time.Hour)
}

// What is no action is refused before it is written down, and stops nothing.
func TestJunkActions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var junked []*answer
	for _, payload := range junk() {
		junked = append(junked, w.ask(time.Duration(len(junked)+1)*time.Minute, converter.NewRawValue(payload)))
	}
	junked = append(junked, w.ask(time.Hour, contract.OperatorActionInput{Key: order.Key{Number: "INV-1"}}))
	good := w.ask(2*time.Hour, ghost("amina"))
	w.TestWorkflowEnvironment.ExecuteWorkflow(contract.OperatorActionsType)
	require.NoError(t, w.GetWorkflowError())
	for i, a := range junked {
		require.ErrorContains(t, a.rejected, order.CodeInvalidRequest, "%d", i)
	}
	require.Equal(t, order.CodeOrderNotFound, good.acted.Refusal.Code)
}

// When its history is long it goes on in a new run; what came before is answered.
func TestActionsGoOnInANewRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.ask(time.Hour, ghost("amina"))
	w.RegisterDelayedCallback(func() { w.SetContinueAsNewSuggested(true) }, 2*time.Hour)
	w.TestWorkflowEnvironment.ExecuteWorkflow(contract.OperatorActionsType)
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, w.GetWorkflowError(), &next)
	require.Equal(t, contract.OperatorActionsType, next.WorkflowType.Name)
	require.Equal(t, order.CodeOrderNotFound, a.acted.Refusal.Code)
}
