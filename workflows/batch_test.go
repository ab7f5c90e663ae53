package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/workflows"
)

// batchWorld runs a batch whose steps are values.
func batchWorld(t *testing.T, ready []order.BatchState, steps ...contract.BatchStep) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	env := new(testsuite.WorkflowTestSuite).NewTestWorkflowEnvironment()
	env.RegisterWorkflowWithOptions(workflows.Batch, workflow.RegisterOptions{Name: contract.BatchType})
	var books *activities.Books
	env.RegisterActivity(books)
	env.OnActivity(books.ReadyBatch, mock.Anything, "0123456789abcdef").Return(func(context.Context, string) (order.BatchState, error) {
		next := ready[0]
		ready = ready[1:]
		return next, nil
	})
	env.OnActivity(books.StepBatch, mock.Anything, "0123456789abcdef").Return(func(context.Context, string) (contract.BatchStep, error) {
		next := steps[0]
		if len(steps) > 1 {
			steps = steps[1:]
		}
		return next, nil
	})
	return env
}

var someBatch = order.Batch{Merchant: "M1700000001", ID: "0123456789abcdef", Columns: []string{}, Rows: 1}

// A batch waits until it is stored, goes on step by step, and ends when it is completed.
func TestBatch(t *testing.T) {
	t.Parallel()
	running := contract.BatchStep{State: order.BatchRunning, Left: 10, Open: 5}
	done := contract.BatchStep{State: order.BatchCompleted}
	env := batchWorld(t, []order.BatchState{order.BatchStoring, order.BatchRunning}, running, running, done)
	env.ExecuteWorkflow(contract.BatchType, someBatch)
	require.NoError(t, env.GetWorkflowError())
	var last contract.BatchStep
	require.NoError(t, env.GetWorkflowResult(&last))
	require.Equal(t, done, last)

	env = batchWorld(t, []order.BatchState{order.BatchBroken})
	env.ExecuteWorkflow(contract.BatchType, someBatch)
	require.NoError(t, env.GetWorkflowError())
	require.NoError(t, env.GetWorkflowResult(&last))
	require.Equal(t, order.BatchBroken, last.State)
}

// A paused batch looks again at once when it is told, and a cancelled one ends when
// everything that it has started is in the ledger.
func TestPausedBatch(t *testing.T) {
	t.Parallel()
	paused := contract.BatchStep{State: order.BatchPaused, Left: 10}
	cancelled := contract.BatchStep{State: order.BatchCancelled, Left: 10, Open: 1, Unwritten: 1}
	written := contract.BatchStep{State: order.BatchCancelled, Left: 10, Open: 1}
	env := batchWorld(t, []order.BatchState{order.BatchRunning}, paused, cancelled, written)
	begun := env.Now()
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(contract.BatchSignal, nil) }, time.Second)
	env.ExecuteWorkflow(contract.BatchType, someBatch)
	require.NoError(t, env.GetWorkflowError())
	require.Less(t, env.Now().Sub(begun), time.Minute)
	var last contract.BatchStep
	require.NoError(t, env.GetWorkflowResult(&last))
	require.Equal(t, written, last)
}

// A batch that runs for long continues as a new run, and no input fails it.
func TestLongBatch(t *testing.T) {
	t.Parallel()
	env := batchWorld(t, []order.BatchState{order.BatchRunning}, contract.BatchStep{State: order.BatchRunning, Open: 1})
	env.ExecuteWorkflow(contract.BatchType, someBatch)
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, env.GetWorkflowError(), &again)

	env = batchWorld(t, nil)
	env.ExecuteWorkflow(contract.BatchType, map[string]string{"colour": "red"})
	require.NoError(t, env.GetWorkflowError())
}
