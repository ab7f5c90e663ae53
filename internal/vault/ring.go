package vault

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/trusted"
)

// keyBytes is the length of every key.
const keyBytes = 32

// Ring holds the data keys of an installation, newest first. The first one wraps, and
// all of them unwrap. The nil ring has none.
type Ring struct{ keys []dataKey }

type dataKey struct {
	id    string
	wrap  cipher.AEAD
	payee []byte
}

var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Generate makes a data key, as a line for a file of data keys.
func Generate(id string) (string, error) {
	if !keyID.MatchString(id) {
		return "", fault(CodeKeyMalformed, "a key's name is 1 to 64 letters, digits, hyphens, dots and underscores")
	}
	secret := make([]byte, keyBytes)
	_, _ = rand.Read(secret) // it never returns an error
	return id + ":" + hex.EncodeToString(secret), nil
}

// maxKeyFile is the most bytes of a key file.
const maxKeyFile = 64 << 10

// Read reads a file of data keys, see Parse. Only the owner may write the file, and
// nobody but the owner and the group may read it. The codes are those of Parse,
// DATA_KEY_MISSING and DATA_KEY_OPEN.
func Read(path string) (*Ring, error) {
	text, err := trusted.Read(path, maxKeyFile, trusted.Open)
	var open *trusted.OpenError
	var large *trusted.LargeError
	switch {
	case errors.As(err, &open):
		return nil, fault(CodeKeyOpen, "%s: the key is in a file that %v", path, open)
	case errors.As(err, &large):
		return nil, fault(CodeKeyMalformed, "%s is larger than %d bytes", path, large.Most)
	case err != nil:
		return nil, fault(CodeKeyMissing, "the data key file cannot be read: %v", err)
	}
	return Parse(text, path)
}

// Parse reads data keys, one a line as Generate makes them, newest first. Empty lines
// and lines that begin with # are skipped. The error is a *Fault with
// DATA_KEY_MALFORMED or DATA_KEY_MISSING. It has the number of the line, and nothing of
// its text.
func Parse(text []byte, file string) (*Ring, error) {
	r := &Ring{}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, digits, _ := strings.Cut(line, ":")
		secret, err := hex.DecodeString(digits)
		if _, twice := r.find(id); twice || !keyID.MatchString(id) || err != nil || len(secret) != keyBytes {
			return nil, fault(CodeKeyMalformed, "%s:%d: this is no data key, or its name is there twice", file, i+1)
		}
		r.keys = append(r.keys, dataKey{id, gcm(derive(secret, "payouts wrap 1")), derive(secret, "payouts payee 1")})
	}
	if len(r.keys) == 0 {
		return nil, fault(CodeKeyMissing, "%s has no data key", file)
	}
	return r, nil
}

// Newest returns the id of the key that wraps; "" without a ring.
func (r *Ring) Newest() string {
	if r == nil {
		return ""
	}
	return r.keys[0].id
}

// Has reports whether the ring has the data key.
func (r *Ring) Has(id string) bool {
	_, known := r.find(id)
	return known
}

func (r *Ring) find(id string) (dataKey, bool) {
	if r == nil {
		return dataKey{}, false
	}
	i := slices.IndexFunc(r.keys, func(k dataKey) bool { return k.id == id })
	if i < 0 {
		return dataKey{}, false
	}
	return r.keys[i], true
}

// Proof returns a text that shows whether two processes have the same key of a name.
// The key does not follow from it.
func (r *Ring) Proof(id string) string {
	key, _ := r.find(id)
	return hex.EncodeToString(sum(key.payee, "payouts data key proof 1 "+id))
}

// Payee returns the keyed hash of a payee as it is stored, with the newest key. Without
// a ring, and for "", it is the payee itself.
func (r *Ring) Payee(payee string) string {
	if r == nil || payee == "" {
		return payee
	}
	return r.keys[0].hash(payee)
}

// Payees returns every form in which a payee may be stored: the keyed hash of each key,
// newest first, and at last the payee itself.
func (r *Ring) Payees(payee string) []string {
	var forms []string
	if r != nil {
		for _, key := range r.keys {
			forms = append(forms, key.hash(payee))
		}
	}
	return append(forms, payee)
}

func (k dataKey) hash(payee string) string {
	return k.id + ":" + hex.EncodeToString(sum(k.payee, payee))
}
