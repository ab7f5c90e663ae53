package contract_test

import (
	"encoding/json"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The workflow id follows from merchant and number, whatever the kind.
func ExampleWorkflowID() {
	id := contract.WorkflowID(order.Key{Merchant: "M1700000001", Number: "INV-1"})
	fmt.Println(id)

	key, ok := contract.ParseWorkflowID(id)
	fmt.Println(key.Merchant, key.Number, ok)
	// Output:
	// order:M1700000001:INV-1
	// M1700000001 INV-1 true
}

// What has an order's id is the order only if its type and queue are.
func ExampleHolder_Refuse() {
	key := order.Key{Merchant: "M1700000001", Number: "INV-1"}
	fmt.Println(contract.Holder{Type: contract.WithdrawalType, Queue: contract.Queue}.Refuse(key) == nil)

	refusal := contract.Holder{Type: contract.WithdrawalType, Queue: "somewhere"}.Refuse(key)
	fmt.Println(refusal.Code)
	// Output:
	// true
	// NUMBER_SQUATTED
}

// The signal that another language sends for a callback in the inbox.
func ExampleCallbackSignalInput() {
	text, err := json.Marshal(contract.CallbackSignalInput{ID: "6f60f53c"})
	fmt.Println(contract.CallbackSignal, string(text), err)
	// Output:
	// callback {"id":"6f60f53c"} <nil>
}
