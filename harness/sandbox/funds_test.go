package sandbox_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestFund(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	before, err := b.client(t, pakistan).Balance(t.Context())
	require.NoError(t, err)
	m, err := b.gateway.Fund(pakistan, "2500", false)
	require.NoError(t, err)
	require.Equal(t, "2500", m.Funded.Short())
	m, err = b.gateway.Fund(pakistan, "500", true)
	require.NoError(t, err)
	require.Equal(t, "2000", m.Funded.Short())
	now, err := b.client(t, pakistan).Balance(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, before.Available, now.Available)
	require.Equal(t, m.Available.Short(), now.Available)
	require.Equal(t, before.Frozen, now.Frozen)
	b.clean(t)
}

func TestFundRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	before := b.gateway.Book().Merchants
	for _, refused := range []struct {
		merchant, amount string
		out              bool
		says             string
	}{
		{"M1", "5", false, "there is no merchant"},
		{pakistan, "five", false, "five"},
		{pakistan, "0", false, "above zero"},
		{pakistan, "-5", false, "range"},
		{pakistan, "999999999", true, "is available"},
		{pakistan, "10000000000000", false, "beyond all bounds"},
	} {
		_, err := b.gateway.Fund(refused.merchant, refused.amount, refused.out)
		require.ErrorContains(t, err, refused.says)
	}
	require.Equal(t, before, b.gateway.Book().Merchants)
}

// What a merchant takes out is in its history, between the orders, and is there
// after a restart.
func TestOwnWithdrawalsAreListed(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	vietnam := sandbox.Merchant{Number: "M7", Country: "VN"}
	private, public, err := tarspay.GenerateKey()
	require.NoError(t, err)
	vietnam.PublicKey = public
	signer, err := tarspay.NewSigner(private)
	require.NoError(t, err)
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, restarted := range []bool{false, true} {
		gateway, err := sandbox.New(sandbox.Options{Merchants: []sandbox.Merchant{vietnam}, StartAt: at, StateFile: state})
		require.NoError(t, err)
		if !restarted {
			_, err = gateway.Fund("M7", "700", false)
			require.NoError(t, err)
			_, err = gateway.Fund("M7", "2500", true)
			require.NoError(t, err)
		}
		client, err := tarspay.NewClient("http://127.0.0.1", "M7", signer, tarspay.Options{Transport: gateway.Transport()})
		require.NoError(t, err)
		page, err := client.History(t.Context(), tarspay.HistoryRequest{})
		require.NoError(t, err)
		require.Len(t, page.Records, 1, "money that comes in is not listed")
		record := page.Records[0]
		require.Equal(t, tarspay.HistoryOwnWithdrawal, record.Kind)
		require.Equal(t, tarspay.StateSucceeded, record.State)
		require.Equal(t, []string{"2500", "2500", "0", ""}, []string{record.OrderAmount, record.Amount, record.Fee, record.OrderNumber})
		require.Equal(t, at, record.CreatedAt.UTC())
		page, err = client.History(t.Context(), tarspay.HistoryRequest{Kind: tarspay.HistoryWithdrawal})
		require.NoError(t, err)
		require.Empty(t, page.Records)
		require.NoError(t, gateway.Close())
	}
}
