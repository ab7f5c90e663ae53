package contract

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/tarspay-payouts/orchestrator/order"
)

// OrderPrefix begins the id of every workflow that drives an order.
const OrderPrefix = "order:"

// WorkflowID returns the id of the only workflow that drives an order:
// "order:M1700000001:INV-1". A number is unique per merchant, over both kinds of
// orders, and so is the id.
func WorkflowID(key order.Key) string { return OrderPrefix + key.Merchant + ":" + key.Number }

// RepeatID returns the id under which it is noted, once per person, that somebody has
// requested the order of another one again.
func RepeatID(key order.Key, by string) string {
	hash := sha256.Sum256([]byte(by))
	return "repeat:" + key.Merchant + ":" + key.Number + ":" + hex.EncodeToString(hash[:4])
}

// ParseWorkflowID returns the key in an order workflow's id, and false if the id
// has another form.
func ParseWorkflowID(id string) (order.Key, bool) {
	rest, ok := strings.CutPrefix(id, OrderPrefix)
	merchant, number, two := strings.Cut(rest, ":")
	if !ok || !two {
		return order.Key{}, false
	}
	return order.Key{Merchant: merchant, Number: number}, true
}

// WorkflowType returns the type of the workflow that drives an order of the kind.
func WorkflowType(kind order.Kind) string {
	if kind == order.Deposit {
		return DepositType
	}
	return WithdrawalType
}

// Holder is the workflow that has an order's id. Any client of Temporal can take
// the id with a workflow that drives no order.
type Holder struct {
	Type  string
	Queue string
}

// HolderOf returns the holder that Temporal describes.
func HolderOf(info *workflowpb.WorkflowExecutionInfo) Holder {
	return Holder{Type: info.GetType().GetName(), Queue: info.GetTaskQueue()}
}

// Kind returns the kind of orders that the workflow drives. It returns "" if it
// drives none, because its type is another, or because it is on a task queue that
// our workers do not poll.
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

// Refuse returns a refusal NUMBER_SQUATTED if the workflow does not drive orders,
// and nil if it does.
func (h Holder) Refuse(key order.Key) *order.Refusal {
	if h.Kind() != "" {
		return nil
	}
	id := WorkflowID(key)
	return order.Refuse(order.CodeNumberSquatted, "the workflow id %s is taken by a workflow of type %.60q on task queue %.60q, which drives no order; "+
		"find out who started it, delete it (temporal workflow delete --workflow-id %s) and repeat this", id, h.Type, h.Queue, id)
}
