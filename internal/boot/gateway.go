package boot

import (
	"fmt"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Gateways returns a gateway client for every configured merchant.
func Gateways(c config.Worker) (map[string]*tarspay.Client, error) {
	clients := make(map[string]*tarspay.Client, len(c.Merchants))
	for _, merchant := range c.Merchants {
		if _, known := tarspay.Country(merchant.Country); !known {
			return nil, fmt.Errorf("PAYOUTS_MERCHANTS: merchant %s is of country %q, which is not one of the gateway's", merchant.Number, merchant.Country)
		}
		made, err := Gateway(c.Access, merchant.Number, c.PrivateKeys[merchant.Number])
		if err != nil {
			return nil, err
		}
		clients[merchant.Number] = made
	}
	return clients, nil
}

// Gateway returns the gateway client of one merchant.
func Gateway(a config.Access, merchant string, key config.Secret) (*tarspay.Client, error) {
	signer, err := tarspay.NewSigner(key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("the private key of merchant %s, from PAYOUTS_KEY_DIR or PAYOUTS_PRIVATE_KEYS: %w", merchant, err)
	}
	made, err := tarspay.NewClient(a.GatewayURL, merchant, signer, tarspay.Options{
		Timeout: a.GatewayTimeout, NotFoundCodes: a.NotFoundCodes,
		AccountCheckPath: a.AccountCheckPath, UTRSupplementPath: a.UTRSupplementPath,
	})
	if err != nil {
		return nil, fmt.Errorf("gateway client of merchant %s: %w", merchant, err)
	}
	return made, nil
}
