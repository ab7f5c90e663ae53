// Package contract has what the processes share through Temporal: the names of
// task queues, workflow types, signals, updates, queries and search attributes,
// their inputs and results, and the form of an encrypted payload. Workers, the
// receiver and Go clients import it; a client in another language has to repeat
// it.
//
// It does no I/O and imports neither the ledger nor the gateway.
package contract

import "github.com/tarspay-payouts/orchestrator/order"

// Task queues.
const (
	Queue        = "payouts" // workflows and ledger writes
	GatewayQueue = "tarspay" // gateway calls, rate limited by the server
	// TransactionsQueue has the calls that compare transactions. Its rate limit is
	// separate, so that orders in progress never wait for them.
	TransactionsQueue = "tarspay-transactions"
)

// Workflow types, as registered and as other SDKs name them.
const (
	DepositType               = "Deposit"
	WithdrawalType            = "Withdrawal"
	ReconcileBalancesType     = "ReconcileBalances"
	ReconcileTransactionsType = "ReconcileTransactions"
	LateCallbackType          = "LateCallback"
	OperatorActionsType       = "OperatorActions"
	OperatorActionType        = "OperatorAction"
	BookActionType            = "BookAction"
	FindOrphansType           = "FindOrphans"
	CheckpointAuditType       = "CheckpointAudit"
)

// Messages that an order's workflow accepts.
const (
	CallbackSignal     = "callback"     // signal: a callback is in the inbox
	InstructionsUpdate = "instructions" // update: how the payer pays; returns order.View once the create has an outcome
	OrderQuery         = "order"        // query: order.View
)

// CallbackSignalInput names a callback by its id in the ledger's inbox.
type CallbackSignalInput struct {
	ID string `json:"id"`
}

// LateCallbackInput names a callback that came after the end of its order's
// workflow.
type LateCallbackInput struct {
	Kind       order.Kind `json:"kind"`
	Key        order.Key  `json:"key"`
	CallbackID string     `json:"callback_id"`
}

// ActUpdate is the update of the OperatorActions workflow. It takes an
// OperatorActionInput and returns an Acted.
const ActUpdate = "act"

// OperatorActionsID returns the id of a merchant's OperatorActions workflow.
func OperatorActionsID(merchant string) string { return "actions:" + merchant }

// OperatorActionInput is an action on an order that no workflow drives.
type OperatorActionInput struct {
	Key    order.Key `json:"key"`
	Action Action    `json:"action"`
}
