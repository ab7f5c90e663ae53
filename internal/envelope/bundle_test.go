package envelope

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

const (
	origin      = "payouts.example.com/live"
	fingerprint = "5f0c9a53c1e0f0fb6d77ab1e4b7f0a6f9a33b2f0f1d2c3b4a5968778695a4b3c"
)

func seedOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// signerOf returns the SSH key of a name; the same name has the same key.
func signerOf(t *testing.T, name string) *SSHKey {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(seedOf(name))
	require.NoError(t, err)
	return &SSHKey{signer: signer}
}

// ecdsaOf returns the ECDSA key of a name.
func ecdsaOf(t *testing.T, name string) *SSHKey {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	return &SSHKey{signer: signer}
}

// token stands in for a hardware key: it signs as PROTOCOL.u2f says.
type token struct {
	key     ed25519.PrivateKey
	public  ssh.PublicKey
	touched bool
}

const application = "ssh:"

func tokenOf(t *testing.T, name string, touched bool) *SSHKey {
	t.Helper()
	key := seedOf(name)
	public, err := ssh.ParsePublicKey(ssh.Marshal(struct {
		Name, Key, Application string
	}{ssh.KeyAlgoSKED25519, string(key.Public().(ed25519.PublicKey)), application}))
	require.NoError(t, err)
	return &SSHKey{signer: token{key, public, touched}}
}

func (k token) PublicKey() ssh.PublicKey { return k.public }

func (k token) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) {
	app, message := sha256.Sum256([]byte(application)), sha256.Sum256(data)
	proof := []byte{0}
	if k.touched {
		proof[0] = 1
	}
	proof = binary.BigEndian.AppendUint32(proof, 7)
	signed := append(append(app[:], proof...), message[:]...)
	return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: ed25519.Sign(k.key, signed), Rest: proof}, nil
}

func keyLine(name string, key *SSHKey) string {
	return fmt.Sprintf("'%s %s'", name, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.Public()))))
}

func systemLine(id, name string) string {
	return fmt.Sprintf("{id: %s, public: %s}", id, base64.StdEncoding.EncodeToString(seedOf(name).Public().(ed25519.PublicKey)))
}

// people of the roster: amina approves up to 500000 PKR, bilal requests, chen decides
// everything, dora only by a hardware key; amina and chen can log in; billing is a
// system, api a door.
func people(t *testing.T) *roster.Roster {
	t.Helper()
	text := `signed_above: {PKR: "100000"}
people:
  - name: amina
    roles: [approve]
    merchants: [M1001]
    limits: {PKR: "500000"}
    keys: [` + keyLine("amina", signerOf(t, "amina")) + `, ` + keyLine("amina", ecdsaOf(t, "amina")) + `]
    oidc: {issuer: "https://id.example.com", subject: amina-1}
  - name: bilal
    roles: [request, approve, admin]
    merchants: [M1001, M1002]
    limits: {PKR: "500000"}
    keys: [` + keyLine("bilal", signerOf(t, "bilal")) + `]
  - name: chen
    roles: [approve, resolve, adjust, operate, admin]
    merchants: ["*"]
    limits: unlimited
    keys: [` + keyLine("chen", signerOf(t, "chen")) + `]
    oidc: {issuer: "https://id.example.com", subject: chen-1}
  - name: dora
    roles: [approve]
    merchants: ["*"]
    limits: unlimited
    keys: [` + keyLine("dora", tokenOf(t, "dora", true)) + `]
systems:
  - name: billing
    roles: [request]
    merchants: [M1001]
    limits: {PKR: "300000"}
    ed25519: [` + systemLine("billing-a", "billing") + `]
  - name: api
    door: true
    ed25519: [` + systemLine("api-a", "api") + `]
`
	r, err := roster.Parse([]byte(text), "roster.yaml")
	require.NoError(t, err)
	return r
}

func amount(t *testing.T, text, currency string) money.Amount {
	t.Helper()
	parsed, err := money.Parse(text, currency)
	require.NoError(t, err)
	return parsed
}

// anOrder waits for an approval.
func anOrder(t *testing.T) order.Order {
	t.Helper()
	return order.Order{
		Request: order.Request{
			Kind: order.Withdrawal, Merchant: "M1001", Number: "W-1", Country: "PK", Way: "PK_WALLET",
			Amount: amount(t, "250000", "PKR"), RequestedBy: "bilal",
		},
		Fingerprint: fingerprint,
		Standing:    order.Standing{State: order.AwaitingApproval},
	}
}

// approval is amina's envelope for anOrder.
func approval(t *testing.T) Envelope {
	t.Helper()
	e, refusal := Of(order.Approval{ID: "3c9e6a3f-0001", By: "amina", Why: "checked with the supplier"}, anOrder(t), origin, noon, time.Hour)
	require.Nil(t, refusal)
	return e
}

func signed(t *testing.T, e Envelope, signer Signer) Signed {
	t.Helper()
	s, err := Sign(e, signer)
	require.NoError(t, err)
	return s
}

func codeOf(refusal *order.Refusal) string {
	if refusal == nil {
		return ""
	}
	return refusal.Code
}
