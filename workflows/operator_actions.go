package workflows

import (
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// idleActions is how long OperatorActions runs after the last action. It must end,
// because a mistyped merchant number starts one, too.
const idleActions = 24 * time.Hour

// OperatorActions executes operators' actions on a merchant's orders that no
// workflow drives, and returns the refusals. There is one per merchant, so that
// Temporal's list of workflows has one row for all actions of a day.
func OperatorActions(ctx workflow.Context) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx) // a cancellation does not abandon an action
	asked := 0
	err := workflow.SetUpdateHandlerWithOptions(ctx, contract.ActUpdate, func(ctx workflow.Context, raw converter.RawValue) (contract.Acted, error) {
		asked++
		return actForOperator(ctx, raw)
	}, workflow.UpdateHandlerOptions{
		Description: "Act on an order that no workflow drives.",
		Validator: func(raw converter.RawValue) error {
			_, err := readAction(raw)
			return refused(err)
		},
	})
	if err != nil {
		return err
	}
	for {
		before := asked
		full, err := workflow.AwaitWithTimeout(ctx, idleActions, func() bool {
			return workflow.GetInfo(ctx).GetContinueAsNewSuggested() && workflow.AllHandlersFinished(ctx)
		})
		switch {
		case err != nil:
			return err // the context is never cancelled
		case full:
			return workflow.NewContinueAsNewError(ctx, contract.OperatorActionsType)
		case asked == before && workflow.AllHandlersFinished(ctx):
			return nil
		}
	}
}

// actForOperator executes one action, or returns why it was refused.
func actForOperator(ctx workflow.Context, raw converter.RawValue) (contract.Acted, error) {
	mustDecrypt(raw)
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	input, err := readAction(raw)
	if err != nil {
		return contract.Acted{}, refused(err)
	}
	action := contract.Action{Action: order.Marked(input.Action.Action, "update "+workflow.GetCurrentUpdateInfo(ctx).ID)} // a reset delivers it again
	var acted contract.Acted
	if workflow.ExecuteLocalActivity(forAction(ctx, "act without a workflow"), books.Act, input.Key, action).Get(ctx, &acted) != nil {
		return contract.Acted{}, refusal(order.Refuse(codes.LedgerAway,
			"the ledger does not answer; it is not known whether the action was executed: look at the order, or ask again"))
	}
	return acted, nil
}

// readAction decodes an action's input strictly. The error is an *order.Refusal.
func readAction(raw converter.RawValue) (contract.OperatorActionInput, error) {
	var input contract.OperatorActionInput
	if err := read(raw, &input); err != nil {
		return input, err
	}
	if input.Action.Action == nil {
		return input, order.NoAction()
	}
	if input.Key.Merchant == "" {
		return input, order.Refuse(order.CodeInvalidRequest, "member key.merchant is missing: an action names the order's merchant")
	}
	return input, nil
}
