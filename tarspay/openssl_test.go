package tarspay

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"
)

func sha256Sum(message []byte) []byte {
	sum := sha256.Sum256(message)
	return sum[:]
}

// The identifiers of an elliptic curve key and of secp256k1 in ASN.1.
var (
	oidPublicKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidSecp256k1 = asn1.ObjectIdentifier{1, 3, 132, 0, 10}
)

// openSSL signs and verifies with the openssl program. The double hash is its
// SHA-256 over the SHA-256 of the message.
type openSSL struct {
	program             string
	privatePEM, pubPEM  string
	folder              string
	privateHex, publicX string
}

func newOpenSSL(t *testing.T) openSSL {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here; TestRequestVectors checks signatures that it made")
	}
	curves, err := exec.Command(program, "ecparam", "-list_curves").Output()
	if err != nil || !strings.Contains(string(curves), "secp256k1") {
		t.Skip("this openssl has no secp256k1; TestRequestVectors checks signatures that another made")
	}
	private, public, err := GenerateKey()
	require.NoError(t, err)
	o := openSSL{program: program, folder: t.TempDir(), privateHex: private, publicX: public}
	o.privatePEM = o.write(t, "private.pem", privatePEM(t, private))
	o.pubPEM = o.write(t, "public.pem", publicPEM(t, public))
	return o
}

func (o openSSL) write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(o.folder, name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func (o openSSL) sign(t *testing.T, message []byte) string {
	t.Helper()
	command := exec.Command(o.program, "dgst", "-sha256", "-sign", o.privatePEM)
	command.Stdin = bytes.NewReader(sha256Sum(message))
	signature, err := command.Output()
	require.NoError(t, err)
	return hex.EncodeToString(signature)
}

// verify reports what openssl says of the signature; name makes its file
// unique.
func (o openSSL) verify(t *testing.T, name string, message []byte, signature string) bool {
	t.Helper()
	der, err := hex.DecodeString(signature)
	require.NoError(t, err)
	file := o.write(t, name, der)
	command := exec.Command(o.program, "dgst", "-sha256", "-verify", o.pubPEM, "-signature", file)
	command.Stdin = bytes.NewReader(sha256Sum(message))
	output, err := command.CombinedOutput()
	require.NoError(t, os.Remove(file))
	return err == nil && strings.Contains(string(output), "Verified OK")
}

// privatePEM writes an ECPrivateKey (RFC 5915); Go's own encoder does not know
// the curve.
func privatePEM(t *testing.T, privateHex string) []byte {
	t.Helper()
	secret, err := hex.DecodeString(privateHex)
	require.NoError(t, err)
	_, public := btcec.PrivKeyFromBytes(secret)
	der, err := asn1.Marshal(struct {
		Version int
		Private []byte
		Curve   asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
		Public  asn1.BitString        `asn1:"explicit,tag:1"`
	}{1, secret, oidSecp256k1, bits(public.SerializeUncompressed())})
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

// publicPEM writes a SubjectPublicKeyInfo (RFC 5480) with a compressed point.
func publicPEM(t *testing.T, publicHex string) []byte {
	t.Helper()
	point, err := hex.DecodeString(publicHex)
	require.NoError(t, err)
	der, err := asn1.Marshal(struct {
		Algorithm struct{ Key, Curve asn1.ObjectIdentifier }
		Public    asn1.BitString
	}{struct{ Key, Curve asn1.ObjectIdentifier }{oidPublicKey, oidSecp256k1}, bits(point)})
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func bits(data []byte) asn1.BitString {
	return asn1.BitString{Bytes: data, BitLength: 8 * len(data)}
}

// awkward are the characters that make signing strings go wrong.
var awkward = []string{" ", "#", "&", "=", "+", "%", `"`, "'", "\\", "<", ">", "|", "É", "SÉRNHG", "김민수", "ส", "–", "🧾", "\u2028", "a", "Z", "0"}

func randomMembers(random *rand.Rand) map[string]any {
	members := map[string]any{"mchNo": "M1000000001"}
	for i := range random.IntN(8) {
		var value strings.Builder
		for range random.IntN(12) {
			value.WriteString(awkward[random.IntN(len(awkward))])
		}
		members[fmt.Sprintf("field%c", 'A'+random.IntN(26))] = value.String()
		if i%3 == 0 {
			members["number"] = random.Int64()
		}
	}
	return members
}

// Every body is signed by us and verified by OpenSSL; every fiftieth is signed
// by OpenSSL and verified by us, and changed by one byte and refused by both.
// The openssl program takes one signature per process, a few milliseconds each.
func TestThousandBodiesAgreeWithOpenSSL(t *testing.T) {
	t.Parallel()
	o := newOpenSSL(t)
	signer, err := NewSigner(o.privateHex)
	require.NoError(t, err)
	verifier := newVerifier(t, o.publicX)
	bodies := 1000
	if testing.Short() {
		bodies = 50
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))

	jobs := make(chan int)
	messages := make([][]byte, bodies)
	for i := range messages {
		text, err := CanonicalString("POST", "/api/payOut/unifiedOrder", fmt.Sprint(1704182130212+i), randomMembers(random))
		require.NoError(t, err)
		messages[i] = []byte(text)
	}
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for i := range jobs {
				name := fmt.Sprintf("signature%d", i)
				message, signature := messages[i], signer.Sign(messages[i])
				if !o.verify(t, name, message, signature) {
					t.Errorf("OpenSSL refuses our signature of %q", message)
				}
				if i%50 != 0 {
					continue
				}
				theirs := o.sign(t, message)
				changed := append(bytes.Clone(message), '!')
				if verifier.Verify(message, theirs) != nil {
					t.Errorf("we refuse OpenSSL's signature of %q", message)
				}
				if verifier.Verify(changed, theirs) == nil || o.verify(t, name, changed, signature) {
					t.Errorf("a changed message passes: %q", message)
				}
			}
		})
	}
	for i := range bodies {
		jobs <- i
	}
	close(jobs)
	workers.Wait()
}
