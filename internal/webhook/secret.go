package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// secretStart is the beginning of every secret.
const secretStart = "whsec_"

// secretBytes is the length of a secret. Standard Webhooks has 24 to 64.
const secretBytes = 32

// NewSecret returns a new secret, as Standard Webhooks writes it: whsec_ and base64.
func NewSecret() string {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // it never returns an error
	return secretStart + base64.StdEncoding.EncodeToString(secret)
}

// sign returns the value of the header webhook-signature: a signature with each secret.
func sign(secrets []string, id string, at time.Time, body []byte) (string, error) {
	if len(secrets) == 0 {
		return "", fmt.Errorf("webhook: there is no secret to sign with")
	}
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		signer, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return "", fmt.Errorf("webhook: a secret is no base64") // the error may show the secret
		}
		if signatures[i], err = signer.Sign(id, at, body); err != nil {
			return "", fmt.Errorf("webhook: sign: %w", err)
		}
	}
	return strings.Join(signatures, " "), nil
}
