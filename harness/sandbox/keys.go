package sandbox

import (
	"fmt"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// SetKey replaces a merchant's public key, as the merchant does in the gateway's
// console. From then on a call with another key is refused with 5003005. The key
// outlives a restart that has a state file; it then wins over the key that the
// sandbox is started with.
func (g *Gateway) SetKey(merchant, publicKey string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.book.accounts[merchant]
	if a == nil {
		return fmt.Errorf("sandbox: there is no merchant %q", merchant)
	}
	if err := a.setKey(publicKey); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	g.journal.write(record{Merchant: merchant, Key: a.entered})
	return nil
}

func (a *account) setKey(publicKey string) error {
	verifier, err := tarspay.NewVerifier(publicKey)
	if err != nil {
		return err
	}
	a.PublicKey, a.entered, a.verifier = publicKey, publicKey, verifier
	return nil
}
