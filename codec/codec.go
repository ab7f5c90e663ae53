// Package codec encrypts what Temporal keeps of an order: inputs, results,
// signals, updates, memos, summaries and the texts of errors. Temporal, its
// database and whoever backs it up then hold nothing of a beneficiary but what
// is meant to be searched.
//
// Search attributes and workflow ids are never encrypted; they hold no personal
// data. What was written before encryption was switched on stays readable, and
// so does what is written by hand in the Temporal UI.
package codec

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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

// cipherName is what encrypted payloads call the cipher.
const cipherName = "AES256GCM"

// Key is a secret and the name that encrypted payloads know it by.
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

// FromSettings makes the codec that the settings ask for.
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

// Codec encrypts with its first key and decrypts with all of them. Without keys
// it encrypts nothing, and still knows what it cannot read. It is safe for
// concurrent use.
type Codec struct {
	first  string // "": there are no keys
	keys   map[string]cipher.AEAD
	strict bool
}

var _ converter.PayloadCodec = (*Codec)(nil)

// New makes a codec. To change keys, put the new one first and keep the old one
// for as long as Temporal keeps what it has encrypted.
func New(keys ...Key) (*Codec, error) {
	c := &Codec{keys: make(map[string]cipher.AEAD, len(keys))}
	for _, key := range keys {
		if c.first == "" {
			c.first = key.ID
		}
		if _, twice := c.keys[key.ID]; twice {
			return nil, fmt.Errorf("codec: key %s is there twice", key.ID)
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

// Strict is the codec of a worker: it panics where Decode would return an error.
//
// A worker that cannot decode a workflow's input fails the workflow, which ends
// an order that has money under way; one that panics is told again and again,
// and goes on once it has the key.
func (c *Codec) Strict() *Codec {
	strict := *c
	strict.strict = true
	return &strict
}

// Encode encrypts payloads, each with a nonce of its own. What is encrypted
// already stays as it is.
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

// Decode decrypts payloads; what is not encrypted stays as it is. The errors
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

// bound is what a payload is bound to besides its content: nobody can pass it
// off as another key's.
func bound(id string) []byte { return []byte(cipherName + " " + id) }

// Converter turns values into payloads and back. Who asks for a
// converter.RawValue gets the payload decrypted or, when it does not decrypt, as
// it came: what an outsider sends must not stop a worker, and whoever reads it
// says by contract.Encrypted what to do about it.
func (c *Codec) Converter() converter.DataConverter {
	return reader{DataConverter: converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c), codec: c}
}

// reader is a data converter that hands raw values out undecided.
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

// FromPayloads reads as many values as are asked for and leaves the rest alone.
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

// Apply has a Temporal client use the codec, for the texts and stacks of errors
// too when there is a key.
func (c *Codec) Apply(options *temporalclient.Options) {
	options.DataConverter = c.Converter()
	options.FailureConverter = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: options.DataConverter, EncodeCommonAttributes: c.first != "",
	})
}
