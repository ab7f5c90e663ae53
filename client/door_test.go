package client_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// untouched is a Temporal that must not be asked for anything.
type untouched struct {
	temporalclient.Client
	t *testing.T
}

func (u untouched) ExecuteWorkflow(context.Context, temporalclient.StartWorkflowOptions, any, ...any) (temporalclient.WorkflowRun, error) {
	require.Fail(u.t, "a workflow was started")
	return nil, context.Canceled
}

func (u untouched) NewWithStartWorkflowOperation(temporalclient.StartWorkflowOptions, any, ...any) temporalclient.WithStartWorkflowOperation {
	require.Fail(u.t, "a workflow was to be started")
	return nil
}

func (u untouched) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return nil, serviceerror.NewNotFound("no such order")
}

// What breaks a rule is refused at the door, with its reason, before a workflow
// or the ledger hears of it.
func TestBadAmountsStopAtTheDoor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		minor    int64
		currency string
		code     string
	}{
		"zero":           {0, "PKR", order.ProblemAmount},
		"negative":       {-150000, "PKR", order.ProblemAmount},
		"other currency": {150000, "VND", order.ProblemCurrency},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			amount, err := money.Minor(test.minor, test.currency)
			require.NoError(t, err)
			r := order.Request{
				Kind: order.Withdrawal, Merchant: "M1700000001", Number: "W-1", Country: "PK", Way: "easypaisa", Amount: amount,
				Details: map[string]string{"customerName": "Test Person", "customerContact": "03001234567", "customerAccountNumber": "03001234567"},
			}
			door := client.New(untouched{t: t})
			var invalid *order.Invalid
			_, err = door.Start(t.Context(), r)
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, test.code, invalid.Problems[0].Code)
			r.Kind = order.Deposit
			_, _, err = door.StartDeposit(t.Context(), r)
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, test.code, invalid.Problems[0].Code)
		})
	}
}
