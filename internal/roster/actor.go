package roster

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// person reads an entry of people. It reads the name first, because the keys are
// checked against it.
func (r *reader) person(node *yaml.Node) {
	actor := Actor{Kind: Person, Name: r.peek(node, "name")}
	keys, subject := 0, false
	known := r.common(&actor)
	known["keys"] = func(node *yaml.Node) {
		r.list(node, "keys", maxKeys, func(line *yaml.Node) {
			if r.sshKey(line, actor.Name) {
				keys++
			}
		})
	}
	known["oidc"] = func(node *yaml.Node) {
		subject = true
		r.subject(node, actor.Name)
	}
	lines := r.members(node, "a person", known)
	r.complete(node, actor, lines)
	if _, named := lines["keys"]; keys == 0 && !subject && (!named || r.empty(node, "keys")) {
		r.problem(node.Line, CodeKeyMissing, "%s has neither a key nor an OIDC subject: nobody can be known by that name", clip(actor.Name))
	}
	if actor.Has(Admin) && keys > 0 {
		r.admins++
	}
	r.roster.actors = append(r.roster.actors, actor)
}

// system reads an entry of systems.
func (r *reader) system(node *yaml.Node) {
	actor := Actor{Kind: System, Name: r.peek(node, "name")}
	known := r.common(&actor)
	known["door"] = func(node *yaml.Node) {
		if node.Tag != "!!bool" || node.Decode(&actor.Door) != nil {
			r.problem(node.Line, CodeMalformed, "door must be true or false")
		}
	}
	known["api_keys"] = func(node *yaml.Node) {
		r.list(node, "api_keys", maxKeys, func(entry *yaml.Node) { r.apiKey(entry, actor.Name) })
	}
	known["ed25519"] = func(node *yaml.Node) {
		r.list(node, "ed25519", maxKeys, func(entry *yaml.Node) { r.systemKey(entry, actor.Name) })
	}
	lines := r.members(node, "a system", known)
	r.complete(node, actor, lines)
	if (lines["api_keys"] == 0 || r.empty(node, "api_keys")) && (lines["ed25519"] == 0 || r.empty(node, "ed25519")) {
		r.problem(node.Line, CodeKeyMissing, "%s has neither an API key nor an ed25519 key: nothing can be known by that name", clip(actor.Name))
	}
	if actor.Door && (lines["ed25519"] == 0 || r.empty(node, "ed25519")) {
		r.problem(node.Line, CodeKeyMissing, "%s is a door and has no ed25519 key to sign with", clip(actor.Name))
	}
	r.roster.actors = append(r.roster.actors, actor)
}

// peek returns a member's text before the mapping is read.
func (r *reader) peek(node *yaml.Node, member string) string {
	if value := memberOf(node, member); value != nil && value.Kind == yaml.ScalarNode {
		return value.Value
	}
	return ""
}

// empty reports whether a member is an empty list.
func (r *reader) empty(node *yaml.Node, member string) bool {
	value := memberOf(node, member)
	return value == nil || len(value.Content) == 0
}

// memberOf returns the value of the first member of that name.
func memberOf(node *yaml.Node, member string) *yaml.Node {
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == member {
			return node.Content[i+1]
		}
	}
	return nil
}

// common returns the members that people and systems share.
func (r *reader) common(actor *Actor) map[string]func(*yaml.Node) {
	return map[string]func(*yaml.Node){
		"name": func(node *yaml.Node) {
			if name, ok := r.readText(node, "name"); ok {
				r.name(name, node.Line)
			}
		},
		"roles":     func(node *yaml.Node) { actor.Roles = r.roles(node, actor.Kind) },
		"merchants": func(node *yaml.Node) { actor.Merchants = r.merchants(node) },
		"limits":    func(node *yaml.Node) { actor.Limits = r.limits(node, "limits") },
	}
}

// complete reports the members that an actor lacks. A missing member never means
// all merchants or any amount.
func (r *reader) complete(node *yaml.Node, actor Actor, lines map[string]int) {
	if node.Kind != yaml.MappingNode {
		return
	}
	if lines["name"] == 0 {
		r.problem(node.Line, CodeNameMalformed, "the entry has no name")
	}
	if lines["roles"] == 0 && !actor.Door {
		r.problem(node.Line, CodeRoleUnknown, "%s has no roles; say what it may do", clip(actor.Name))
	}
	if lines["merchants"] == 0 && slices.ContainsFunc(actor.Roles, func(role Role) bool { return role != Admin }) {
		r.problem(node.Line, CodeMerchantMalformed, `%s has roles and no merchants; name them, or write ["*"] for all`, clip(actor.Name))
	}
	if lines["limits"] == 0 && slices.ContainsFunc(actor.Roles, Role.moves) {
		r.problem(node.Line, CodeLimitMalformed, "%s may move money and has no limits; write a most for each currency, or unlimited", clip(actor.Name))
	}
}

func (r *reader) roles(node *yaml.Node, kind Kind) []Role {
	var roles []Role
	r.list(node, "roles", len(Roles), func(entry *yaml.Node) {
		value, ok := r.readText(entry, "a role")
		role := Role(value)
		switch {
		case !ok:
		case !slices.Contains(Roles, role):
			r.problem(entry.Line, CodeRoleUnknown, "no role %q; known are %s", clip(value), knownRoles())
		case slices.Contains(roles, role):
			r.problem(entry.Line, CodeMalformed, "the role %s is there twice", role)
		case kind == System && role.personal():
			r.problem(entry.Line, CodeRoleMisplaced, "a system may not have the role %s: only people decide", role)
		default:
			roles = append(roles, role)
		}
	})
	return roles
}

func knownRoles() string {
	texts := make([]string, len(Roles))
	for i, role := range Roles {
		texts[i] = string(role)
	}
	return strings.Join(texts, ", ")
}

func (r *reader) merchants(node *yaml.Node) []string {
	var merchants []string
	r.list(node, "merchants", maxActors, func(entry *yaml.Node) {
		value, ok := r.readText(entry, "a merchant")
		switch {
		case !ok:
		case value == AllMerchants && len(node.Content) > 1:
			r.problem(entry.Line, CodeMerchantMalformed, `"*" means all merchants; it stands alone`)
		case slices.Contains(merchants, value):
			r.problem(entry.Line, CodeMerchantMalformed, "the merchant %s is there twice", clip(value))
		case value != AllMerchants && !(order.Key{Merchant: value, Number: "1"}).WellFormed():
			r.problem(entry.Line, CodeMerchantMalformed, "%q is not a merchant number of the gateway: letters and digits, 1 to 32", clip(value))
		default:
			merchants = append(merchants, value)
		}
	})
	return merchants
}

// unlimited is written instead of an amount, or instead of the mapping of all
// amounts.
const unlimited = "unlimited"

// limits reads amounts by currency.
func (r *reader) limits(node *yaml.Node, what string) Limits {
	if node.Kind == yaml.ScalarNode && node.Value == unlimited {
		return Limits{Unlimited: true}
	}
	limits := Limits{Most: make(map[string]money.Amount)}
	if node.Kind != yaml.MappingNode || len(node.Content) == 0 {
		r.problem(node.Line, CodeLimitMalformed, "%s must be unlimited, or a mapping of currencies to amounts", what)
		return limits
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		currency, value := node.Content[i], node.Content[i+1]
		_, twice := limits.Most[currency.Value]
		if twice || slices.Contains(limits.Free, currency.Value) {
			r.problem(currency.Line, CodeLimitMalformed, "%s has %s twice", what, currency.Value)
			continue
		}
		if _, err := money.Decimals(currency.Value); err != nil {
			r.problem(currency.Line, CodeLimitMalformed, "%s: %v", what, err)
			continue
		}
		r.limit(&limits, currency.Value, value, what)
	}
	return limits
}

func (r *reader) limit(limits *Limits, currency string, node *yaml.Node, what string) {
	text, ok := r.readText(node, what+"."+currency)
	if !ok {
		return
	}
	if text == unlimited {
		limits.Free = append(limits.Free, currency)
		return
	}
	amount, err := money.Parse(text, currency)
	switch {
	case err != nil:
		r.problem(node.Line, CodeLimitMalformed, "%s.%s must be an amount such as \"500000\", or unlimited: %v", what, currency, err)
	case !amount.IsPositive():
		r.problem(node.Line, CodeLimitMalformed, "%s.%s must be above zero; leave the currency out to allow nothing", what, currency)
	default:
		limits.Most[currency] = amount
	}
}

// maxSubject is the most bytes of each part of a Subject.
const maxSubject = 255

func (r *reader) subject(node *yaml.Node, holder string) {
	var subject Subject
	text := func(what string, into *string) func(*yaml.Node) {
		return func(node *yaml.Node) {
			value, ok := r.readText(node, "oidc."+what)
			if ok && (value == "" || len(value) > maxSubject || strings.TrimSpace(value) != value) {
				r.problem(node.Line, CodeKeyMalformed, "oidc.%s must have 1 to %d bytes and no blank at its ends", what, maxSubject)
			}
			*into = value
		}
	}
	lines := r.members(node, "oidc", map[string]func(*yaml.Node){
		"issuer": text("issuer", &subject.Issuer), "subject": text("subject", &subject.Subject),
	})
	if lines["issuer"] == 0 || lines["subject"] == 0 {
		r.problem(node.Line, CodeKeyMalformed, "oidc must have an issuer and a subject")
		return
	}
	if !issuer(subject.Issuer) {
		r.problem(lines["issuer"], CodeKeyMalformed, "oidc.issuer must be an https address; http only on this machine")
	}
	if r.recordUnique("oidc", subject.Issuer+"\n"+subject.Subject, "the OIDC subject", holder, node.Line) {
		r.roster.subjects[subject] = holder
	}
}

func issuer(text string) bool {
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || address.User != nil || address.RawQuery != "" || address.Fragment != "" {
		return false
	}
	ip := net.ParseIP(address.Hostname())
	local := address.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
	return address.Scheme == "https" || (address.Scheme == "http" && local)
}
