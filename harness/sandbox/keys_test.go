package sandbox_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// The key that a merchant enters counts at once, the one before it no more, also
// after a restart.
func TestSetKey(t *testing.T) {
	t.Parallel()
	b, state := setupFile(t)
	old := b.client(t, pakistan)
	_, err := old.Balance(t.Context())
	require.NoError(t, err)
	secret, public, err := tarspay.GenerateKey()
	require.NoError(t, err)
	require.NoError(t, b.gateway.SetKey(pakistan, public))
	refused := func(client *tarspay.Client) {
		var answer *tarspay.Error
		_, err := client.Balance(t.Context())
		require.ErrorAs(t, err, &answer)
		require.Equal(t, "5003005", answer.Code)
	}
	refused(old)
	before := b.signers[pakistan]
	b.signers[pakistan], err = tarspay.NewSigner(secret)
	require.NoError(t, err)
	_, err = b.client(t, pakistan).Balance(t.Context())
	require.NoError(t, err)

	require.ErrorContains(t, b.gateway.SetKey("M1", public), "there is no merchant")
	require.ErrorContains(t, b.gateway.SetKey(pakistan, "02"), "public key must be")

	after := b.signers[pakistan]
	b.signers[pakistan] = before // which the sandbox is started with
	b, err = b.restart(t, state, nil)
	require.NoError(t, err)
	refused(b.client(t, pakistan))
	b.signers[pakistan] = after
	_, err = b.client(t, pakistan).Balance(t.Context())
	require.NoError(t, err)
}
