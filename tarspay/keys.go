package tarspay

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
)

// PlatformKey is the public key the gateway signs its callbacks with, the same
// in every published guide and country (ENdoc/6511993). The key of the test
// stack is not published.
const PlatformKey = "03029c655932f22aee81034d109795fbd7e23ca173ca27e195091d434e593a2e0f"

// Errors of keys. Their texts never contain the key.
var (
	ErrPrivateKey = errors.New("private key must be 64 hex digits, above zero and below the order of secp256k1")
	ErrPublicKey  = errors.New("public key must be a compressed secp256k1 point: 66 hex digits starting with 02 or 03")
)

const (
	privateKeyBytes = 32
	publicKeyBytes  = 33
)

// GenerateKey makes a key pair from the system's randomness: the private key
// as 64 and the compressed public key as 66 lower-case hex digits. The public
// key is what a merchant enters in the gateway's console.
//
// The top bit of the private key is always clear, because the gateway's Java
// kit reads the number as signed and would misread half of all keys.
func GenerateKey() (privateHex, publicHex string, err error) {
	for {
		var secret [privateKeyBytes]byte
		if _, err := io.ReadFull(rand.Reader, secret[:]); err != nil {
			return "", "", fmt.Errorf("tarspay: generate key: %w", err)
		}
		secret[0] &= 0x7f
		key, err := parsePrivateKey(secret[:])
		if err != nil {
			continue
		}
		return hex.EncodeToString(secret[:]), encodePublicKey(key.PubKey()), nil
	}
}

// Signer signs with one private key. It is safe for concurrent use. It prints as
// its public key under every verb: the private key is in a closure, which fmt
// cannot print.
type Signer struct {
	public string
	sign   func(digest []byte) *ecdsa.Signature
}

// NewSigner reads a private key of 64 hex digits. The error is ErrPrivateKey.
func NewSigner(privateHex string) (*Signer, error) {
	secret, err := hex.DecodeString(privateHex)
	if err != nil {
		// The decoder's error quotes the offending digit, so it stays here.
		return nil, fmt.Errorf("tarspay: %w", ErrPrivateKey)
	}
	key, err := parsePrivateKey(secret)
	if err != nil {
		return nil, fmt.Errorf("tarspay: %w", err)
	}
	return &Signer{
		public: encodePublicKey(key.PubKey()),
		sign:   func(digest []byte) *ecdsa.Signature { return ecdsa.Sign(key, digest) },
	}, nil
}

// PublicKey is the compressed public key in lower-case hex, as the X-API-KEY
// header carries it.
func (s *Signer) PublicKey() string { return s.public }

// Sign returns the signature of the message: ECDSA on secp256k1 over the
// double SHA-256, strict DER, low S, lower-case hex. The same message gives
// the same signature (RFC 6979).
func (s *Signer) Sign(message []byte) string {
	return hex.EncodeToString(s.sign(doubleHash(message)).Serialize())
}

// String names the signer by its public key.
func (s Signer) String() string { return "signer " + s.public }

// GoString is String: %#v reveals no more than %v.
func (s Signer) GoString() string { return s.String() }

// Format prints String under every verb and flag.
func (s Signer) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, s.String()) }

// LogValue returns String, for slog.
func (s Signer) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns String, for JSON, YAML and flags.
func (s Signer) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON writes String as a JSON string.
func (s Signer) MarshalJSON() ([]byte, error) { return appendString(nil, s.String()), nil }

func parsePrivateKey(secret []byte) (*btcec.PrivateKey, error) {
	var scalar btcec.ModNScalar
	if len(secret) != privateKeyBytes || scalar.SetByteSlice(secret) || scalar.IsZero() {
		return nil, ErrPrivateKey
	}
	return btcec.PrivKeyFromScalar(&scalar), nil
}

func parsePublicKey(publicHex string) (*btcec.PublicKey, error) {
	point, err := hex.DecodeString(publicHex)
	if err != nil || len(point) != publicKeyBytes {
		return nil, ErrPublicKey
	}
	key, err := btcec.ParsePubKey(point)
	if err != nil {
		return nil, ErrPublicKey
	}
	return key, nil
}

func encodePublicKey(key *btcec.PublicKey) string {
	return hex.EncodeToString(key.SerializeCompressed())
}
