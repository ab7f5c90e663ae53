package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
)

// Register adds every workflow to a worker under its public name.
func Register(registry worker.WorkflowRegistry) {
	for name, run := range map[string]any{
		contract.DepositType:               Deposit,
		contract.WithdrawalType:            Withdrawal,
		contract.ReconcileBalancesType:     ReconcileBalances,
		contract.ReconcileTransactionsType: ReconcileTransactions,
		contract.LateCallbackType:          LateCallback,
		contract.OperatorActionsType:       OperatorActions,
		contract.OperatorActionType:        OperatorAction,
		contract.BookActionType:            BookAction,
		contract.FindOrphansType:           FindOrphans,
		contract.CheckpointAuditType:       CheckpointAudit,
		contract.BatchType:                 Batch,
		contract.BatchPageType:             BatchPage,
		contract.StatementType:             Statement,
		contract.StatementPageType:         StatementPage,
	} {
		registry.RegisterWorkflowWithOptions(run, workflow.RegisterOptions{Name: name})
	}
}
