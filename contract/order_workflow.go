package contract

import (
	"strings"

	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/tarspay-payouts/orchestrator/order"
)

// OrderPrefix begins the id of every workflow that drives an order.
const OrderPrefix = "order:"

// WorkflowID is the id of the one workflow that drives an order:
// "order:M1700000001:INV-1". A number is unique per merchant, whatever the kind
// of the order, and so is the id.
func WorkflowID(key order.Key) string { return OrderPrefix + key.Merchant + ":" + key.Number }

// ParseWorkflowID takes an order workflow's id apart.
func ParseWorkflowID(id string) (order.Key, bool) {
	rest, ok := strings.CutPrefix(id, OrderPrefix)
	merchant, number, two := strings.Cut(rest, ":")
	if !ok || !two {
		return order.Key{}, false
	}
	return order.Key{Merchant: merchant, Number: number}, true
}

// WorkflowType is the type of the workflow that drives an order of the kind.
func WorkflowType(kind order.Kind) string {
	if kind == order.Deposit {
		return DepositType
	}
	return WithdrawalType
}

// Holder is the workflow that has an order's id. Whoever may start workflows can
// take an id with a workflow that drives no order.
type Holder struct {
	Type  string
	Queue string
}

// HolderOf reads it from what Temporal says of a workflow.
func HolderOf(info *workflowpb.WorkflowExecutionInfo) Holder {
	return Holder{Type: info.GetType().GetName(), Queue: info.GetTaskQueue()}
}

// Kind is the kind of the orders that such a workflow drives; "" when it drives
// none, because it is of another type, or waits on a task queue that no worker of
// ours serves.
func (h Holder) Kind() order.Kind {
	switch {
	case h.Queue != Queue:
		return ""
	case h.Type == DepositType:
		return order.Deposit
	case h.Type == WithdrawalType:
		return order.Withdrawal
	default:
		return ""
	}
}

// Refuse says why the holder cannot drive the order whose id it has:
// NUMBER_SQUATTED. Nil when it can.
func (h Holder) Refuse(key order.Key) *order.Refusal {
	if h.Kind() != "" {
		return nil
	}
	id := WorkflowID(key)
	return order.Refuse(order.CodeNumberSquatted, "the workflow id %s is taken by a workflow of type %.60q on task queue %.60q, which drives no order; "+
		"find out who started it, delete it (temporal workflow delete --workflow-id %s) and do the same again", id, h.Type, h.Queue, id)
}
