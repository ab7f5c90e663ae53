package workflows

import (
	"errors"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// OperatorAction executes an operator's action on an order that no workflow
// drives: the order has ended, or there is none of its number. It returns the
// refusal if the action is refused. The ledger audits both.
func OperatorAction(ctx workflow.Context, raw converter.RawValue) (contract.Acted, error) {
	mustDecrypt(raw)
	var input contract.OperatorActionInput
	var no *order.Refusal
	if err := read(raw, &input); errors.As(err, &no) {
		return contract.Acted{Refusal: &no.Reason}, nil
	}
	action := contract.Action{Action: order.Marked(input.Action.Action, "workflow "+workflow.GetInfo(ctx).WorkflowExecution.ID)} // a reset runs it again
	again := func() error { return workflow.NewContinueAsNewError(ctx, contract.OperatorActionType, raw) }
	var acted contract.Acted
	err := persist(ctx, "act without a workflow", again, &acted, books.Act, input.Key, action)
	return acted, err
}
