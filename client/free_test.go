package client

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// over is a Temporal in which an ended workflow has the id of every order, until
// it may be used again.
type over struct {
	taken
	state  order.State // in the list
	result order.View
	starts []enumspb.WorkflowIdReusePolicy
}

func (o *over) ExecuteWorkflow(_ context.Context, options temporalclient.StartWorkflowOptions, _ any, _ ...any) (temporalclient.WorkflowRun, error) {
	o.starts = append(o.starts, options.WorkflowIDReusePolicy)
	if options.WorkflowIDReusePolicy == enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE {
		return resultOf{}, nil
	}
	return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("it is there", "", "run-1")
}

func (o *over) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	state, err := converter.GetDefaultDataConverter().ToPayload(string(o.state))
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "run-1"}, Status: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
		Type: &commonpb.WorkflowType{Name: o.typ}, TaskQueue: o.queue,
		SearchAttributes: &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{contract.AttributeState.GetName(): state}},
	}}, err
}

func (o *over) GetWorkflow(context.Context, string, string) temporalclient.WorkflowRun {
	return resultOf{view: o.result}
}

type resultOf struct {
	temporalclient.WorkflowRun
	view order.View
}

func (r resultOf) Get(_ context.Context, into any) error {
	*into.(*order.View) = r.view
	return nil
}

func (resultOf) GetID() string    { return "id" }
func (resultOf) GetRunID() string { return "run-2" }

// A number is used again when what had it ended as refused and says that nothing
// is on record of it, and never otherwise.
func TestANumberIsFreeAfterARefusalOnly(t *testing.T) {
	t.Parallel()
	amount, err := money.Parse("1500", "PKR")
	require.NoError(t, err)
	request := order.Request{
		Kind: order.Withdrawal, Merchant: "M1700000001", Number: "W-1", Country: "PK", Way: "easypaisa", Amount: amount,
		Details: map[string]string{"customerName": "Test Person", "customerContact": "03001234567", "customerAccountNumber": "03001234567"},
	}
	invalid := order.Standing{State: order.Rejected, Reason: order.Reason{Code: order.CodeInvalidRequest}}
	conflict := order.Standing{State: order.Rejected, Reason: order.Reason{Code: order.CodeOrderConflict}}
	limit := order.Standing{State: order.Rejected, Reason: order.Reason{Code: "LIMIT_ORDER"}}
	for name, c := range map[string]struct {
		state  order.State
		result order.View
		free   bool
	}{
		"refused":                   {order.Rejected, order.View{Standing: invalid, Unrecorded: true}, true},
		"another order has it":      {order.Rejected, order.View{Standing: conflict}, true},
		"refused, and on record":    {order.Rejected, order.View{Standing: invalid}, false},
		"rejected by a rule":        {order.Rejected, order.View{Standing: limit, Unrecorded: true}, false},
		"paid":                      {order.Succeeded, order.View{Standing: order.Standing{State: order.Succeeded}}, false},
		"the list says otherwise":   {order.Succeeded, order.View{Standing: invalid, Unrecorded: true}, false},
		"the result says otherwise": {order.Rejected, order.View{Standing: order.Standing{State: order.Failed}, Unrecorded: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			input, err := converter.GetDefaultDataConverter().ToPayloads(request)
			require.NoError(t, err)
			server := &over{taken: taken{typ: contract.WithdrawalType, queue: contract.Queue, input: input}, state: c.state, result: c.result}
			started, err := New(server).Start(t.Context(), request)
			require.NoError(t, err)
			require.Equal(t, !c.free, started.Existing)
			if c.free {
				require.Equal(t, "run-2", started.RunID)
				require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, server.starts[0])
				require.Len(t, server.starts, 2)
			} else {
				require.Len(t, server.starts, 1)
			}
		})
	}
}
