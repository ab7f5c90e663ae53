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
