package roster

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"
)

// Namespace is the SSHSIG namespace of all signatures for this program.
const Namespace = "payouts"

// sshKey is a person's key.
type sshKey struct {
	key           ssh.PublicKey
	holder        string
	line          string    // of an allowed_signers file
	after, before time.Time // valid from, valid until; zero: always
}

func (k sshKey) valid(at time.Time) bool {
	return (k.after.IsZero() || !at.Before(k.after)) && (k.before.IsZero() || at.Before(k.before))
}

// keyTypes are the SSH keys that are accepted: modern ones, and hardware keys.
var keyTypes = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
	ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256,
}

// sshKey reads a line of an allowed_signers file: principal, options, key type,
// key, comment. The principal must be the holder's name, so that ssh-keygen reads
// the same holder from the line.
func (r *reader) sshKey(node *yaml.Node, holder string) bool {
	line, ok := r.readText(node, "a key")
	if !ok {
		return false
	}
	parsed, wrong := parseSigner(line)
	switch {
	case wrong != "":
		r.problem(node.Line, CodeKeyMalformed, "the key must be a line such as: %s namespaces=\"%s\" ssh-ed25519 AAAA…; %s", clip(holder), Namespace, wrong)
		return false
	case parsed.holder != holder:
		r.problem(node.Line, CodeKeyMalformed, "the key's line begins with %q and must begin with %q", clip(parsed.holder), clip(holder))
		return false
	}
	if !r.recordUnique("key", keyIdentity(parsed.key), "the key "+ssh.FingerprintSHA256(parsed.key), holder, node.Line) {
		return false
	}
	r.roster.ssh[string(parsed.key.Marshal())] = parsed
	return true
}

// keyIdentity returns the same text for an ed25519 key in both forms, that of SSH
// and that of a system.
func keyIdentity(key ssh.PublicKey) string {
	if holder, is := key.(ssh.CryptoPublicKey); is {
		if public, is := holder.CryptoPublicKey().(ed25519.PublicKey); is {
			return "ed25519 " + hex.EncodeToString(public)
		}
	}
	return hex.EncodeToString(key.Marshal())
}

// parseSigner parses a line of an allowed_signers file. wrong describes an error
// without any text of the line.
func parseSigner(line string) (key sshKey, wrong string) {
	if strings.ContainsAny(line, "\r\n") {
		return sshKey{}, "one entry holds one line"
	}
	principal, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	public, _, options, after, err := ssh.ParseAuthorizedKey([]byte(rest))
	if err != nil || len(after) > 0 {
		return sshKey{}, "after the name and the options comes a key type and a key, in base64"
	}
	if !slices.Contains(keyTypes, public.Type()) {
		return sshKey{}, "keys of this type are not accepted; accepted are " + strings.Join(keyTypes, ", ")
	}
	key = sshKey{key: public, holder: principal, line: strings.TrimSpace(line)}
	for _, option := range options {
		if wrong := key.option(option); wrong != "" {
			return sshKey{}, wrong
		}
	}
	if !key.after.IsZero() && !key.before.IsZero() && !key.after.Before(key.before) {
		return sshKey{}, "valid-after must be before valid-before"
	}
	return key, ""
}

func (k *sshKey) option(option string) (wrong string) {
	name, value, _ := strings.Cut(option, "=")
	value = strings.Trim(value, `"`)
	switch strings.ToLower(name) {
	case "namespaces":
		if !slices.Contains(strings.Split(value, ","), Namespace) {
			return "its namespaces must have " + Namespace
		}
		return ""
	case "valid-after":
		return validity(name, value, &k.after)
	case "valid-before":
		return validity(name, value, &k.before)
	}
	return "the options namespaces, valid-after and valid-before are read, and no others"
}

// validityForms are OpenSSH's forms of a time, in UTC.
var validityForms = []string{"20060102Z", "200601021504Z", "20060102150405Z"}

func validity(name, value string, into *time.Time) (wrong string) {
	for _, form := range validityForms {
		if at, err := time.Parse(form, value); err == nil {
			*into = at
			return ""
		}
	}
	return name + " must be a time in UTC such as 20270131Z or 202701311530Z; without the Z each machine reads it in its own zone"
}

// apiKey is a system's API key.
type apiKey struct {
	prefix  string
	holder  string
	expires time.Time
}

// Form of an API token: payouts_, a prefix that people may read, and 256 random bits.
const (
	tokenBytes = 32
	tokenStart = "payouts_"
)

var (
	tokenForm  = regexp.MustCompile(`payouts_[a-z0-9-]{1,32}_[A-Za-z0-9_-]{43}`)
	prefixForm = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
)

// NewToken returns a new API token and the roster's entry for it. Show the token
// once, to the system that will use it. The prefix names the key in the roster and
// in messages: 1 to 32 lower-case letters, digits and hyphens.
func NewToken(prefix string, expires time.Time) (token, entry string, err error) {
	if !prefixForm.MatchString(prefix) {
		return "", "", fmt.Errorf("roster: the prefix of an API key must be 1 to 32 of a to z, digits and hyphen")
	}
	random := make([]byte, tokenBytes)
	_, _ = rand.Read(random) // it never fails
	token = tokenStart + prefix + "_" + base64.RawURLEncoding.EncodeToString(random)
	entry = fmt.Sprintf("{prefix: %s, sha256: %s, expires: %s}", prefix, hashToken(token), expires.UTC().Format(time.RFC3339))
	return token, entry, nil
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func (r *reader) apiKey(node *yaml.Node, holder string) {
	key, sum := apiKey{holder: holder}, ""
	lines := r.members(node, "an API key", map[string]func(*yaml.Node){
		"prefix": func(node *yaml.Node) {
			key.prefix, _ = r.readText(node, "prefix")
			if !prefixForm.MatchString(key.prefix) {
				r.problem(node.Line, CodeKeyMalformed, "the prefix of an API key must be 1 to 32 of a to z, digits and hyphen")
			} else {
				r.recordUnique("prefix", key.prefix, "the prefix "+key.prefix, holder, node.Line)
			}
		},
		"sha256": func(node *yaml.Node) {
			sum, _ = r.readText(node, "sha256")
			if tokenForm.MatchString(sum) {
				return // secrets has told it
			}
			if !hashForm.MatchString(sum) {
				r.problem(node.Line, CodeKeyInClear, "sha256 must be the SHA-256 of the API key, 64 digits 0 to 9 and a to f; if this is the key itself, replace the key")
			} else {
				r.recordUnique("token", sum, "the API key", holder, node.Line)
			}
		},
		"expires": func(node *yaml.Node) { key.expires = r.expiry(node) },
	})
	for _, member := range []string{"prefix", "sha256"} {
		if lines[member] == 0 && node.Kind == yaml.MappingNode {
			r.problem(node.Line, CodeKeyMalformed, "an API key must have a %s", member)
		}
	}
	if lines["expires"] == 0 && node.Kind == yaml.MappingNode {
		r.problem(node.Line, CodeExpiryMalformed, "an API key must say when it expires")
	}
	r.roster.tokens[sum] = key // with any problem there is no roster
}

// systemKey is a system's ed25519 key.
type systemKey struct {
	public  ed25519.PublicKey
	holder  string
	expires time.Time // zero: never
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (r *reader) systemKey(node *yaml.Node, holder string) {
	key, id := systemKey{holder: holder}, ""
	lines := r.members(node, "an ed25519 key", map[string]func(*yaml.Node){
		"id": func(node *yaml.Node) {
			id, _ = r.readText(node, "id")
			if !idForm.MatchString(id) {
				r.problem(node.Line, CodeKeyMalformed, "the id of a key must be 1 to 64 of letters, digits and . _ -")
			} else {
				r.recordUnique("id", strings.ToLower(id), "the id "+id, holder, node.Line)
			}
		},
		"public": func(node *yaml.Node) {
			value, _ := r.readText(node, "public")
			raw, err := base64.StdEncoding.DecodeString(value)
			if err != nil || len(raw) != ed25519.PublicKeySize {
				r.problem(node.Line, CodeKeyMalformed, "public must be the %d bytes of an ed25519 public key, in base64", ed25519.PublicKeySize)
				return
			}
			key.public = raw
			r.recordUnique("key", "ed25519 "+hex.EncodeToString(raw), "the ed25519 key", holder, node.Line)
		},
		"expires": func(node *yaml.Node) { key.expires = r.expiry(node) },
	})
	for _, member := range []string{"id", "public"} {
		if lines[member] == 0 && node.Kind == yaml.MappingNode {
			r.problem(node.Line, CodeKeyMalformed, "an ed25519 key must have %s", member)
		}
	}
	r.roster.ed25519[id] = key // with any problem there is no roster
}

func (r *reader) expiry(node *yaml.Node) time.Time {
	value, ok := r.readText(node, "expires")
	if !ok {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		r.problem(node.Line, CodeExpiryMalformed, "expires must be a time with a zone, such as 2027-01-31T00:00:00Z")
	}
	return at
}
