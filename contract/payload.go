package contract

import (
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
)

// The metadata of an encrypted payload. The names are those of Temporal's own
// samples, so that other tools recognise them.
const (
	Encryption     = "binary/encrypted"
	MetadataCipher = "encryption-cipher"
	MetadataKey    = "encryption-key-id"
)

// Encrypted reports whether a payload is still encrypted after decoding: this
// process lacks its key, or the payload is damaged.
func Encrypted(p *commonpb.Payload) bool {
	return string(p.GetMetadata()[converter.MetadataEncoding]) == Encryption
}

// Missing returns the error for a payload that is still encrypted.
func Missing(p *commonpb.Payload) error { return &UnknownKey{ID: string(p.GetMetadata()[MetadataKey])} }

// UnknownKey is the error for a payload that was encrypted with a key that this
// process does not have.
type UnknownKey struct{ ID string }

// Error names the key and what to do.
func (e *UnknownKey) Error() string {
	return fmt.Sprintf("codec: the payload is encrypted with key %q, which is not in PAYOUTS_PAYLOAD_KEYS", e.ID)
}

// ErrDamaged is the error for a payload that cannot be decrypted: it was changed,
// or encrypted with a different key of the same name.
var ErrDamaged = errors.New("codec: the payload cannot be decrypted: it was changed, or encrypted with a different key of the same name")
