package order

import (
	"fmt"
	"strings"
)

// The workflow that drives an order: what it is called, and where it runs. Its
// id is the order's, so whoever may start workflows can take an id with a
// workflow that is none of an order.

// WorkflowQueue is the task queue of the workflows that drive orders.
const WorkflowQueue = "payouts"

// StateAttribute is the search attribute in which a workflow says where its order
// stands.
const StateAttribute = "PayoutState"

// Workflow types, as registered and as other SDKs name them.
const (
	DepositWorkflow    = "Deposit"
	WithdrawalWorkflow = "Withdrawal"
)

// WorkflowType is the type of the workflow that drives an order of the kind.
func WorkflowType(kind Kind) string {
	if kind == Deposit {
		return DepositWorkflow
	}
	return WithdrawalWorkflow
}

// WorkflowID is the id of the one workflow that drives the order:
// "withdrawal:M1700000001:ORDER-1".
func (r Request) WorkflowID() string { return WorkflowID(r.Kind, r.Key()) }

// WorkflowID is the id of the one workflow that drives an order.
func WorkflowID(kind Kind, key Key) string {
	return fmt.Sprintf("%s:%s:%s", kind, key.Merchant, key.Number)
}

// ParseWorkflowID takes an order workflow's id apart.
func ParseWorkflowID(id string) (Kind, Key, bool) {
	parts := strings.SplitN(id, ":", 3)
	if len(parts) != 3 || (Kind(parts[0]) != Deposit && Kind(parts[0]) != Withdrawal) {
		return "", Key{}, false
	}
	return Kind(parts[0]), Key{Merchant: parts[1], Number: parts[2]}, true
}

// Holder is a workflow that has an order's id, by its type and its task queue.
type Holder struct {
	Type  string `json:"type,omitempty"`
	Queue string `json:"queue,omitempty"`
}

// Refuse says why the holder cannot drive the order whose id it has:
// NUMBER_SQUATTED when it is of another type, or waits on a task queue that no
// worker of ours serves. Nil when it can.
func (h Holder) Refuse(kind Kind, key Key) *Refusal {
	if h.Type == WorkflowType(kind) && h.Queue == WorkflowQueue {
		return nil
	}
	id := WorkflowID(kind, key)
	return Refuse(CodeNumberSquatted, "the workflow id %s is taken by a workflow of type %.60q on task queue %.60q, which drives no order; "+
		"find out who started it, delete it (temporal workflow delete --workflow-id %s) and do the same again", id, h.Type, h.Queue, id)
}
