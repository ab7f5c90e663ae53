package worker

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// askWithin is how long the workflow of an order may take to accept a poll. A workflow whose
// task no worker can execute does not answer, and must not hold up what asks.
const askWithin = 10 * time.Second

// askOrders returns what has the workflow of an open order query the gateway now. The poll's
// id is the update's: a run executes it once.
func askOrders(c client.Client) func(context.Context, order.Key, order.Poll) (bool, error) {
	return func(ctx context.Context, key order.Key, poll order.Poll) (answered bool, err error) {
		within, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		handle, err := c.UpdateWorkflow(within, client.UpdateWorkflowOptions{
			UpdateID: poll.ID, WorkflowID: contract.WorkflowID(key), UpdateName: order.ActionPoll, Args: []any{poll},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = handle.Get(within, nil)
		}
		var refused *temporal.ApplicationError
		var gone *serviceerror.NotFound
		switch {
		case err == nil:
			return true, nil
		case errors.As(err, &refused): // such as an order that has ended, or without a ledger; it may be asked again
			return refused.Type() == order.CodeTerminal, nil
		case errors.As(err, &gone), within.Err() != nil && ctx.Err() == nil:
			return false, nil
		}
		return false, err
	}
}
