package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// What a checkout of the merchant's own needs of the answer to a deposit reaches
// the order. The answer is Vietnam's sample, with other people in it.
func TestInstructionsKeepWhatAPayerNeeds(t *testing.T) {
	t.Parallel()
	expires := time.Date(2023, 5, 17, 2, 42, 33, 0, time.UTC)
	got := instructions("MOMO", tarspay.Deposit{
		PayURL: "https://pay.example/vn", PayData: "https://pay.example/qr?data=2|99", PayDataType: "payurl", AccountName: "NGUYEN VAN A",
		Phone: "0911111111", ExpiresAt: expires,
		PayWays: map[string][]tarspay.PayWay{
			"ewallet": {{Way: "MOMO", Type: "ewallet", Code: "https://pay.example/qr", Logo: "https://pay.example/momo.png", CountryCode: "vn"}},
			"bank":    {{Way: "VCB"}},
		},
	})
	require.Equal(t, &order.Instructions{
		PayURL: "https://pay.example/vn", PayData: "https://pay.example/qr?data=2|99", PayDataType: "payurl", AccountName: "NGUYEN VAN A",
		Phone: "0911111111", PayCode: "https://pay.example/qr", ExpiresAt: expires,
		PayWays: []order.PayWay{
			{Way: "VCB", Type: "bank"},
			{Way: "MOMO", Type: "ewallet", Code: "https://pay.example/qr", Logo: "https://pay.example/momo.png"},
		},
	}, got)
	many := make([]tarspay.PayWay, 2*maxPayWays)
	require.Len(t, instructions("X", tarspay.Deposit{PayWays: map[string][]tarspay.PayWay{"bank": many}}).PayWays, maxPayWays)
}
