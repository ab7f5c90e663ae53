// Package codec encrypts what Temporal stores of an order: inputs, results,
// signals, updates, memos, summaries and the texts of errors. Temporal, its
// database and its backups then hold no personal data in plain text.
//
// Search attributes and workflow ids are never encrypted, so they must hold no
// personal data. Payloads in plain text stay readable: those from before
// encryption was switched on, and those that people type into the Temporal UI.
//
// It knows keys and bytes. It knows neither orders, nor the ledger, nor the
// gateway.
package codec

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"

	commonpb "go.temporal.io/api/common/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/contract"
)

// KeyBytes is the length of a key: AES-256.
const KeyBytes = 32

// cipherName is the cipher's name in the metadata of encrypted payloads.
const cipherName = "AES256GCM"

// Key is a secret and its name, which each encrypted payload carries.
type Key struct {
	ID     string // letters, digits, hyphens, dots and underscores, at most 64
	Secret []byte // KeyBytes
}

var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// ParseKey reads a key written in hexadecimal.
func ParseKey(id, secret string) (Key, error) {
	if !keyID.MatchString(id) {
		return Key{}, errors.New("a key's name is 1 to 64 letters, digits, hyphens, dots and underscores")
	}
	raw, err := hex.DecodeString(secret)
	if err != nil || len(raw) != KeyBytes {
		return Key{}, fmt.Errorf("key %s is not %d hex digits", id, 2*KeyBytes)
	}
	return Key{ID: id, Secret: raw}, nil
}

// GenerateKey makes a key, in hexadecimal.
func GenerateKey() (string, error) {
	raw := make([]byte, KeyBytes)
	if _, err := io.ReadFull(rand.Reader, raw); err != nil {
		return "", fmt.Errorf("codec: generate a key: %w", err)
	}
	return hex.EncodeToString(raw), nil
}

// FromSettings makes a codec with the keys of the settings. Without keys it
// encrypts nothing.
func FromSettings(keys []config.PayloadKey) (*Codec, error) {
	ring := make([]Key, len(keys))
	for i, k := range keys {
		var err error
		if ring[i], err = ParseKey(k.ID, k.Secret.Reveal()); err != nil {
			return nil, fmt.Errorf("PAYOUTS_PAYLOAD_KEYS: %w", err)
		}
	}
	return New(ring...)
}

// Codec encrypts with its first key and decrypts with each of them. Without
// keys it encrypts nothing, and returns UnknownKey for payloads that are
// encrypted. It is safe for concurrent use.
type Codec struct {
	first  string // "" if there are no keys
	keys   map[string]cipher.AEAD
	strict bool
}

var _ converter.PayloadCodec = (*Codec)(nil)

// New makes a codec. To rotate keys, put the new key first, and keep the old key
// for as long as Temporal stores payloads that it encrypted.
func New(keys ...Key) (*Codec, error) {
	c := &Codec{keys: make(map[string]cipher.AEAD, len(keys))}
	for _, key := range keys {
		if c.first == "" {
			c.first = key.ID
		}
		if _, twice := c.keys[key.ID]; twice {
			return nil, fmt.Errorf("codec: key %s appears twice", key.ID)
		}
		block, err := aes.NewCipher(key.Secret)
		if err != nil {
			return nil, fmt.Errorf("codec: key %s: %w", key.ID, err)
		}
		if c.keys[key.ID], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("codec: key %s: %w", key.ID, err)
		}
	}
	return c, nil
}

// Strict returns a copy that panics where Decode would return an error. Workers
// use it.
//
// If decoding a workflow's input returns an error, the SDK fails the workflow,
// which would end an order whose money may be in flight. If it panics, the SDK
// fails the workflow task only, and the server repeats the task until a worker
// has the key.
func (c *Codec) Strict() *Codec {
	strict := *c
	strict.strict = true
	return &strict
}

// Encode encrypts each payload with its own random nonce. Payloads that are
// encrypted already stay as they are.
func (c *Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	if c.first == "" {
		return payloads, nil
	}
	encoded := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		if contract.Encrypted(p) {
			encoded[i] = p
			continue
		}
		plain, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("codec: %w", err)
		}
		sealer := c.keys[c.first]
		nonce := make([]byte, sealer.NonceSize(), sealer.NonceSize()+len(plain)+sealer.Overhead())
		if _, err := io.ReadFull(rand.Reader, nonce); err != nil {
			return nil, fmt.Errorf("codec: %w", err)
		}
		encoded[i] = &commonpb.Payload{
			Metadata: map[string][]byte{
				converter.MetadataEncoding: []byte(contract.Encryption), contract.MetadataCipher: []byte(cipherName), contract.MetadataKey: []byte(c.first),
			},
			Data: sealer.Seal(nonce, nonce, plain, bound(c.first)),
		}
	}
	return encoded, nil
}

// Decode decrypts payloads. Payloads in plain text stay as they are. The errors
// are *contract.UnknownKey and contract.ErrDamaged.
func (c *Codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decoded := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		var err error
		if decoded[i], err = c.decode(p); err != nil {
			if c.strict {
				panic(err)
			}
			return nil, err
		}
	}
	return decoded, nil
}

func (c *Codec) decode(p *commonpb.Payload) (*commonpb.Payload, error) {
	if !contract.Encrypted(p) {
		return p, nil
	}
	id := string(p.GetMetadata()[contract.MetadataKey])
	opener, known := c.keys[id]
	if !known {
		return nil, &contract.UnknownKey{ID: id}
	}
	size := opener.NonceSize()
	if len(p.GetData()) < size {
		return nil, contract.ErrDamaged
	}
	plain, err := opener.Open(nil, p.GetData()[:size], p.GetData()[size:], bound(id))
	if err != nil {
		return nil, contract.ErrDamaged
	}
	decoded := &commonpb.Payload{}
	if err := proto.Unmarshal(plain, decoded); err != nil {
		return nil, contract.ErrDamaged
	}
	return decoded, nil
}

// bound is the additional data that each payload is authenticated with. Changing
// the key's name in the metadata makes decryption fail.
func bound(id string) []byte { return []byte(cipherName + " " + id) }

// Converter returns the data converter that uses the codec. Reading into a
// converter.RawValue never fails: it gives the decrypted payload, or the payload
// as it came when it does not decrypt. Input from outside can therefore not stop
// a worker. Callers check contract.Encrypted.
func (c *Codec) Converter() converter.DataConverter {
	return reader{DataConverter: converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c), codec: c}
}

// reader is a data converter that returns raw values without an error.
type reader struct {
	converter.DataConverter
	codec *Codec
}

// FromPayload reads one value.
func (r reader) FromPayload(payload *commonpb.Payload, into any) error {
	raw, ok := into.(*converter.RawValue)
	if !ok {
		return r.DataConverter.FromPayload(payload, into)
	}
	if opened, err := r.codec.decode(payload); err == nil {
		payload = opened
	}
	*raw = converter.NewRawValue(payload)
	return nil
}

// FromPayloads reads len(into) values and ignores further payloads.
func (r reader) FromPayloads(payloads *commonpb.Payloads, into ...any) error {
	for i, payload := range payloads.GetPayloads() {
		if i >= len(into) {
			break
		}
		if err := r.FromPayload(payload, into[i]); err != nil {
			return fmt.Errorf("payload item %d: %w", i, err)
		}
	}
	return nil
}

// Handler decodes and encodes payloads for the Temporal UI (POST /decode and /encode). It
// answers everybody: put it behind a check of the caller.
func (c *Codec) Handler() http.Handler { return converter.NewPayloadCodecHTTPHandler(c) }

// Apply makes a Temporal client use the codec. With a key, the messages and
// stack traces of errors are encrypted as well.
func (c *Codec) Apply(options *temporalclient.Options) {
	options.DataConverter = c.Converter()
	options.FailureConverter = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: options.DataConverter, EncodeCommonAttributes: c.first != "",
	})
}
