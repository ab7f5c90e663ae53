package order

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is shown of a payee tells two apart and gives neither away.
func TestPayeeIsMasked(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Request{
		"easypaisa, account …4567, T… P…": {Kind: Withdrawal, Country: "PK", Way: "easypaisa", Details: map[string]string{
			"customerName": "Test Person", "customerAccountNumber": "03001234567", "customerContact": "03001234567",
		}},
		"VCB, account …3456, N… V… A…": {Kind: Withdrawal, Country: "VN", Way: "VCB", Details: map[string]string{
			"customerName": "NGUYEN VAN AN", "customerAccountNumber": "0071000123456",
		}},
		"": {Kind: Withdrawal, Country: "PK", Way: "easypaisa", Details: map[string]string{"customerName": "Test Person"}},
	} {
		require.Equal(t, want, r.Payee())
		require.Equal(t, want, r.View(Standing{}).Payee)
		for _, value := range r.Details {
			require.NotContains(t, r.Payee(), value)
		}
	}
	require.Empty(t, Request{Kind: Withdrawal, Country: "XX"}.Payee())
}

func TestMaskAccount(t *testing.T) {
	t.Parallel()
	for account, want := range map[string]string{
		"923001234567": "…4567", "123456789": "…789", "1234": "…4", "12": "…", "": "…",
		"ayesha.khan@okaxis": "…han@okaxis", "a@b": "…@b", "phone:5511912345678": "…5678",
	} {
		require.Equal(t, want, maskAccount(account), account)
	}
	require.Equal(t, "阮… A…", maskName(" 阮文安  An "))
	require.Empty(t, maskName(" "))
}
