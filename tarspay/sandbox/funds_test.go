package sandbox_test

import (
	"testing"

	"github.com/stretchr/testify/require"
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
