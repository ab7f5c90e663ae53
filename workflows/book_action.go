package workflows

import (
	"errors"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// BookAction executes a person's action that is not about one order, or returns why
// it is refused. The ledger audits both. It retries until the ledger answers, so a
// caller that did not wait finds the action executed later.
func BookAction(ctx workflow.Context, raw converter.RawValue) (contract.BookActed, error) {
	mustDecrypt(raw)
	ctx, _ = workflow.NewDisconnectedContext(ctx) // a cancellation does not abandon an action
	var action order.BookAction
	err := read(raw, &action)
	if refusal := action.Check(); err == nil && refusal != nil {
		err = refusal
	}
	var no *order.Refusal
	if errors.As(err, &no) {
		return contract.BookActed{Refusal: &no.Reason}, nil
	}
	if action.ID == "" {
		action.ID = "workflow " + workflow.GetInfo(ctx).WorkflowExecution.ID // a reset runs it again
	}
	again := func() error { return workflow.NewContinueAsNewError(ctx, contract.BookActionType, raw) }
	var acted contract.BookActed
	options := forLedger(ctx, action.Name())
	if action.CloseDay != nil {
		options = forDay(ctx, action.Name())
	}
	err = persistIn(options, again, &acted, books.ActOnBooks, action)
	return acted, err
}
