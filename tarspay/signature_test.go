package tarspay

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// publishedVector is a signature printed in the gateway's pages.
type publishedVector struct {
	Name, PublicKey, Message, Signature string
	Valid                               bool
}

// requestVector is a request signed by OpenSSL, its string put together by
// another program.
type requestVector struct {
	Name, PrivateKey, PublicKey, Method, Path, Nonce string
	Members                                          map[string]json.RawMessage
	Canonical, Signature                             string
}

func readTestdata[T any](t testing.TB, name string) T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var value T
	require.NoError(t, json.Unmarshal(data, &value))
	return value
}

func newSigner(t testing.TB) *Signer {
	t.Helper()
	private, _, err := GenerateKey()
	require.NoError(t, err)
	signer, err := NewSigner(private)
	require.NoError(t, err)
	return signer
}

func newVerifier(t testing.TB, keys ...string) *Verifier {
	t.Helper()
	verifier, err := NewVerifier(keys...)
	require.NoError(t, err)
	return verifier
}

func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	vectors := readTestdata[[]publishedVector](t, "vectors.json")
	require.Len(t, vectors, 2)
	for _, vector := range vectors {
		t.Run(vector.Name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, PlatformKey, vector.PublicKey)
			err := newVerifier(t, vector.PublicKey).Verify([]byte(vector.Message), vector.Signature)
			if vector.Valid {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, ErrSignature)
			}
		})
	}
}

func TestRequestVectors(t *testing.T) {
	t.Parallel()
	for _, vector := range readTestdata[[]requestVector](t, "requests.json") {
		t.Run(vector.Name, func(t *testing.T) {
			t.Parallel()
			members := make(map[string]any)
			for name, raw := range vector.Members {
				members[name] = raw
			}
			signed, err := CanonicalString(vector.Method, vector.Path, vector.Nonce, members)
			require.NoError(t, err)
			require.Equal(t, vector.Canonical, signed)

			signer, err := NewSigner(vector.PrivateKey)
			require.NoError(t, err)
			require.Equal(t, vector.PublicKey, signer.PublicKey())
			verifier := newVerifier(t, vector.PublicKey)
			require.NoError(t, verifier.Verify([]byte(signed), vector.Signature), "OpenSSL's signature")
			require.NoError(t, verifier.Verify([]byte(signed), signer.Sign([]byte(signed))), "ours")
			require.ErrorIs(t, verifier.Verify([]byte(signed+" "), vector.Signature), ErrSignature)
		})
	}
}

// curveOrder is n of secp256k1 (SEC 2, 2.4.1).
var curveOrder, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)

// derNumbers reads r and s out of strict DER.
func derNumbers(t testing.TB, signature string) (r, s *big.Int) {
	t.Helper()
	der, err := hex.DecodeString(signature)
	require.NoError(t, err)
	require.Equal(t, byte(0x30), der[0])
	require.Equal(t, len(der)-2, int(der[1]))
	require.Equal(t, byte(0x02), der[2])
	length := int(der[3])
	r = new(big.Int).SetBytes(der[4 : 4+length])
	rest := der[4+length:]
	require.Equal(t, byte(0x02), rest[0])
	require.Equal(t, len(rest)-2, int(rest[1]))
	return r, new(big.Int).SetBytes(rest[2:])
}

// derEncode writes two numbers with extra zeros before each.
func derEncode(r, s *big.Int, zeros int) string {
	number := func(n *big.Int) []byte {
		bytes := n.Bytes()
		if len(bytes) == 0 || bytes[0] >= 0x80 {
			bytes = append([]byte{0}, bytes...)
		}
		bytes = append(make([]byte, zeros), bytes...)
		return append([]byte{0x02, byte(len(bytes))}, bytes...)
	}
	body := append(number(r), number(s)...)
	return hex.EncodeToString(append([]byte{0x30, byte(len(body))}, body...))
}

func TestSignIsStrictAndLow(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	half := new(big.Int).Rsh(curveOrder, 1)
	for i := range 50 {
		message := fmt.Appendf(nil, "message %d", i)
		signature := signer.Sign(message)
		r, s := derNumbers(t, signature)
		require.Equal(t, derEncode(r, s, 0), signature, "strict DER in lower-case hex")
		require.LessOrEqual(t, s.Cmp(half), 0, "low S")
		require.Equal(t, signature, signer.Sign(message), "the same message gives the same signature")
	}
}

func TestVerifyAcceptsHighSAndNeedlessZeros(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	verifier := newVerifier(t, signer.PublicKey())
	message := []byte("message")
	r, s := derNumbers(t, signer.Sign(message))
	high := new(big.Int).Sub(curveOrder, s)

	require.NoError(t, verifier.Verify(message, derEncode(r, high, 0)))
	require.NoError(t, verifier.Verify(message, derEncode(r, s, 2)))
	require.NoError(t, verifier.Verify(message, strings.ToUpper(derEncode(r, s, 0))))
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	verifier := newVerifier(t, signer.PublicKey())
	message := []byte("message")
	good := signer.Sign(message)
	r, s := derNumbers(t, good)
	zero := new(big.Int)
	tests := []struct{ name, signature string }{
		{"nothing", ""},
		{"one byte", "30"},
		{"not hex", strings.Repeat("zz", 40)},
		{"odd number of digits", good[1:]},
		{"a trailing byte", good + "00"},
		{"a missing byte", good[:len(good)-2]},
		{"wrong length byte", "3000" + good[4:]},
		{"too long", derEncode(r, s, 8)},
		{"endless", strings.Repeat("30", 1<<20)},
		{"not a sequence", "31" + good[2:]},
		{"r is zero", derEncode(zero, s, 0)},
		{"s is zero", derEncode(r, zero, 0)},
		{"r is the order", derEncode(curveOrder, s, 0)},
		{"s is the order", derEncode(r, curveOrder, 0)},
		{"s beyond the order", derEncode(r, new(big.Int).Add(s, curveOrder), 0)},
		{"r and s swapped", derEncode(s, r, 0)},
		{"another message", signer.Sign([]byte("another"))},
		{"another key", newSigner(t).Sign(message)},
		{"single hash", singleHashSignature(t, signer, message)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, verifier.Verify(message, test.signature), ErrSignature)
		})
	}
}

// singleHashSignature signs SHA-256 once instead of twice, the mistake of a
// public integration.
func singleHashSignature(t testing.TB, signer *Signer, message []byte) string {
	t.Helper()
	digest := doubleHash(message)
	once := sha256Sum(message)
	require.NotEqual(t, digest, once)
	return hex.EncodeToString(signer.sign(once).Serialize())
}

func TestVerifierTriesEveryKey(t *testing.T) {
	t.Parallel()
	old, current, other := newSigner(t), newSigner(t), newSigner(t)
	verifier := newVerifier(t, current.PublicKey(), old.PublicKey())
	message := []byte("message")
	require.NoError(t, verifier.Verify(message, current.Sign(message)))
	require.NoError(t, verifier.Verify(message, old.Sign(message)))
	require.ErrorIs(t, verifier.Verify(message, other.Sign(message)), ErrSignature)
}

func TestGenerateKey(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 20 {
		private, public, err := GenerateKey()
		require.NoError(t, err)
		require.Regexp(t, "^[0-7][0-9a-f]{63}$", private)
		require.Regexp(t, "^0[23][0-9a-f]{64}$", public)
		require.False(t, seen[private])
		seen[private] = true
		signer, err := NewSigner(private)
		require.NoError(t, err)
		require.Equal(t, public, signer.PublicKey())
	}
}

func TestKeysRefused(t *testing.T) {
	t.Parallel()
	order := fmt.Sprintf("%064x", curveOrder)
	for name, private := range map[string]string{
		"empty": "", "short": strings.Repeat("1", 62), "long": strings.Repeat("1", 66),
		"not hex": strings.Repeat("x", 64), "zero": strings.Repeat("0", 64), "order": order,
	} {
		_, err := NewSigner(private)
		require.ErrorIs(t, err, ErrPrivateKey, name)
		if private != "" {
			require.NotContains(t, err.Error(), private, name)
		}
	}
	for name, public := range map[string]string{
		"empty": "", "uncompressed": "04" + strings.Repeat("1", 128), "not hex": strings.Repeat("x", 66),
		"not on the curve": "02" + strings.Repeat("0", 63) + "5", "bad prefix": "05" + PlatformKey[2:],
	} {
		_, err := NewVerifier(public)
		require.ErrorIs(t, err, ErrPublicKey, name)
	}
	_, err := NewVerifier()
	require.ErrorIs(t, err, ErrPublicKey)
	_, err = NewVerifier(PlatformKey, "02")
	require.ErrorIs(t, err, ErrPublicKey, "one bad key among good ones")
}

func TestSignerNeverPrintsItsKey(t *testing.T) {
	t.Parallel()
	private, public, err := GenerateKey()
	require.NoError(t, err)
	signer, err := NewSigner(private)
	require.NoError(t, err)
	client, err := NewClient("https://gateway.example", "M1", signer, Options{})
	require.NoError(t, err)
	number, _ := new(big.Int).SetString(private, 16)
	secrets := []string{private, strings.ToUpper(private), number.String(), fmt.Sprintf("%d", number.Bytes()), fmt.Sprintf("%v", number.Bits())}

	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "signer", signer, "value", *signer, "client", client)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "signer", signer, "value", *signer, "client", client)
	encoded, err := json.Marshal(map[string]any{"signer": signer, "value": *signer})
	require.NoError(t, err)
	text, err := signer.MarshalText()
	require.NoError(t, err)
	texts := []string{logged.String(), string(encoded), string(text), signer.String(), signer.GoString()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%T"} {
		for _, value := range []any{signer, *signer, client, *client, []*Signer{signer}, struct{ s Signer }{*signer}, &struct{ s *Signer }{signer}} {
			texts = append(texts, fmt.Sprintf(verb, value))
		}
	}
	for _, text := range texts {
		for _, secret := range secrets {
			require.NotContains(t, text, secret)
		}
	}
	require.Contains(t, fmt.Sprintf("%+v", signer), public)
	require.Equal(t, "client of M1 at https://gateway.example", fmt.Sprintf("%#v", client))
	require.JSONEq(t, `{"signer":"signer `+public+`","value":"signer `+public+`"}`, string(encoded))
}

func FuzzSignatureDER(f *testing.F) {
	signer, err := NewSigner("0000000000000000000000000000000000000000000000000000000000000001")
	require.NoError(f, err)
	verifier := newVerifier(f, signer.PublicKey())
	message := []byte("message")
	good := signer.Sign(message)
	r, s := derNumbers(f, good)
	f.Add(good)
	f.Add(derEncode(r, new(big.Int).Sub(curveOrder, s), 1))
	f.Add("3006020101020101")
	f.Add("30ff02ff")
	f.Add("3081060201010201 01")
	f.Fuzz(func(t *testing.T, signature string) {
		if verifier.Verify(message, signature) == nil {
			// Only the two numbers that belong to this message may pass, in
			// whatever spelling.
			parsed, err := parseSignature(signature)
			require.NoError(t, err)
			require.Equal(t, good, hex.EncodeToString(parsed.Serialize()), "written strictly, with the low S")
		}
	})
}

func BenchmarkSign(b *testing.B) {
	signer := newSigner(b)
	message := []byte(`POST|/api/pay/unifiedOrder|1704182130212|amount=100&currency=INR&mchNo=M1000000001`)
	b.ReportAllocs()
	for b.Loop() {
		signer.Sign(message)
	}
}

func BenchmarkVerify(b *testing.B) {
	signer := newSigner(b)
	verifier := newVerifier(b, signer.PublicKey())
	message := []byte(`POST|/api/pay/unifiedOrder|1704182130212|amount=100&currency=INR&mchNo=M1000000001`)
	signature := signer.Sign(message)
	b.ReportAllocs()
	for b.Loop() {
		if err := verifier.Verify(message, signature); err != nil {
			b.Fatal(err)
		}
	}
}
