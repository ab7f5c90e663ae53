package rules_test

import (
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Decide says what a finding does to an order: it moves it, opens a discrepancy, or
// does nothing.
func ExampleDecide() {
	fmt.Println(rules.Decide(order.Withdrawal, order.Submitted, false, rules.Paid).Path)
	fmt.Println(rules.Decide(order.Withdrawal, order.Failed, false, rules.Paid).Discrepancy)
	fmt.Println(rules.Decide(order.Withdrawal, order.Failed, false, rules.Unpaid).Moves())
	// Output:
	// [succeeded]
	// PAID_AFTER_END
	// false
}

// The state table: what it does not list is forbidden.
func ExampleCanMove() {
	fmt.Println(rules.CanMove(order.Withdrawal, order.Submitted, order.Succeeded))
	fmt.Println(rules.CanMove(order.Withdrawal, order.Failed, order.Succeeded))
	// Output:
	// true
	// false
}

// A policy says which orders a second person must approve.
func ExamplePolicy_Judge() {
	policy, err := rules.ParsePolicy([]byte(`
rules:
  - kind: withdrawal
    country: PK
    per_order: {approve_above: "1000"}
`), "policy.yaml")
	if err != nil {
		panic(err)
	}
	request := exampleRequest()
	request.RequestedBy = "omar"
	ruling := policy.Judge(request, rules.Facts{})
	fmt.Println(ruling.Verdict, ruling.Reason().Code)
	fmt.Println(ruling.Reason().Text)
	// Output:
	// needs_approval LIMIT_ORDER
	// the amount is 1500.00 PKR and needs approval above 1000.00 PKR
}

func exampleRequest() order.Request {
	amount, err := money.Parse("1500", "PKR")
	if err != nil {
		panic(err)
	}
	return order.Request{
		Kind: order.Withdrawal, Merchant: "M1700000001", Number: "INV-1", Country: "PK", Way: "easypaisa", Amount: amount,
		Details: map[string]string{
			"customerName": "Test Person", "customerAccountNumber": "03001234567",
		},
	}
}
