package sandbox_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// BenchmarkWithdrawal is the sandbox's own share of an order: a create and its
// callback, signatures on both sides included. It must stay far below what is
// measured against it.
func BenchmarkWithdrawal(b *testing.B) {
	secret, public, err := tarspay.GenerateKey()
	require.NoError(b, err)
	signer, err := tarspay.NewSigner(secret)
	require.NoError(b, err)
	gateway, err := sandbox.New(sandbox.Options{
		StartAt: start, CallbackTransport: &receiver{}, MaxOrders: 10_000_000,
		Merchants: []sandbox.Merchant{{Number: pakistan, Country: "PK", PublicKey: public, Balance: "1000000000000"}},
	})
	require.NoError(b, err)
	defer gateway.Close()
	client, err := tarspay.NewClient("http://127.0.0.1", pakistan, signer, tarspay.Options{Transport: gateway.Transport()})
	require.NoError(b, err)
	for i := 0; b.Loop(); i++ {
		_, err := client.CreateWithdrawal(b.Context(), withdrawal(fmt.Sprintf("W-%d", i), "100", ""))
		require.NoError(b, err)
		gateway.Advance(sandbox.DefaultDelay)
	}
}
