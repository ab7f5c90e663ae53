package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/order"
)

// aNumberCanBeTaken starts workflows with ids of orders that are not such an
// order: on a queue without a worker, of another type, and with other content and
// a false memo. A start of the order must fail at once, and the action that the
// error names must help.
func aNumberCanBeTaken(t *testing.T, h *house) {
	for name, squat := range map[string]struct {
		options  temporalclient.StartWorkflowOptions
		workflow string
		code     string
	}{
		"queue": {temporalclient.StartWorkflowOptions{TaskQueue: "nobodys"}, "", order.CodeNumberSquatted},
		"type":  {temporalclient.StartWorkflowOptions{TaskQueue: "payouts"}, "Something", order.CodeNumberSquatted},
	} {
		for _, kind := range []order.Kind{order.Withdrawal, order.Deposit} {
			p := h.expect(t, kind, "PK", "success", succeeds)
			squat.options.ID = contract.WorkflowID(p.request.Key())
			squat.options.Memo = map[string]any{"fingerprint": p.request.Fingerprint()}
			workflow := squat.workflow
			if workflow == "" {
				workflow = contract.WithdrawalType
			}
			_, err := h.Temporal.ExecuteWorkflow(h.ctx, squat.options, workflow, p.request)
			require.NoError(t, err)

			asked := time.Now()
			_, err = h.Orders.Start(h.ctx, p.request)
			require.Equal(t, squat.code, order.CodeOf(err), "%s: %v", name, err)
			if kind == order.Deposit {
				_, _, err = h.Orders.StartDeposit(h.ctx, p.request)
				require.Equal(t, squat.code, order.CodeOf(err), "%s: %v", name, err)
			}
			require.Less(t, time.Since(asked), 10*time.Second, "nobody waits for a worker that there is not")
			require.ErrorContains(t, err, "temporal workflow delete --workflow-id "+contract.WorkflowID(p.request.Key()))

			_, err = h.Temporal.WorkflowService().DeleteWorkflowExecution(h.ctx, &workflowservice.DeleteWorkflowExecutionRequest{
				Namespace: stack.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: contract.WorkflowID(p.request.Key())},
			})
			require.NoError(t, err)
			started := until(t, h, "the number to be free", func(ctx context.Context) (client.Started, error) {
				return h.Orders.Start(ctx, p.request)
			}, func(client.Started) bool { return true })
			require.False(t, started.Existing)
			h.ended(t, p)
		}
	}
}
