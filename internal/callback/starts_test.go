package callback

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/order"
)

// quiet is a Temporal in which no workflow is open and any may be started.
type quiet struct {
	started []string // workflow ids
}

func (q *quiet) SignalWorkflow(context.Context, string, string, string, any) error {
	return serviceerror.NewNotFound("workflow execution not found")
}

func (q *quiet) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return nil, serviceerror.NewNotFound("workflow execution not found")
}

func (q *quiet) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	q.started = append(q.started, options.ID)
	return nil, nil
}

// However an order stands, or if there is none: what starts is the workflow of
// a late callback and nothing else.
func TestNoOrderIsStarted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	temporal := &quiet{}
	deliverer := NewDeliverer(b.ledger, temporal, b.metrics, b.log)
	ghost := order.Order{Request: order.Request{Kind: order.Withdrawal, Merchant: merchant, Number: "W-404", Amount: pkr(10)}}
	ended := b.open(t, order.Withdrawal, "W-1", beyondBalance)
	for row, want := range map[*order.Order]Outcome{
		&ghost: Unmatched, &ended: Diverted,
		new(b.open(t, order.Withdrawal, "W-2", 10)): Orphaned,
		new(b.open(t, order.Deposit, "D-1", 10)):    Orphaned,
	} {
		require.Equal(t, want, deliverer.Deliver(t.Context(), b.store(t, *row), row.Key()), row.Number)
	}
	_, err := deliverer.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"late:M1700000001:W-1:" + b.entry(t, ended).ID[:idPart]}, temporal.started)
}
