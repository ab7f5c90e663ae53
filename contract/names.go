// Package contract is what crosses Temporal: the names of task queues, workflow
// types, signals, updates, queries and search attributes, what they take and
// return, and how an encrypted payload is recognised. Workers, the receiver and
// clients in Go share it; a client in another language repeats it.
//
// It does no input or output, and knows neither the ledger nor the gateway.
package contract

import "github.com/tarspay-payouts/orchestrator/order"

// Task queues.
const (
	Queue        = "payouts" // workflows and ledger writes
	GatewayQueue = "tarspay" // gateway calls, rate limited by the server
	// TransactionsQueue has the calls that compare transactions, with a limit of
	// their own, so that orders under way never wait for them.
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
	FindOrphansType           = "FindOrphans"
)

// Messages that an order's workflow understands.
const (
	CallbackSignal     = "callback"     // signal: a callback is in the inbox
	InstructionsUpdate = "instructions" // update: how the payer pays; returns order.View once the create has an outcome
	OrderQuery         = "order"        // query: order.View
)

// CallbackSignalInput names a callback by its id in the ledger's inbox.
type CallbackSignalInput struct {
	ID string `json:"id"`
}

// LateCallbackInput names a callback that came after its order's workflow had
// ended.
type LateCallbackInput struct {
	Kind       order.Kind `json:"kind"`
	Key        order.Key  `json:"key"`
	CallbackID string     `json:"callback_id"`
}

// ActUpdate is the update of OperatorActions; it takes an OperatorActionInput and
// returns an Acted.
const ActUpdate = "act"

// OperatorActionsID is the id of a merchant's OperatorActions.
func OperatorActionsID(merchant string) string { return "actions:" + merchant }

// OperatorActionInput is an action on an order that no workflow drives.
type OperatorActionInput struct {
	Key    order.Key `json:"key"`
	Action Action    `json:"action"`
}
