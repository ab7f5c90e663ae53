package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Limits of a policy.
const (
	maxRules        = 1000
	longestDeadline = 30 * 24 * time.Hour
)

// ParsePolicy reads a policy:
//
//	approval_deadline: 24h      # then an order that nobody approved is rejected; this is the default
//	two_person_resolve: true    # the default
//	rules:
//	  - kind: withdrawal        # without it: both kinds, each counted by itself
//	    country: PK             # needed when the rule has amounts, which are in its currency
//	    per_order:           {approve_above: "20000", refuse_above: "200000"}
//	    per_beneficiary_day: {approve_above: "50000", refuse_above: "100000"}
//	    per_merchant_day:    {approve_above: "1000000", refuse_above: "5000000"}
//	    new_beneficiary: approve
//
// It is strict: unknown and repeated members and contradictions are errors. It
// returns all errors at once, each with the file's name as given and the line.
func ParsePolicy(text []byte, file string) (*Policy, error) {
	sum := sha256.Sum256(text)
	r := policyReader{file: file, policy: Policy{
		id: hex.EncodeToString(sum[:6]), deadline: defaultDeadline, twoPersons: true,
	}}
	r.document(text)
	if len(r.problems) > 0 {
		return nil, errors.Join(r.problems...)
	}
	return &r.policy, nil
}

// policyReader reads the file as YAML nodes, because a node has its line number.
type policyReader struct {
	file     string
	policy   Policy
	problems []error
}

func (r *policyReader) problem(line int, format string, values ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s:%d: %s", r.file, line, fmt.Sprintf(format, values...)))
}

// syntaxLine matches a syntax error of the YAML parser: the line and the message.
var syntaxLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

func (r *policyReader) document(text []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		r.problem(1, "the policy is empty")
		return
	case err != nil:
		if parts := syntaxLine.FindStringSubmatch(err.Error()); parts != nil {
			r.problems = append(r.problems, fmt.Errorf("%s:%s: %s", r.file, parts[1], parts[2]))
			return
		}
		r.problem(1, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		r.problem(max(second.Line, 1), "one file holds one policy; this is a second document")
	}
	r.members(document.Content[0], "the policy", map[string]func(*yaml.Node){
		"approval_deadline":  r.deadline,
		"two_person_resolve": r.twoPersons,
		"two_person_close":   r.closeLimits,
		"rules":              r.rules,
	})
}

// members reads a mapping. Unknown and repeated members are errors.
func (r *policyReader) members(node *yaml.Node, what string, known map[string]func(*yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		r.problem(node.Line, "%s must be a mapping of names to values", what)
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		read, expected := known[name.Value]
		switch {
		case !expected:
			r.problem(name.Line, "%s has no member %q; known are %s", what, name.Value, names(known))
		case seen[name.Value]:
			r.problem(name.Line, "%s has %s twice", what, name.Value)
		case value.Kind == yaml.AliasNode:
			r.problem(value.Line, "%s: write the value out; anchors and aliases are not read", name.Value)
		default:
			read(value)
		}
		seen[name.Value] = true
	}
}

func names(known map[string]func(*yaml.Node)) string {
	var all []string
	for name := range known {
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// scalar reads a single value; ok is false if the node is not one.
func (r *policyReader) scalar(node *yaml.Node, what string) (value string, ok bool) {
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		r.problem(node.Line, "%s must be a single value", what)
		return "", false
	}
	return node.Value, true
}

func (r *policyReader) deadline(node *yaml.Node) {
	value, ok := r.scalar(node, "approval_deadline")
	if !ok {
		return
	}
	deadline, err := time.ParseDuration(value)
	if err != nil || deadline <= 0 || deadline > longestDeadline {
		r.problem(node.Line, "approval_deadline must be a duration such as 24h or 90m, above zero and at most %s", longestDeadline)
		return
	}
	r.policy.deadline = deadline
}

func (r *policyReader) twoPersons(node *yaml.Node) {
	value, ok := r.scalar(node, "two_person_resolve")
	if !ok {
		return
	}
	if node.Tag != "!!bool" || node.Decode(&r.policy.twoPersons) != nil {
		r.problem(node.Line, "two_person_resolve must be true or false, not %q", value)
	}
}

// closeLimits reads amounts by currency.
func (r *policyReader) closeLimits(node *yaml.Node) {
	const name = "two_person_close"
	if node.Kind != yaml.MappingNode || len(node.Content) == 0 {
		r.problem(node.Line, `%s must be amounts by currency, such as {PKR: "50000"}`, name)
		return
	}
	r.policy.closeAbove = make(map[string]money.Amount)
	for i := 0; i+1 < len(node.Content); i += 2 {
		currency, value := node.Content[i].Value, node.Content[i+1]
		if _, twice := r.policy.closeAbove[currency]; twice {
			r.problem(node.Content[i].Line, "%s has %s twice", name, currency)
			continue
		}
		text, ok := r.scalar(value, name+"."+currency)
		if !ok {
			continue
		}
		amount, err := money.Parse(text, currency)
		if err == nil && amount.Minor() < 0 {
			err = errors.New("an amount is not below zero")
		}
		if err != nil {
			r.problem(value.Line, "%s.%s: %v", name, currency, err)
			continue
		}
		r.policy.closeAbove[currency] = amount
	}
}

func (r *policyReader) rules(node *yaml.Node) {
	if node.Kind != yaml.SequenceNode {
		r.problem(node.Line, "rules must be a list")
		return
	}
	if len(node.Content) > maxRules {
		r.problem(node.Line, "at most %d rules are read", maxRules)
		return
	}
	lines := make(map[string]int) // the line of the first rule of a scope
	for _, entry := range node.Content {
		rule, whole := r.rule(entry)
		scope := string(rule.kind) + " " + rule.country
		if first, twice := lines[scope]; twice {
			r.problem(entry.Line, "a rule for %s is on line %d already; put both into one", rule.scope(), first)
			continue
		}
		if whole { // the scope of an invalid rule is not certain
			lines[scope] = entry.Line
		}
		r.policy.rules = append(r.policy.rules, rule)
	}
}

func (r rule) scope() string {
	kinds, country := "deposits and withdrawals", "in every country"
	if r.kind != "" {
		kinds = string(r.kind) + "s"
	}
	if r.country != "" {
		country = "in " + r.country
	}
	return kinds + " " + country
}

// rule reads one rule. It reads the country before the amounts, because the
// amounts are in the country's currency.
func (r *policyReader) rule(node *yaml.Node) (result rule, whole bool) {
	before := len(r.problems)
	var limits []func()
	limit := func(name string, into *bounds) func(*yaml.Node) {
		return func(value *yaml.Node) {
			limits = append(limits, func() { r.bounds(value, name, result.country, into) })
		}
	}
	r.members(node, "a rule", map[string]func(*yaml.Node){
		"kind":                func(value *yaml.Node) { r.kind(value, &result) },
		"country":             func(value *yaml.Node) { r.country(value, &result) },
		"per_order":           limit("per_order", &result.perOrder),
		"per_beneficiary_day": limit("per_beneficiary_day", &result.perBeneficiaryDay),
		"per_merchant_day":    limit("per_merchant_day", &result.perMerchantDay),
		"new_beneficiary":     func(value *yaml.Node) { r.newBeneficiary(value, &result) },
	})
	if len(limits) > 0 && result.country == "" && len(r.problems) == before {
		r.problem(node.Line, "a rule with amounts needs a country: the amounts are in its currency")
	}
	if result.country != "" {
		for _, read := range limits {
			read()
		}
	}
	if len(limits) == 0 && !result.newBeneficiary && len(r.problems) == before {
		r.problem(node.Line, "the rule has no effect: give it a limit or new_beneficiary")
	}
	return result, len(r.problems) == before
}

func (r *policyReader) kind(node *yaml.Node, result *rule) {
	value, ok := r.scalar(node, "kind")
	if !ok {
		return
	}
	result.kind = order.Kind(value)
	if result.kind != order.Deposit && result.kind != order.Withdrawal {
		r.problem(node.Line, "kind must be deposit or withdrawal, not %q; leave it out for both", value)
	}
}

func (r *policyReader) country(node *yaml.Node, result *rule) {
	value, ok := r.scalar(node, "country")
	if !ok {
		return
	}
	if problem := countryProblem(value); problem != "" {
		r.problem(node.Line, "%s", problem)
		return
	}
	result.country = value
}

// countryProblem returns why there are no amounts of a country, or "".
func countryProblem(country string) string {
	var invalid *order.Invalid
	if _, err := order.ParseAmount("1", country); errors.As(err, &invalid) {
		return invalid.Problems[0].Message
	}
	return ""
}

func (r *policyReader) newBeneficiary(node *yaml.Node, result *rule) {
	value, ok := r.scalar(node, "new_beneficiary")
	if !ok {
		return
	}
	result.newBeneficiary = value == "approve"
	if !result.newBeneficiary {
		r.problem(node.Line, "new_beneficiary must be approve, not %q; leave it out to ask for nothing", value)
	}
}

func (r *policyReader) bounds(node *yaml.Node, name, country string, into *bounds) {
	before := len(r.problems)
	read := func(limit string, amount *money.Amount, set *bool) func(*yaml.Node) {
		return func(value *yaml.Node) {
			*amount, *set = r.amount(value, name+"."+limit, country), true
		}
	}
	r.members(node, name, map[string]func(*yaml.Node){
		"approve_above": read("approve_above", &into.approve, &into.approves),
		"refuse_above":  read("refuse_above", &into.refuse, &into.refuses),
	})
	if len(r.problems) > before {
		return
	}
	if !into.set() {
		r.problem(node.Line, "%s needs approve_above, refuse_above or both", name)
		return
	}
	if order, err := into.approve.Compare(into.refuse); into.approves && into.refuses && (err != nil || order > 0) {
		r.problem(node.Line, "%s contradicts itself: it refuses above %s and asks for approval above %s only", name, into.refuse, into.approve)
	}
}

func (r *policyReader) amount(node *yaml.Node, what, country string) money.Amount {
	value, ok := r.scalar(node, what)
	if !ok {
		return money.Amount{}
	}
	amount, err := order.ParseAmount(value, country)
	var invalid *order.Invalid
	switch {
	case errors.As(err, &invalid):
		r.problem(node.Line, "%s: %s", what, invalid.Problems[0].Message)
	case err != nil:
		r.problem(node.Line, "%s: %v", what, err)
	}
	return amount
}
