package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/tarspay-payouts/orchestrator/internal/trusted"
)

// Keys are the private keys of an installation. The first one seals and signs.
type Keys struct {
	origin string
	keys   []privateKey
	public *Public
}

// Public are the public keys of an installation, to verify with.
type Public struct {
	origin    string
	keys      map[uint32]ed25519.PublicKey
	verifiers note.Verifiers
}

type privateKey struct {
	id      uint32
	private ed25519.PrivateKey
	signer  note.Signer
	public  string // the verifier key
}

// Generate makes a key for an installation, as a line for a file of private keys and
// one for a file of public keys. The origin names the installation, such as
// payouts.example.com/live; it has no blank and no plus.
func Generate(origin string) (private, public string, err error) {
	private, public, err = note.GenerateKey(rand.Reader, origin)
	if err == nil {
		_, err = note.NewSigner(private) // GenerateKey does not check the name
	}
	if err != nil {
		return "", "", fault(CodeKeyMalformed, "the installation's name %q must be UTF-8 without blanks and plus signs", origin)
	}
	return private, public, nil
}

// maxKeyFile is the most bytes of a key file.
const maxKeyFile = 64 << 10

// ReadKeys reads a file of private keys, see ParseKeys. Only the owner may write the
// file, and nobody but the owner and the group may read it. The codes are those of
// ParseKeys, AUDIT_KEY_MISSING and AUDIT_KEY_OPEN.
func ReadKeys(path string) (*Keys, error) {
	text, err := trusted.Read(path, maxKeyFile, trusted.Open)
	var open *trusted.OpenError
	var large *trusted.LargeError
	switch {
	case errors.As(err, &open):
		return nil, fault(CodeKeyOpen, "%s: the key is in a file that %v", path, open)
	case errors.As(err, &large):
		return nil, fault(CodeKeyMalformed, "%s is larger than %d bytes", path, large.Most)
	case err != nil:
		return nil, fault(CodeKeyMissing, "the audit key file cannot be read: %v", err)
	}
	return ParseKeys(text, path)
}

// ParseKeys reads private keys, one a line as Generate makes them, newest first.
// To rotate, put a new one above. Empty lines and lines that begin with # are
// skipped. The error is a *Fault with AUDIT_KEY_MALFORMED or AUDIT_KEY_MISSING. It
// has the number of the line, and nothing of its text.
func ParseKeys(text []byte, file string) (*Keys, error) {
	k := &Keys{}
	err := eachKey(text, file, "private", func(line string) (origin string, ok bool) {
		key, origin, ok := parsePrivate(line)
		k.keys = append(k.keys, key)
		return origin, ok
	}, &k.origin)
	if err != nil {
		return nil, err
	}
	if k.public, err = ParsePublic(k.PublicLines(), file); err != nil {
		return nil, err
	}
	return k, nil
}

// parsePrivate reads PRIVATE+KEY+name+hash+data, where data is the algorithm and the
// seed, in base64.
func parsePrivate(line string) (key privateKey, origin string, ok bool) {
	signer, err := note.NewSigner(line)
	if err != nil {
		return privateKey{}, "", false
	}
	// NewSigner has checked the form: the data is the last of five parts, and has plus
	// signs of its own.
	parts := strings.SplitN(line, "+", 5)
	data, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(data) != 1+ed25519.SeedSize {
		return privateKey{}, "", false
	}
	private := ed25519.NewKeyFromSeed(data[1:])
	public, err := note.NewEd25519VerifierKey(signer.Name(), private.Public().(ed25519.PublicKey))
	if err != nil {
		return privateKey{}, "", false
	}
	return privateKey{signer.KeyHash(), private, signer, public}, signer.Name(), true
}

// Origin names the installation.
func (k *Keys) Origin() string { return k.origin }

// PublicLines returns the public halves, as a file for ParsePublic.
func (k *Keys) PublicLines() []byte {
	var lines bytes.Buffer
	for _, key := range k.keys {
		lines.WriteString(key.public + "\n")
	}
	return lines.Bytes()
}

// Public returns the public halves; nil of no keys.
func (k *Keys) Public() *Public {
	if k == nil {
		return nil
	}
	return k.public
}

// ParsePublic reads public keys, one a line as Generate makes them. Keep the keys
// that no longer sign, because entries that they sealed are still verified. The
// errors are those of ParseKeys.
func ParsePublic(text []byte, file string) (*Public, error) {
	p := &Public{keys: make(map[uint32]ed25519.PublicKey)}
	var verifiers []note.Verifier
	err := eachKey(text, file, "public", func(line string) (origin string, ok bool) {
		verifier, err := note.NewVerifier(line)
		if err != nil {
			return "", false
		}
		parts := strings.SplitN(line, "+", 3)
		data, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
		_, twice := p.keys[verifier.KeyHash()]
		if err != nil || len(data) != 1+ed25519.PublicKeySize || twice {
			return "", false
		}
		p.keys[verifier.KeyHash()] = data[1:]
		verifiers = append(verifiers, verifier)
		return verifier.Name(), true
	}, &p.origin)
	if err != nil {
		return nil, err
	}
	p.verifiers = note.VerifierList(verifiers...)
	return p, nil
}

// Origin names the installation.
func (p *Public) Origin() string { return p.origin }

// eachKey reads a file line by line. All keys must be of one installation.
func eachKey(text []byte, file, kind string, read func(line string) (origin string, ok bool), origin *string) error {
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, ok := read(line)
		if !ok {
			return fault(CodeKeyMalformed, "%s:%d: this is no %s audit key, or it is there twice", file, i+1, kind)
		}
		if *origin != "" && name != *origin {
			return fault(CodeKeyMalformed, "%s:%d: the key is of installation %s, and the one above of %s", file, i+1, name, *origin)
		}
		*origin = name
	}
	if *origin == "" {
		return fault(CodeKeyMissing, "%s has no %s audit key", file, kind)
	}
	return nil
}
