package roster

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// signer returns the key of a name; the same name has the same key.
func signer(t *testing.T, name string) ssh.Signer {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	made, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed[:]))
	require.NoError(t, err)
	return made
}

// keyLine returns the allowed_signers line of a name.
func keyLine(t *testing.T, name string) string {
	t.Helper()
	return fmt.Sprintf(`%s namespaces="payouts" %s`, name, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer(t, name).PublicKey()))))
}

// sign signs as ssh-keygen -Y sign does.
func sign(t *testing.T, name, namespace string, message []byte) []byte {
	t.Helper()
	signature, err := sshsig.Sign(bytes.NewReader(message), signer(t, name), sshsig.HashSHA512, namespace)
	require.NoError(t, err)
	return sshsig.Armor(signature)
}

// systemKeyOf returns the ed25519 key of a name in base64.
func systemKeyOf(name string) string {
	seed := sha256.Sum256([]byte(name))
	return base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
}

// example is a roster with three admins, amina, bilal and chen.
func example(t *testing.T) string {
	t.Helper()
	return `signed_above: {PKR: "100000"}
people:
  - name: amina
    roles: [admin, request, approve]
    merchants: [M1001, M1002]
    limits: {PKR: "500000", VND: unlimited}
    keys:
      - ` + keyLine(t, "amina") + `
    oidc: {issuer: "https://id.example.com", subject: amina-1}
  - name: bilal
    roles: [admin]
    keys: ['` + keyLine(t, "bilal") + `']
  - name: chen
    roles: [admin, operate]
    merchants: ["*"]
    keys: ['` + keyLine(t, "chen") + `']
systems:
  - name: billing
    roles: [request]
    merchants: [M1001]
    limits: unlimited
    api_keys:
      - {prefix: billing-1, sha256: ` + hashToken(billingToken) + `, expires: 2027-01-31T00:00:00Z}
    ed25519:
      - {id: billing-a, public: "` + systemKeyOf("billing") + `"}
  - name: api
    door: true
    ed25519: [{id: api-a, public: "` + systemKeyOf("api") + `", expires: 2027-01-31T00:00:00Z}]
`
}

const billingToken = "payouts_billing-1_0123456789012345678901234567890123456789012"

func parsed(t *testing.T, text string) *Roster {
	t.Helper()
	r, err := Parse([]byte(text), "roster.yaml")
	require.NoError(t, err)
	return r
}
