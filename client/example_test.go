package client_test

import (
	"context"
	"errors"
	"fmt"

	temporalclient "go.temporal.io/sdk/client"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Start a withdrawal and wait for its end. Calling Start again with the same
// request is safe. It is not run: it needs a Temporal server and a worker.
func ExampleClient_Start() {
	temporal, err := temporalclient.Dial(temporalclient.Options{Namespace: "payouts"})
	if err != nil {
		panic(err)
	}
	defer temporal.Close()
	amount, err := money.Parse("1500", "PKR")
	if err != nil {
		panic(err)
	}
	request := order.Request{
		Kind: order.Withdrawal, Merchant: "M1700000001", Number: "INV-1", Country: "PK", Way: "easypaisa", Amount: amount,
		Details: map[string]string{
			"customerName": "Test Person", "customerAccountNumber": "03001234567",
		},
	}

	ctx := context.Background()
	orders := client.New(temporal)
	_, err = orders.Start(ctx, request)
	var invalid *order.Invalid
	switch {
	case errors.As(err, &invalid):
		fmt.Println("correct the request:", invalid)
		return
	case order.CodeOf(err) == order.CodeOrderConflict:
		fmt.Println("the number belongs to another order:", err)
		return
	case order.CodeOf(err) == client.CodeTemporalUnreachable:
		fmt.Println("start the same request again:", err)
		return
	case err != nil:
		panic(err)
	}
	view, err := orders.Wait(ctx, request.Key())
	if err != nil {
		panic(err)
	}
	fmt.Println(view.State, view.Paid, view.Reason.Text)
}
