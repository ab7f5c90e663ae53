package sandbox_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// A sandbox whose clock stands still, a client that reaches it in process, and
// a receiver of its callbacks.
func Example() {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Println("callback:", len(r.Header.Get(tarspay.HeaderCallbackSignature)) > 0, len(body) > 0)
		_, _ = io.WriteString(w, tarspay.CallbackAnswer)
	}))
	defer receiver.Close()

	private, public, _ := tarspay.GenerateKey()
	gateway, err := sandbox.New(sandbox.Options{
		Merchants: []sandbox.Merchant{{Number: "M1700000001", Country: "VN", PublicKey: public, Balance: "5000000"}},
		StartAt:   time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer gateway.Close()

	signer, _ := tarspay.NewSigner(private)
	client, _ := tarspay.NewClient("http://127.0.0.1", "M1700000001", signer, tarspay.Options{Transport: gateway.Transport()})
	_, err = client.CreateWithdrawal(context.Background(), tarspay.CreateRequest{
		OrderNumber: "W-1", Way: "VCB", Amount: "250000", Currency: "VND", NotifyURL: receiver.URL,
		Fields: map[string]string{
			"customerName": "NGUYEN VAN AN", "customerAccountNumber": "0071000123456",
			sandbox.ScenarioMember: "lost-answer",
		},
	})
	fmt.Println("create:", tarspay.ClassOf(err))

	gateway.Advance(time.Minute)
	order, _ := gateway.Order("M1700000001", "W-1")
	fmt.Println("order:", order.State, order.Paid, "fee", order.Fee)
	fmt.Println("double payments:", gateway.Audit().DoublePayments)
	// Output:
	// create: unavailable
	// callback: true true
	// order: succeeded 250000 VND fee 2500 VND
	// double payments: 0
}
