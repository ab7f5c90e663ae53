package tarspay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Create a withdrawal and decide, by what the error proves, what to do next.
func ExampleClient_CreateWithdrawal() {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"code":-1,"msg":"system error","data":null}`)
	}))
	defer gateway.Close()

	private, _, err := tarspay.GenerateKey()
	if err != nil {
		panic(err)
	}
	signer, err := tarspay.NewSigner(private)
	if err != nil {
		panic(err)
	}
	client, err := tarspay.NewClient(gateway.URL, "M1000000001", signer, tarspay.Options{})
	if err != nil {
		panic(err)
	}

	_, err = client.CreateWithdrawal(context.Background(), tarspay.CreateRequest{
		OrderNumber: "SALARY-2024-01-0001",
		Way:         "EWALLET_BKASH",
		Amount:      "1500",
		Currency:    "BDT",
		NotifyURL:   "https://merchant.example/callbacks",
		Fields:      map[string]string{"walletId": "01711111111"},
	})
	var failed *tarspay.Error
	switch {
	case err == nil:
		fmt.Println("accepted: wait for the callback")
	case !errors.As(err, &failed):
		panic(err)
	case failed.OutcomeUnknown():
		fmt.Println("unknown: ask for the order by its number,", failed)
	default:
		fmt.Println("no order exists:", failed)
	}
	// Output:
	// unknown: ask for the order by its number, tarspay: create_withdrawal: ambiguous: code -1 (system error)
}

// Verify a callback, then handle each Fingerprint once.
func ExampleVerifier_ParseCallback() {
	verifier, err := tarspay.NewVerifier(tarspay.PlatformKey)
	if err != nil {
		panic(err)
	}
	body := []byte(`{"bizType":2,"currency":"IDR","failReason":"payment failed","fee":"6973","mchNo":"M1696154848",` +
		`"mchOrderNo":"1184196902791413760","orderAmount":"31500","payAmount":"31500","payOrderId":"P1734517376779485186","state":3}`)
	header := "3046022100ae8634a9db66c069030483012e7d0e38ebca6d924b82d8bb2e240764dafeb4f3" +
		"022100ba3e3bd90346652e681b4b1b25e55d983002d84160fb9c696fb20ea3e4742e76"

	callback, err := verifier.ParseCallback(body, header)
	if err != nil {
		panic(err)
	}
	fmt.Println(callback.Direction, callback.OrderNumber, callback.State)
	fmt.Println("paid:", callback.State.Paid(), "- final:", callback.State.Final(callback.Direction))
	fmt.Println(callback.Fingerprint()[:16])

	_, err = verifier.ParseCallback([]byte(`{"state":2}`), header)
	fmt.Println(errors.Is(err, tarspay.ErrSignature))
	// Output:
	// withdrawal 1184196902791413760 failed
	// paid: false - final: true
	// 73fae9aa61a7f6a5
	// true
}

// Check an order before anything is reserved or sent.
func ExampleProfile_Check() {
	kenya, _ := tarspay.Country("KE")
	amount, err := money.Parse("80000", "KES")
	if err != nil {
		panic(err)
	}
	fields := map[string]string{"customerContact": "+254700000000"}
	for _, violation := range kenya.Check(tarspay.DirectionWithdrawal, "EWALLET_MPESA", amount, fields) {
		fmt.Println(violation.Code, violation.Field)
		fmt.Println(" ", violation.Message)
	}
	// Output:
	// AMOUNT_TOO_LARGE amount
	//   Kenya: EWALLET_MPESA takes at most 70000 KES
	// MALFORMED_FIELD customerContact
	//   Kenya: customerContact must start with 254, without plus
}

// Write an amount as the gateway of a country wants it.
func ExampleProfile_GatewayAmount() {
	for _, country := range []string{"TH", "IN"} {
		profile, _ := tarspay.Country(country)
		amount, err := money.Parse("1500.00", profile.Currency)
		if err != nil {
			panic(err)
		}
		text, err := profile.GatewayAmount(amount)
		fmt.Println(text, profile.GatewayCurrency, err)
	}
	// Output:
	// 1500 THA <nil>
	// 1500 INR <nil>
}

// The string that both sides sign, for the example of the gateway's guide.
func ExampleCanonicalString() {
	text, err := tarspay.CanonicalString("POST", "/api/v1/test", "1537498830736", map[string]any{"price": "100", "amount": "100"})
	fmt.Println(text, err)
	// Output:
	// POST|/api/v1/test|1537498830736|amount=100&price=100 <nil>
}

// What a code means depends on the call it answers.
func ExampleLookupErrorCode() {
	code, _ := tarspay.LookupErrorCode("500323")
	fmt.Println(code.Code, code.Meaning)
	fmt.Println("on a withdrawal's create:", code.Class(tarspay.OperationCreateWithdrawal))
	fmt.Println("on its query:", code.Class(tarspay.OperationQueryWithdrawal))
	// Output:
	// 5003023 remote client error
	// on a withdrawal's create: ambiguous
	// on its query: unavailable
}
