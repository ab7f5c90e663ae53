package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Register adds every workflow to a worker under its public name.
func Register(registry worker.WorkflowRegistry) {
	for name, run := range map[string]any{
		DepositType:               Deposit,
		WithdrawalType:            Withdrawal,
		ReconcileBalancesType:     ReconcileBalances,
		ReconcileTransactionsType: ReconcileTransactions,
		LateCallbackType:          LateCallback,
		OperatorActionsType:       OperatorActions,
		OperatorActionType:        OperatorAction,
		FindOrphansType:           FindOrphans,
	} {
		registry.RegisterWorkflowWithOptions(run, workflow.RegisterOptions{Name: name})
	}
}
