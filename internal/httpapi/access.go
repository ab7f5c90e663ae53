package httpapi

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"golang.org/x/crypto/ssh"

	"github.com/tarspay-payouts/orchestrator/internal/authority"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/internal/telemetry"
	"github.com/tarspay-payouts/orchestrator/internal/trusted"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Caller is who sends a request.
type Caller struct {
	Actor payouts.Actor
	// Merchants are the merchants that the caller acts for; nil: all.
	Merchants []string
	// May refuses what the caller's roles do not allow. For a merchant that the caller
	// does not act for, the code is MERCHANT_NOT_ALLOWED.
	May func(role roster.Role, merchant string, amounts ...money.Amount) *order.Refusal
	// Verify refuses a signed action that the ledger would refuse whatever the order is.
	Verify func(signed envelope.Signed) *order.Refusal

	service *payouts.Service // whose sentences are for the caller
}

// Access finds out who sends a request. The codes are API_KEY_MISSING, KEY_UNKNOWN,
// KEY_EXPIRED and API_HOST.
type Access interface {
	// Caller returns who sends a request with these headers, Host among them.
	Caller(header func(name string) string, at time.Time) (Caller, *order.Refusal)
}

// Keys is the Access of an installation with a roster: its systems have API keys.
type Keys struct {
	holder *roster.Holder
	origin string
	key    ed25519.PrivateKey
}

// NewKeys returns Keys. With the key in a file, made by ssh-keygen -t ed25519 without a
// passphrase, the door signs for its callers; the roster must have its public half in a
// system with door: true. The error is an *order.Refusal with DOOR_KEY_UNUSABLE.
func NewKeys(holder *roster.Holder, origin, keyFile string, at time.Time) (*Keys, error) {
	k := &Keys{holder: holder, origin: origin}
	var err error
	if k.key, err = readKey(keyFile); err != nil {
		return nil, order.Refuse(CodeDoorKeyFault, "PAYOUTS_API_KEY_FILE %v", err)
	}
	if _, refusal := k.signing(at); refusal != nil {
		return nil, refusal
	}
	return k, nil
}

func readKey(path string) (ed25519.PrivateKey, error) {
	text, err := trusted.Read(path, roster.MaxBytes, trusted.Open)
	if err != nil {
		return nil, fmt.Errorf("names a file that cannot be used: %w", err)
	}
	parsed, err := ssh.ParseRawPrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("names a file that is no private key: %w", err)
	}
	key, is := parsed.(*ed25519.PrivateKey)
	if !is {
		return nil, errors.New("names a key that is no ed25519 key; make one with ssh-keygen -t ed25519 -N ''")
	}
	return *key, nil
}

// signing returns how the door signs, with the roster in force.
func (k *Keys) signing(at time.Time) (*payouts.Signing, *order.Refusal) {
	public, _ := k.key.Public().(ed25519.PublicKey)
	id, actor, refusal := k.holder.Current().HolderOf(public, at)
	if refusal != nil {
		return nil, order.Refuse(CodeDoorKeyFault, "the roster in force does not let this api sign: %s", refusal.Text)
	}
	if !actor.Door {
		return nil, order.Refuse(CodeDoorKeyFault, "the key of PAYOUTS_API_KEY_FILE is %s's, which is no door: write door: true in the roster", actor.Name)
	}
	return &payouts.Signing{Origin: k.origin, Key: envelope.SystemKey{ID: id, Private: k.key}}, nil
}

// Caller is Access.
func (k *Keys) Caller(header func(string) string, at time.Time) (Caller, *order.Refusal) {
	scheme, token, _ := strings.Cut(header("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Caller{}, order.Refuse(CodeKeyMissing, "send the API key as Authorization: Bearer payouts_…")
	}
	inForce := k.holder.Current()
	actor, refusal := inForce.ByToken(strings.TrimSpace(token), at)
	if refusal != nil {
		return Caller{}, refusal
	}
	return k.caller(inForce, actor, at)
}

// Person returns the person who logged in as a subject of an OIDC provider. The codes are
// ACTOR_UNKNOWN, for a subject that the roster in force does not have, and
// DOOR_KEY_UNUSABLE.
func (k *Keys) Person(subject roster.Subject, at time.Time) (Caller, *order.Refusal) {
	inForce := k.holder.Current()
	actor, refusal := inForce.BySubject(subject)
	if refusal != nil {
		return Caller{}, refusal
	}
	return k.caller(inForce, actor, at)
}

// Approved reports whether an entry of an order's audit is an approval that its actor has
// signed, or that a door has signed for the actor, and that the roster in force still permits.
// Who can write to the database can write other entries, with any name.
func (k *Keys) Approved(e payouts.AuditEntry, o order.View, at time.Time) bool {
	signed := order.Order{
		Request:     order.Request{Kind: o.Kind, Merchant: o.Merchant, Number: o.Number, Amount: o.Amount, RequestedBy: o.RequestedBy},
		Fingerprint: o.Fingerprint,
	}
	return !e.Refused && authority.New(k.holder, k.origin).Approved(e.Envelope, e.Actor, e.At, signed, at)
}

// HasIssuer reports whether a person of the roster in force has a subject of an OIDC
// provider.
func (k *Keys) HasIssuer(issuer string) bool { return k.holder.Current().HasIssuer(issuer) }

// Secret returns a key of 32 bytes for a purpose, derived from the key that signs: all
// processes with that key have the same one.
func (k *Keys) Secret(purpose string) []byte {
	secret, err := hkdf.Key(sha256.New, k.key.Seed(), nil, k.origin+"\n"+purpose, sha256.Size)
	if err != nil {
		panic("httpapi: 32 bytes can be derived: " + err.Error())
	}
	return secret
}

// caller returns an actor of the roster in force as a caller.
func (k *Keys) caller(inForce *roster.Roster, actor roster.Actor, at time.Time) (Caller, *order.Refusal) {
	signing, refusal := k.signing(at)
	if refusal != nil {
		return Caller{}, refusal
	}
	caller := Caller{
		Actor: payouts.Actor{Name: actor.Name, Signing: signing}, Merchants: actor.Merchants,
		May: func(role roster.Role, merchant string, amounts ...money.Amount) *order.Refusal {
			if refusal := inForce.May(actor.Name, role, merchant, amounts...); refusal != nil {
				return refusal
			}
			return inForce.DoorMay(amounts...)
		},
		Verify: func(signed envelope.Signed) *order.Refusal {
			_, refusal := signed.Verify(inForce, k.origin, at)
			return refusal
		},
	}
	if slices.Contains(actor.Merchants, roster.AllMerchants) {
		caller.Merchants = nil
	}
	return caller, nil
}

// Anybody is the Access of an installation without a roster, for development: the header
// Payouts-By names who acts, and everybody may do everything. A page in a browser cannot
// send that header to another origin, and cannot be of this origin: Host must be a name of
// this machine.
type Anybody struct{}

// ByHeader names who acts, where there is no roster.
const ByHeader = "Payouts-By"

// Caller is Access.
func (Anybody) Caller(header func(string) string, _ time.Time) (Caller, *order.Refusal) {
	if host := hostOf(header("Host")); host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return Caller{}, order.Refuse(CodeHost, "without a roster the api is asked as localhost or under a loopback address")
	}
	if header(ByHeader) == "" {
		return Caller{}, order.Refuse(CodeKeyMissing, "there is no roster here: say who you are in the header %s", ByHeader)
	}
	return Caller{
		Actor: payouts.Actor{Name: header(ByHeader)},
		May:   func(roster.Role, string, ...money.Amount) *order.Refusal { return nil },
		Verify: func(envelope.Signed) *order.Refusal {
			return order.Refuse(CodeNoRoster, "the action is signed, and this api has no roster to check the signature with")
		},
	}, nil
}

// hostOf returns a Host without its port and brackets.
func hostOf(text string) string {
	if host, _, err := net.SplitHostPort(text); err == nil {
		return host
	}
	return strings.Trim(text, "[]")
}

// acts refuses what the caller may not do about an order or a merchant. If the caller
// does not act for the merchant, the answer is that of an order that is not there.
func (c Caller) acts(role roster.Role, key order.Key, amounts ...money.Amount) *order.Refusal {
	refusal := c.May(role, key.Merchant, amounts...)
	if refusal == nil || refusal.Code != roster.CodeMerchantNotAllowed {
		return refusal
	}
	if key.Number == "" {
		return order.Refuse(order.CodeUnknownMerchant, "merchant %s is not known here", key.Merchant)
	}
	return order.Refuse(order.CodeOrderNotFound, "there is no order %s of merchant %s", key.Number, key.Merchant)
}

// whole refuses a caller who does not act for all merchants.
func (c Caller) whole(role roster.Role) *order.Refusal { return c.May(role, "") }

// mine returns the merchants of a listing: the one that is asked for, or all that the
// caller acts for.
func (c Caller) mine(merchant string) ([]string, *order.Refusal) {
	if merchant != "" {
		return []string{merchant}, c.acts(roster.Read, order.Key{Merchant: merchant})
	}
	if c.Merchants == nil {
		return nil, c.whole(roster.Read)
	}
	for _, each := range c.Merchants {
		if refusal := c.May(roster.Read, each); refusal != nil {
			return nil, refusal
		}
	}
	return c.Merchants, nil
}

// With this header the sentences of the answers name commands of starter in place of
// requests.
const (
	SentencesHeader    = "Payouts-Sentences"
	SentencesOfStarter = "starter"
)

type callerKey struct{}

func callerOf(ctx context.Context) Caller {
	caller, _ := ctx.Value(callerKey{}).(Caller) // of a request without one: the operation needs none
	return caller
}

// identify is the middleware that finds out who calls, and bounds how often.
func (d *door) identify(ctx huma.Context, next func(huma.Context)) {
	header := func(name string) string {
		if name == "Host" {
			return ctx.Host()
		}
		return ctx.Header(name)
	}
	caller, refusal := d.Access.Caller(header, d.Now())
	if refusal == nil {
		refusal = d.admit(ctx.Context(), caller.Actor.Name)
	}
	if refusal != nil {
		_, w := humago.Unwrap(ctx)
		newProblem(refusal.Code, refusal.Text).send(w)
		return
	}
	caller.service = d.Service
	if ctx.Header(SentencesHeader) == SentencesOfStarter {
		caller.service = d.Commands
	}
	next(huma.WithValue(ctx, callerKey{}, caller))
}

// admit notes who sends a request, and bounds how often.
func (d *door) admit(ctx context.Context, name string) *order.Refusal {
	if !d.limits.allow(name) {
		return order.Refuse(CodeTooMany, "%s sends more than %d requests per second", name, d.Rate)
	}
	if seen := seenOf(ctx); seen != nil {
		seen.actor = name
	}
	return nil
}

// Ready reports whether the door may sign with the roster in force.
func (k *Keys) Ready(context.Context) error {
	if _, refusal := k.signing(time.Now()); refusal != nil {
		return refusal
	}
	return nil
}

// RosterFile reports whether the roster of the file is in force. If it is not, the one before
// is, and the door is open.
func (k *Keys) RosterFile(context.Context) error {
	if k.holder.Problem() != nil {
		return telemetry.State("not the file's")
	}
	return nil
}
