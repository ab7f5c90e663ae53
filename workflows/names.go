package workflows

import "github.com/tarspay-payouts/orchestrator/order"

// Task queues.
const (
	Queue        = "payouts" // workflows and ledger writes
	GatewayQueue = "tarspay" // gateway calls, rate limited by the server
)

// Workflow types, as registered and as other SDKs name them.
const (
	DepositType           = "Deposit"
	WithdrawalType        = "Withdrawal"
	ReconcileBalancesType = "ReconcileBalances"
	LateCallbackType      = "LateCallback"
)

// Messages that an order's workflow understands.
const (
	CallbackSignal     = "callback"     // signal: a callback is in the inbox
	InstructionsUpdate = "instructions" // update: how the payer pays; returns order.View once the create has an outcome
	ResolveUpdate      = "resolve"      // update: an operator ends an order in review, with evidence
	PollNowUpdate      = "poll_now"     // update: ask the gateway at once
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
