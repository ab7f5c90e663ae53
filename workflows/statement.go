package workflows

import (
	"fmt"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Statement compares a statement with the orders once all of it is stored. How far it is
// compared is in the ledger and in the activity's heartbeat, so a million lines add no
// events. It returns the statement's last state.
func Statement(ctx workflow.Context, raw converter.RawValue) (order.StatementState, error) {
	mustDecrypt(raw)
	var s order.Statement
	if err := read(raw, &s); err != nil {
		return order.StatementBroken, nil //nolint:nilerr // nothing from outside fails a workflow
	}
	again := func() error { return workflow.NewContinueAsNewError(ctx, contract.StatementType, raw) }
	state := order.StatementStoring
	for pause := batchPause; state == order.StatementStoring; pause = min(2*pause, batchMaxPause) {
		if err := workflow.ExecuteActivity(forBatch(ctx, "is everything stored"), books.ReadyStatement, s.ID).Get(ctx, &state); err != nil {
			return state, err
		}
		if state != order.StatementStoring {
			break
		}
		workflow.SetCurrentDetails(ctx, "Lines of the statement are missing.")
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return state, again()
		}
		if err := workflow.Sleep(ctx, pause); err != nil {
			return state, err
		}
	}
	for state == order.StatementMatching {
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("%d lines are compared with the orders.", s.Lines))
		err := workflow.ExecuteActivity(forTransactions(ctx, "compare the lines"), gateway.MatchStatement, s.ID).Get(ctx, &state)
		if temporal.IsCanceledError(err) {
			return state, err
		}
		if err == nil {
			break
		}
		workflow.SetCurrentDetails(ctx, "Waiting: "+sayProblem(err))
		if err := tryLater(ctx, again); err != nil {
			return state, err
		}
	}
	return state, nil
}

// StatementPage stores some lines of a statement, or returns why they are refused.
func StatementPage(ctx workflow.Context, raw converter.RawValue) (*order.Reason, error) {
	return storePage[contract.StatementPage](ctx, raw, contract.StatementPageType, "store lines of a statement", books.StoreStatementPage)
}
