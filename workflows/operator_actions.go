package workflows

import (
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// idleActions is how long OperatorActions stays after the last action. Whoever
// mistypes a merchant starts one, too, so it must not stay for ever.
const idleActions = 24 * time.Hour

// OperatorActions does to a merchant's orders what operators ask, or says why
// not, where no workflow drives the order. There is one for a merchant, so that
// Temporal's list has one row of all that was asked and refused in a day.
func OperatorActions(ctx workflow.Context) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx) // what an operator asks is not abandoned
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

// actForOperator does one action, or says why not.
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
		return contract.Acted{}, refusal(order.Refuse(order.CodeLedgerAway,
			"the ledger does not answer; whether it was done is not known: look at the order, or ask again"))
	}
	return acted, nil
}

// readAction reads what is asked, strictly. The error is an *order.Refusal.
func readAction(raw converter.RawValue) (contract.OperatorActionInput, error) {
	var input contract.OperatorActionInput
	if err := read(raw, &input); err != nil {
		return input, err
	}
	if input.Action.Action == nil {
		return input, order.NoAction()
	}
	if input.Key.Merchant == "" {
		return input, order.Refuse(order.CodeInvalidRequest, "an action names the order's merchant")
	}
	return input, nil
}
