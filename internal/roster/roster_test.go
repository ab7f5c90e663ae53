package roster

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

func amount(t *testing.T, text, currency string) money.Amount {
	t.Helper()
	parsed, err := money.Parse(text, currency)
	require.NoError(t, err)
	return parsed
}

func codeOf(refusal *order.Refusal) string {
	if refusal == nil {
		return ""
	}
	return refusal.Code
}

func TestMay(t *testing.T) {
	t.Parallel()
	r := parsed(t, example(t))
	for _, c := range []struct {
		name     string
		role     Role
		merchant string
		amounts  []money.Amount
		code     string
	}{
		{"amina", Approve, "M1001", []money.Amount{amount(t, "500000", "PKR")}, ""},
		{"amina", Approve, "M1002", []money.Amount{amount(t, "500000.01", "PKR")}, CodeAboveActorLimit},
		{"amina", Approve, "M1001", []money.Amount{amount(t, "1", "PKR"), amount(t, "500001", "PKR")}, CodeAboveActorLimit},
		{"amina", Approve, "M1001", []money.Amount{amount(t, "1000000000", "VND")}, ""},
		{"amina", Approve, "M1001", []money.Amount{amount(t, "1", "USD")}, CodeAboveActorLimit},
		{"amina", Approve, "M1003", nil, CodeMerchantNotAllowed},
		{"amina", Approve, "", nil, CodeMerchantNotAllowed},
		{"amina", Resolve, "M1001", nil, CodeRoleMissing},
		{"amina", Read, "M1001", nil, ""},
		{"Amina", Approve, "M1001", nil, CodeActorUnknown},
		{"bilal", Admin, "", nil, ""},
		{"bilal", Read, "M1001", nil, CodeMerchantNotAllowed},
		{"chen", Operate, "M9", nil, ""},
		{"chen", Operate, "", nil, ""},
		{"billing", Request, "M1001", []money.Amount{amount(t, "999999999", "PKR")}, ""},
		{"billing", Approve, "M1001", nil, CodeRoleMissing},
		{"api", Read, "M1001", nil, CodeRoleMissing},
	} {
		assert.Equal(t, c.code, codeOf(r.May(c.name, c.role, c.merchant, c.amounts...)), "%s %s %s %v", c.name, c.role, c.merchant, c.amounts)
	}
}

func TestDoorMay(t *testing.T) {
	t.Parallel()
	r := parsed(t, example(t))
	assert.Empty(t, codeOf(r.DoorMay(amount(t, "100000", "PKR"))))
	assert.Equal(t, CodeOwnSignatureNeeded, codeOf(r.DoorMay(amount(t, "100000.01", "PKR"))))
	assert.Equal(t, CodeOwnSignatureNeeded, codeOf(r.DoorMay(amount(t, "1", "VND"))))
}

func TestLookUps(t *testing.T) {
	t.Parallel()
	text := example(t)
	r := parsed(t, text)
	sum := sha256.Sum256([]byte(text))
	assert.Equal(t, hex.EncodeToString(sum[:]), r.Hash())

	person, refusal := r.BySSH(signer(t, "amina").PublicKey(), noon)
	require.Nil(t, refusal)
	assert.Equal(t, "amina", person.Name)
	assert.Equal(t, Person, person.Kind)
	_, refusal = r.BySSH(signer(t, "mallory").PublicKey(), noon)
	assert.Equal(t, CodeKeyUnknown, codeOf(refusal))

	expires := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	system, refusal := r.ByToken(billingToken, expires.Add(-time.Second))
	require.Nil(t, refusal)
	assert.Equal(t, "billing", system.Name)
	_, refusal = r.ByToken(billingToken, expires)
	assert.Equal(t, CodeKeyExpired, codeOf(refusal))
	assert.NotContains(t, refusal.Text, billingToken)
	_, refusal = r.ByToken(billingToken+"x", noon)
	assert.Equal(t, CodeKeyUnknown, codeOf(refusal))

	person, refusal = r.BySubject(Subject{"https://id.example.com", "amina-1"})
	require.Nil(t, refusal)
	assert.Equal(t, "amina", person.Name)
	_, refusal = r.BySubject(Subject{"https://other.example.com", "amina-1"})
	assert.Equal(t, CodeActorUnknown, codeOf(refusal))

	system, public, refusal := r.ByEd25519("api-a", noon)
	require.Nil(t, refusal)
	assert.Equal(t, "api", system.Name)
	assert.True(t, system.Door)
	assert.Len(t, public, 32)
	_, _, refusal = r.ByEd25519("api-a", expires)
	assert.Equal(t, CodeKeyExpired, codeOf(refusal))
	_, _, refusal = r.ByEd25519("api-b", noon)
	assert.Equal(t, CodeKeyUnknown, codeOf(refusal))
}

// A person with two keys is one person; each key has its own validity.
func TestTwoKeysOnePerson(t *testing.T) {
	t.Parallel()
	second := `amina valid-after="20261201Z",valid-before="20261231Z" ` + string(ssh.MarshalAuthorizedKey(signer(t, "amina's second").PublicKey()))
	r := parsed(t, replace(t, example(t), "    oidc:", "      - "+second+"    oidc:"))
	for _, c := range []struct {
		key  string
		at   time.Time
		code string
	}{
		{"amina", noon, ""},
		{"amina's second", noon, CodeKeyExpired},
		{"amina's second", time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), ""},
		{"amina's second", time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), CodeKeyExpired},
	} {
		actor, refusal := r.BySSH(signer(t, c.key).PublicKey(), c.at)
		assert.Equal(t, c.code, codeOf(refusal), "%s at %s", c.key, c.at)
		if c.code == "" {
			assert.Equal(t, "amina", actor.Name)
		}
	}
	assert.Len(t, r.SSHKeys("amina", noon), 1)
	assert.Len(t, r.SSHKeys("amina", time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)), 2)
}

func TestNewToken(t *testing.T) {
	t.Parallel()
	token, entry, err := NewToken("erp-2", time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	assert.Regexp(t, `^payouts_erp-2_[A-Za-z0-9_-]{43}$`, token)
	assert.NotContains(t, entry, token[len("payouts_erp-2_"):])

	r := parsed(t, replace(t, example(t), "    ed25519:\n", "      - "+entry+"\n    ed25519:\n"))
	system, refusal := r.ByToken(token, noon)
	require.Nil(t, refusal)
	assert.Equal(t, "billing", system.Name)

	_, err = Parse([]byte(example(t)+"# "+token+"\n"), "roster.yaml")
	require.Error(t, err)
	assert.Contains(t, err.Error(), CodeKeyInClear)
	assert.NotContains(t, err.Error(), token)

	_, _, err = NewToken("Billing 1", noon)
	assert.Error(t, err)
}
