package tarspay

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
)

// ErrSignature means a signature is unreadable or belongs to another message
// or another key.
var ErrSignature = errors.New("signature does not verify")

// Limits of a signature in bytes. The shortest DER form has one byte for each
// number; strict DER ends at 72. The gateway's own reader accepts needless zeros,
// so a few more bytes are allowed.
const (
	minSignatureBytes = 8
	maxSignatureBytes = 80
)

// Verifier checks signatures against one or more public keys. During a rotation
// both the old and the new key are in use. It is safe for concurrent use.
type Verifier struct {
	keys []*btcec.PublicKey
}

// NewVerifier reads compressed public keys of 66 hex digits; at least one. The
// error is ErrPublicKey.
func NewVerifier(publicHex ...string) (*Verifier, error) {
	if len(publicHex) == 0 {
		return nil, fmt.Errorf("tarspay: no key given: %w", ErrPublicKey)
	}
	verifier := &Verifier{}
	for _, text := range publicHex {
		key, err := parsePublicKey(text)
		if err != nil {
			return nil, fmt.Errorf("tarspay: %w", err)
		}
		verifier.keys = append(verifier.keys, key)
	}
	return verifier, nil
}

// Verify reports whether any of the keys signed the message: ECDSA on
// secp256k1 over the double SHA-256, DER in hex. A high S is accepted, because
// the gateway produces it; so is DER with needless zeros, because the
// gateway's kit does. The error is ErrSignature.
//
// From a signature (r, s) anybody can compute a second one, (r, n-s), for the same
// message. A signature therefore never identifies a message: use
// Callback.Fingerprint.
func (v *Verifier) Verify(message []byte, signatureHex string) error {
	signature, err := parseSignature(signatureHex)
	if err != nil {
		return err
	}
	if !v.signed(message, signature) {
		return ErrSignature
	}
	return nil
}

func (v *Verifier) signed(message []byte, signature *ecdsa.Signature) bool {
	digest := doubleHash(message)
	return slices.ContainsFunc(v.keys, func(key *btcec.PublicKey) bool { return signature.Verify(digest, key) })
}

func parseSignature(signatureHex string) (*ecdsa.Signature, error) {
	if len(signatureHex) < 2*minSignatureBytes || len(signatureHex) > 2*maxSignatureBytes {
		return nil, fmt.Errorf("%w: %d characters", ErrSignature, len(signatureHex))
	}
	der, err := hex.DecodeString(signatureHex)
	if err != nil {
		return nil, fmt.Errorf("%w: not hex", ErrSignature)
	}
	// The parser below ignores bytes after the sequence; we refuse them.
	if int(der[1]) != len(der)-2 {
		return nil, fmt.Errorf("%w: wrong length byte", ErrSignature)
	}
	signature, err := ecdsa.ParseSignature(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return signature, nil
}

// doubleHash returns the hash that the gateway signs. Its kit hashes the message
// and passes the hash to an algorithm that hashes again.
func doubleHash(message []byte) []byte {
	once := sha256.Sum256(message)
	twice := sha256.Sum256(once[:])
	return twice[:]
}
