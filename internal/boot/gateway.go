package boot

import (
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Gateways returns a gateway client for every configured merchant. observe is told of each
// call; nil: nobody is.
func Gateways(c config.Worker, observe func(tarspay.Operation, time.Duration, error)) (map[string]*tarspay.Client, error) {
	clients := make(map[string]*tarspay.Client, len(c.Merchants))
	for _, merchant := range c.Merchants {
		if _, known := tarspay.Country(merchant.Country); !known {
			return nil, fmt.Errorf("PAYOUTS_MERCHANTS: merchant %s is of country %q, which is not one of the gateway's", merchant.Number, merchant.Country)
		}
		made, err := gateway(c.Access, merchant.Number, c.PrivateKeys[merchant.Number], observe)
		if err != nil {
			return nil, err
		}
		clients[merchant.Number] = made
	}
	return clients, nil
}

// Gateway returns the gateway client of one merchant.
func Gateway(a config.Access, merchant string, key config.Secret) (*tarspay.Client, error) {
	return gateway(a, merchant, key, nil)
}

func gateway(
	a config.Access, merchant string, key config.Secret, observe func(tarspay.Operation, time.Duration, error),
) (*tarspay.Client, error) {
	signer, err := tarspay.NewSigner(key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("the private key of merchant %s, from PAYOUTS_KEY_DIR or PAYOUTS_PRIVATE_KEYS: %w", merchant, err)
	}
	made, err := tarspay.NewClient(a.GatewayURL, merchant, signer, tarspay.Options{
		Timeout: a.GatewayTimeout, NotFoundCodes: a.NotFoundCodes,
		AccountCheckPath: a.AccountCheckPath, UTRSupplementPath: a.UTRSupplementPath,
		Observe: observe,
	})
	if err != nil {
		return nil, fmt.Errorf("gateway client of merchant %s: %w", merchant, err)
	}
	return made, nil
}
