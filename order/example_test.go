package order_test

import (
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

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

// Validate a request before it is started. All problems are found at once.
func ExampleRequest_Validate() {
	request := exampleRequest()
	fmt.Println(request.Validate(nil))

	request.Number = "INV 1"
	request.Details["customerAccountNumber"] = "3001234567"
	var invalid *order.Invalid
	if errors.As(request.Validate(nil), &invalid) {
		for _, problem := range invalid.Problems {
			fmt.Println(problem.Code, problem.Field)
		}
	}
	// Output:
	// <nil>
	// ORDER_NUMBER_MALFORMED number
	// MALFORMED_FIELD customerAccountNumber
}

// The fingerprint tells a repetition of an order from a conflict. It does not
// depend on who asks.
func ExampleRequest_Fingerprint() {
	first := exampleRequest()
	again := exampleRequest()
	again.RequestedBy = "amina"
	fmt.Println(first.Fingerprint() == again.Fingerprint())

	again.Details["customerAccountNumber"] = "03007654321"
	fmt.Println(first.Fingerprint() == again.Fingerprint())
	// Output:
	// true
	// false
}

// Printing a request never shows personal data; Payee is masked.
func ExampleRequest_Payee() {
	request := exampleRequest()
	fmt.Printf("%+v\n", request)
	fmt.Println(request.Payee())
	// Output:
	// withdrawal M1700000001/INV-1 (1500.00 PKR, PK easypaisa)
	// easypaisa, account …4567, T… P…
}

// Decide says what a finding does to an order: it moves it, opens a discrepancy, or
// does nothing.
func ExampleDecide() {
	fmt.Println(order.Decide(order.Withdrawal, order.Submitted, false, order.Paid).Path)
	fmt.Println(order.Decide(order.Withdrawal, order.Failed, false, order.Paid).Discrepancy)
	fmt.Println(order.Decide(order.Withdrawal, order.Failed, false, order.Unpaid).Moves())
	// Output:
	// [succeeded]
	// PAID_AFTER_END
	// false
}

// The state table: what it does not list is forbidden.
func ExampleCanMove() {
	fmt.Println(order.CanMove(order.Withdrawal, order.Submitted, order.Succeeded))
	fmt.Println(order.CanMove(order.Withdrawal, order.Failed, order.Succeeded))
	// Output:
	// true
	// false
}

// A policy says which orders a second person must approve.
func ExamplePolicy_Judge() {
	policy, err := order.ParsePolicy([]byte(`
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
	ruling := policy.Judge(request, order.Facts{})
	fmt.Println(ruling.Verdict, ruling.Reason().Code)
	fmt.Println(ruling.Reason().Text)
	// Output:
	// needs_approval LIMIT_ORDER
	// the amount is 1500.00 PKR and needs approval above 1000.00 PKR
}
