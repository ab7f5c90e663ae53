// Package roster says who may act: the people and systems of an installation, with
// their roles, merchants, limits and keys.
//
// A roster is a YAML file. Parse reads it strictly. Two admins of the roster in
// force sign the next one (Succeeds). A Holder re-reads the file when it changes.
//
// A person with several keys is one person. Two-person rules compare names of the
// roster. A roster has no two names that look alike.
//
// This package uses no SQL, no Temporal and no HTTP.
package roster

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/internal/saytime"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Role is a right that an actor may have.
type Role string

// The roles. Each of them includes Read.
const (
	Read    Role = "read"
	Request Role = "request" // start orders, cancel them
	Approve Role = "approve" // approve and reject orders
	Resolve Role = "resolve" // end orders in review
	Adjust  Role = "adjust"  // book money that belongs to no order
	Operate Role = "operate" // poll, note, adopt, set aside, close
	Admin   Role = "admin"   // change the roster, manage webhooks
)

// Roles lists all roles.
var Roles = []Role{Read, Request, Approve, Resolve, Adjust, Operate, Admin}

// moves reports whether the role's actions move money, so that they are limited.
func (r Role) moves() bool { return r == Request || r == Approve || r == Resolve || r == Adjust }

// personal reports whether only people may have the role, because a system cannot
// be one of two persons.
func (r Role) personal() bool { return r == Approve || r == Resolve || r == Adjust || r == Admin }

// Kind is person or system.
type Kind string

// The kinds of actors.
const (
	Person Kind = "person"
	System Kind = "system"
)

// Actor is a person or a system of a roster. It is a copy from the time of the
// lookup: do not change it, and do not keep it longer than one request.
type Actor struct {
	Name      string   `json:"name"` // unique over people and systems
	Kind      Kind     `json:"kind"`
	Roles     []Role   `json:"roles"`
	Merchants []string `json:"merchants,omitempty"` // merchant numbers; AllMerchants alone for all
	Limits    Limits   `json:"limits,omitzero"`
	// Door says that the system's key may sign for people and systems that logged
	// in there.
	Door bool `json:"door,omitempty"`
}

// AllMerchants in an actor's list means every merchant.
const AllMerchants = "*"

// Has reports whether the actor has the role.
func (a Actor) Has(role Role) bool {
	return slices.Contains(a.Roles, role) || (role == Read && len(a.Roles) > 0)
}

// ActsFor reports whether the actor may act for the merchant. The empty merchant
// means the whole installation: it needs AllMerchants.
func (a Actor) ActsFor(merchant string) bool {
	return slices.Contains(a.Merchants, AllMerchants) || slices.Contains(a.Merchants, merchant)
}

// Limits are the largest amounts of one action, by currency. The zero Limits allow
// no amount.
type Limits struct {
	Unlimited bool                    `json:"unlimited,omitempty"` // in every currency
	Most      map[string]money.Amount `json:"most,omitempty"`
	Free      []string                `json:"free,omitempty"` // currencies without a limit
}

// Allows reports whether an amount is within the limits. A currency that the roster
// does not name allows nothing.
func (l Limits) Allows(amount money.Amount) bool {
	if l.Unlimited || slices.Contains(l.Free, amount.Currency()) {
		return true
	}
	most, set := l.Most[amount.Currency()]
	if !set {
		return false
	}
	above, err := amount.Compare(most)
	return err == nil && above <= 0
}

// Roster is a parsed roster. It never changes.
type Roster struct {
	hash     string
	replaces string
	actors   []Actor
	signed   Limits // above them a door's signature is not enough
	ssh      map[string]sshKey
	tokens   map[string]apiKey
	ed25519  map[string]systemKey
	subjects map[Subject]string
}

// Subject names a person at an OIDC provider.
type Subject struct {
	Issuer  string
	Subject string
}

// Hash returns the SHA-256 of the roster's text, in hex.
func (r *Roster) Hash() string { return r.hash }

// Replaces returns the Hash of the roster before this one, or "" for the first.
func (r *Roster) Replaces() string { return r.replaces }

// Actors returns all people and systems in the order of the file.
func (r *Roster) Actors() []Actor { return slices.Clone(r.actors) }

// Actor returns the person or system of that exact name. The code is
// ACTOR_UNKNOWN.
func (r *Roster) Actor(name string) (Actor, *order.Refusal) {
	for _, actor := range r.actors {
		if actor.Name == name {
			return actor, nil
		}
	}
	return Actor{}, order.Refuse(CodeActorUnknown, "the roster has nobody called %q", clip(name))
}

// BySSH returns who holds an SSH key, at a time. The codes are KEY_UNKNOWN and
// KEY_EXPIRED.
func (r *Roster) BySSH(key ssh.PublicKey, at time.Time) (Actor, *order.Refusal) {
	held, known := r.ssh[string(key.Marshal())]
	if !known {
		return Actor{}, order.Refuse(CodeKeyUnknown, "no person of the roster has the key %s", ssh.FingerprintSHA256(key))
	}
	if !held.valid(at) {
		return Actor{}, order.Refuse(CodeKeyExpired, "the key %s of %s is not valid at %s", ssh.FingerprintSHA256(key), held.holder, saytime.Say(at))
	}
	return r.Actor(held.holder)
}

// ByToken returns the system that an API token belongs to, at a time. The codes
// are KEY_UNKNOWN and KEY_EXPIRED. No text repeats the token.
func (r *Roster) ByToken(token string, at time.Time) (Actor, *order.Refusal) {
	held, known := r.tokens[hashToken(token)]
	if !known {
		return Actor{}, order.Refuse(CodeKeyUnknown, "no system of the roster has this API key")
	}
	if !at.Before(held.expires) {
		return Actor{}, order.Refuse(CodeKeyExpired, "the API key %s… of %s expired at %s", held.prefix, held.holder, saytime.Say(held.expires))
	}
	return r.Actor(held.holder)
}

// ByEd25519 returns the system that holds the ed25519 key of an id, and the key,
// at a time. The codes are KEY_UNKNOWN and KEY_EXPIRED.
func (r *Roster) ByEd25519(id string, at time.Time) (Actor, ed25519.PublicKey, *order.Refusal) {
	held, known := r.ed25519[id]
	if !known {
		return Actor{}, nil, order.Refuse(CodeKeyUnknown, "no system of the roster has the key %q", clip(id))
	}
	if !held.expires.IsZero() && !at.Before(held.expires) {
		return Actor{}, nil, order.Refuse(CodeKeyExpired, "the key %s of %s expired at %s", id, held.holder, saytime.Say(held.expires))
	}
	actor, refusal := r.Actor(held.holder)
	return actor, held.public, refusal
}

// BySubject returns the person of an OIDC subject. The code is ACTOR_UNKNOWN.
func (r *Roster) BySubject(subject Subject) (Actor, *order.Refusal) {
	name, known := r.subjects[subject]
	if !known {
		return Actor{}, order.Refuse(CodeActorUnknown, "no person of the roster has this subject of %s", clip(subject.Issuer))
	}
	return r.Actor(name)
}

// LogsIn reports whether the actor of a name has a subject at an OIDC provider.
func (r *Roster) LogsIn(name string) bool {
	for _, holder := range r.subjects {
		if holder == name {
			return true
		}
	}
	return false
}

// HasIssuer reports whether a person has a subject of an OIDC provider.
func (r *Roster) HasIssuer(issuer string) bool {
	for subject := range r.subjects {
		if subject.Issuer == issuer {
			return true
		}
	}
	return false
}

// May refuses an action that the roster does not allow. The action is of the actor
// with the name, in the role, for the merchant ("" for the whole installation),
// over the amounts (none if it moves no money). Each amount must be within the
// limit of its currency.
//
// The codes are ACTOR_UNKNOWN, ROLE_MISSING, MERCHANT_NOT_ALLOWED and
// ABOVE_ACTOR_LIMIT.
func (r *Roster) May(name string, role Role, merchant string, amounts ...money.Amount) *order.Refusal {
	actor, refusal := r.Actor(name)
	if refusal != nil {
		return refusal
	}
	if !actor.Has(role) {
		return order.Refuse(CodeRoleMissing, "%s does not have the role %s", name, role)
	}
	if role != Admin && !actor.ActsFor(merchant) {
		if merchant == "" {
			return order.Refuse(CodeMerchantNotAllowed, "%s does not act for all merchants", name)
		}
		return order.Refuse(CodeMerchantNotAllowed, "%s does not act for merchant %s", name, clip(merchant))
	}
	for _, amount := range amounts {
		if !actor.Limits.Allows(amount) {
			return order.Refuse(CodeAboveActorLimit, "%s is above what %s may decide about; somebody with a higher limit must do it", amount, name)
		}
	}
	return nil
}

// DoorMay refuses amounts above signed_above. For them a door's signature is not
// enough, and the person must sign. The code is OWN_SIGNATURE_NEEDED.
func (r *Roster) DoorMay(amounts ...money.Amount) *order.Refusal {
	for _, amount := range amounts {
		if !r.signed.Allows(amount) {
			return order.Refuse(CodeOwnSignatureNeeded, "%s is above what may be done by logging in; sign the action with your own key", amount)
		}
	}
	return nil
}

// Admins returns the people who may sign the next roster, in the order of the file.
func (r *Roster) Admins() []Actor {
	return slices.DeleteFunc(r.Actors(), func(a Actor) bool { return !a.Has(Admin) })
}

// SSHKeys returns the SSH keys of a name that are valid at a time, sorted by their
// bytes.
func (r *Roster) SSHKeys(name string, at time.Time) []ssh.PublicKey {
	var keys []ssh.PublicKey
	for _, held := range r.ssh {
		if held.holder == name && held.valid(at) {
			keys = append(keys, held.key)
		}
	}
	slices.SortFunc(keys, func(a, b ssh.PublicKey) int { return strings.Compare(string(a.Marshal()), string(b.Marshal())) })
	return keys
}

// AllowedSigners returns all SSH keys as a file for `ssh-keygen -Y verify -f`. The
// principal of a key is its holder's name.
func (r *Roster) AllowedSigners() []byte {
	lines := make([]string, 0, len(r.ssh))
	for _, held := range r.ssh {
		lines = append(lines, held.line+"\n")
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, ""))
}

// hashOf returns the SHA-256 of a roster's text, in hex.
func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// maxClip is the most bytes of another party's text that a refusal repeats.
const maxClip = 64

func clip(text string) string {
	if len(text) > maxClip {
		return strings.ToValidUTF8(text[:maxClip], "") + "…"
	}
	return text
}

// HolderOf returns the system that holds an ed25519 key, and the key's id, at a time. The
// codes are KEY_UNKNOWN and KEY_EXPIRED.
func (r *Roster) HolderOf(public ed25519.PublicKey, at time.Time) (id string, actor Actor, refusal *order.Refusal) {
	for id, held := range r.ed25519 {
		if held.public.Equal(public) {
			actor, _, refusal = r.ByEd25519(id, at)
			return id, actor, refusal
		}
	}
	return "", Actor{}, order.Refuse(CodeKeyUnknown, "no system of the roster has this key")
}
