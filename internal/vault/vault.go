// Package vault encrypts personal data at rest. Every subject, such as an order, has a
// key of its own. That key is stored beside its data, wrapped with a data key, which is
// kept outside the database. Who destroys the wrapped key makes the subject's data
// unreadable, in every place that stores the ciphertext.
//
// Ciphers: AES-256-GCM. Keys for each purpose are derived with HKDF-SHA256.
//
// It knows keys and texts. It knows neither orders, nor SQL, nor Temporal.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// Codes of faults. They are stable.
const (
	CodeKeyMissing   = "DATA_KEY_MISSING"   // the file is missing, or has no key
	CodeKeyMalformed = "DATA_KEY_MALFORMED" // a line of a key file is not a key
	CodeKeyOpen      = "DATA_KEY_OPEN"      // others can read or write the file
	CodeKeyUnknown   = "DATA_KEY_UNKNOWN"   // the data is encrypted with a key that is not in the file
	CodeKeyRetired   = "DATA_KEY_RETIRED"   // the newest key in the file was replaced by another one
	CodeDamaged      = "DATA_DAMAGED"       // the data was changed, or belongs to another row
)

// Fault is why a key or a text cannot be used. Its text has no secret and no personal
// data.
type Fault struct{ Code, Text string }

func (f *Fault) Error() string { return f.Text + " (" + f.Code + ")" }

func fault(code, format string, values ...any) *Fault {
	return &Fault{code, fmt.Sprintf(format, values...)}
}

// Subject is what a key belongs to. A wrapped key and a text decrypt only for the
// subject that they were made for.
type Subject struct {
	Table    string
	Merchant string
	Number   string // of the order; of a row without order: what tells it apart
}

// sealed is the beginning of every encrypted text. It ends with the version of the form.
const sealed = "enc1."

// Sealed reports whether the text is encrypted.
func Sealed(text string) bool { return strings.HasPrefix(text, sealed) }

// Key encrypts the texts of one subject. The nil key leaves texts as they are: it is
// the key of data from before encryption was switched on.
type Key struct {
	Wrapped string // for the database

	subject Subject
	texts   cipher.AEAD
	nonces  []byte
	salt    []byte
}

// NewKey makes a random key for a subject. Without a ring it is nil.
func (r *Ring) NewKey(s Subject) (*Key, error) {
	if r == nil {
		return nil, nil
	}
	secret := make([]byte, keyBytes)
	_, _ = rand.Read(secret) // it never returns an error
	return r.wrap(s, secret), nil
}

func (r *Ring) wrap(s Subject, secret []byte) *Key {
	first := r.keys[0]
	nonce := make([]byte, first.wrap.NonceSize())
	_, _ = rand.Read(nonce)
	box := first.wrap.Seal(nonce, nonce, secret, s.bound("key", first.id))
	return newKey(s, secret, first.id+":"+base64.RawStdEncoding.EncodeToString(box))
}

// Open reads a subject's wrapped key. The key of "" is nil. The error is a *Fault with
// DATA_KEY_UNKNOWN or DATA_DAMAGED.
func (r *Ring) Open(s Subject, wrapped string) (*Key, error) {
	if wrapped == "" {
		return nil, nil
	}
	secret, err := r.unwrap(s, wrapped)
	if err != nil {
		return nil, err
	}
	return newKey(s, secret, wrapped), nil
}

// Rewrap wraps a subject's key with the newest data key. It returns "" if that is so
// already.
func (r *Ring) Rewrap(s Subject, wrapped string) (string, error) {
	if WrappedWith(wrapped) == r.keys[0].id {
		return "", nil
	}
	secret, err := r.unwrap(s, wrapped)
	if err != nil {
		return "", err
	}
	return r.wrap(s, secret).Wrapped, nil
}

// WrappedWith returns the id of the data key that a key is wrapped with.
func WrappedWith(wrapped string) string {
	id, _, _ := strings.Cut(wrapped, ":")
	return id
}

func (r *Ring) unwrap(s Subject, wrapped string) ([]byte, error) {
	id, text, _ := strings.Cut(wrapped, ":")
	data, known := r.find(id)
	if !known {
		return nil, fault(CodeKeyUnknown, "the data is encrypted with the data key %q, which is not in PAYOUTS_DATA_KEY_FILE", id)
	}
	box, err := base64.RawStdEncoding.DecodeString(text)
	size := data.wrap.NonceSize()
	if err != nil || len(box) < size {
		return nil, damaged(s, "key")
	}
	secret, err := data.wrap.Open(nil, box[:size], box[size:], s.bound("key", id))
	if err != nil {
		return nil, damaged(s, "key")
	}
	return secret, nil
}

func damaged(s Subject, column string) *Fault {
	return fault(CodeDamaged, "the %s of %s %s/%s does not decrypt: it was changed, or moved from another row", column, s.Table, s.Merchant, s.Number)
}

func newKey(s Subject, secret []byte, wrapped string) *Key {
	return &Key{
		Wrapped: wrapped, subject: s, texts: gcm(derive(secret, "payouts texts 1")),
		nonces: derive(secret, "payouts nonces 1"), salt: derive(secret, "payouts fingerprint 1"),
	}
}

// Stored returns the wrapped key for the database; "" of the nil key.
func (k *Key) Stored() string {
	if k == nil {
		return ""
	}
	return k.Wrapped
}

// Seal encrypts the text of a column. The nonce follows from subject, column and text,
// so equal texts of one subject and column have equal ciphertexts, and no nonce is used
// for two texts. The empty text stays empty.
func (k *Key) Seal(column, text string) string {
	if k == nil || text == "" {
		return text
	}
	bound := k.subject.bound("text", column)
	mac := hmac.New(sha256.New, k.nonces)
	_, _ = mac.Write(bound)
	_, _ = mac.Write([]byte(text))
	nonce := mac.Sum(nil)[:k.texts.NonceSize()]
	return sealed + base64.RawStdEncoding.EncodeToString(k.texts.Seal(nonce, nonce, []byte(text), bound))
}

// Open decrypts the text of a column. The empty text stays empty. A key has no text in clear,
// and the nil key no other. The error is a *Fault with DATA_DAMAGED.
func (k *Key) Open(column, text string) (string, error) {
	switch {
	case text == "" || k == nil && !Sealed(text):
		return text, nil
	case k == nil:
		return "", fault(CodeDamaged, "a %s is encrypted, and its row has no key", column)
	case !Sealed(text):
		return "", fault(CodeDamaged, "the %s of %s %s/%s is in clear, and its row has a key: this program did not write it", column, k.subject.Table, k.subject.Merchant, k.subject.Number)
	}
	box, err := base64.RawStdEncoding.DecodeString(text[len(sealed):])
	size := k.texts.NonceSize()
	if err != nil || len(box) < size {
		return "", damaged(k.subject, column)
	}
	plain, err := k.texts.Open(nil, box[:size], box[size:], k.subject.bound("text", column))
	if err != nil {
		return "", damaged(k.subject, column)
	}
	return string(plain), nil
}

// Salted returns a fingerprint as it is stored: nobody can guess its content without
// the key. The nil key leaves it as it is.
func (k *Key) Salted(fingerprint string) string {
	if k == nil {
		return fingerprint
	}
	return sealed + hex.EncodeToString(sum(k.salt, fingerprint))
}

// bound is what a ciphertext is authenticated with. Each part has its length, so that
// two different ones never have the same bytes.
func (s Subject) bound(purpose, column string) []byte {
	var bytes []byte
	for _, part := range []string{purpose, s.Table, s.Merchant, s.Number, column} {
		bytes = binary.BigEndian.AppendUint32(bytes, uint32(len(part))) //nolint:gosec // a column is far shorter
		bytes = append(bytes, part...)
	}
	return bytes
}

func sum(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(text))
	return mac.Sum(nil)
}

func derive(secret []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, purpose, keyBytes)
	if err != nil {
		panic("vault: 32 bytes are not too many for HKDF: " + err.Error())
	}
	return key
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCM(block); err == nil {
			return aead
		}
	}
	panic("vault: a derived key has 32 bytes: " + err.Error())
}
