package tarspay

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// checkPayee finds what is wrong with the members that name who is paid or pays.
// It skips members that already have a violation.
func (p *Profile) checkPayee(direction Direction, way string, fields map[string]string, said []Violation) []Violation {
	rule, has := p.payeeRule(direction, way)
	if way == "" { // reported already; without a way there is no rule for the payee
		rule, has = PayeeRule{}, false
	}
	c := payeeCheck{Profile: p, direction: direction, way: way, fields: fields, rule: rule, said: said}
	for _, name := range sortedNames(fields) {
		if fields[name] != "" && p.Side(direction).has(name) && !c.has(name) {
			c.written(name)
		}
	}
	if has {
		c.named()
	}
	return c.found
}

type payeeCheck struct {
	*Profile
	direction Direction
	way       string
	fields    map[string]string
	rule      PayeeRule
	said      []Violation
	found     []Violation
}

func (c *payeeCheck) has(name string) bool {
	about := func(v Violation) bool { return v.Field == name }
	return slices.ContainsFunc(c.said, about) || slices.ContainsFunc(c.found, about)
}

func (c *payeeCheck) add(code, name, format string, values ...any) {
	c.found = append(c.found, c.violation(code, name, format, values...))
}

// written checks how one member is written.
func (c *payeeCheck) written(name string) {
	value, good, rule := c.fields[name], true, ""
	switch {
	case slices.Contains(c.rule.Members, name):
		good, rule = c.isWritten(c.rule, value, c.fields), c.rule.Rule
	case holds(name) == holdsPhone:
		good, rule = anyPhone.MatchString(value), "must be 6 to 15 digits"
	case holds(name) == holdsAccount:
		good, rule = c.isAccount(value), "must be digits"
	}
	if good {
		return
	}
	c.add(ViolationMalformed, name, "%s %s", name, withHint(rule, c.mangled(value)))
}

func withHint(rule, hint string) string {
	if hint == "" {
		return rule
	}
	return rule + ": " + hint
}

// named checks that the order names one payee.
func (c *payeeCheck) named() {
	var given []string
	for _, name := range c.rule.Members {
		if c.fields[name] != "" {
			given = append(given, name)
		}
	}
	if len(given) == 0 {
		if first := c.rule.Members[0]; c.direction == DirectionWithdrawal && !c.has(first) {
			c.add(ViolationMissing, first, "%s is required: it names who is paid", strings.Join(c.rule.Members, " or "))
		}
		return
	}
	c.bank(given)
	if slices.ContainsFunc(given, c.has) {
		return
	}
	if _, one := c.Payee(c.direction, c.way, c.fields); !one {
		c.add(ViolationTwoPayees, given[len(given)-1], "%s name two accounts, and which of them is paid is not known; give the same in each, or leave out all but one",
			strings.Join(given, " and "))
	}
}

// bank checks what names the payee's bank.
func (c *payeeCheck) bank(given []string) {
	if c.rule.Bank != "" && c.rule.Bank != bankIsWay && c.fields[c.rule.Bank] == "" && !c.has(c.rule.Bank) &&
		slices.ContainsFunc(given, func(name string) bool { return !strings.Contains(c.fields[name], "@") }) {
		c.add(ViolationMissing, c.rule.Bank, "%s is required with an account number: it names the bank", c.rule.Bank)
	}
	way, _ := c.Way(c.direction, c.way)
	for _, name := range given {
		if code, _, is := c.splitIBAN(c.fields[name]); is && way.IBAN != "" && code != way.IBAN && !c.has(name) {
			c.add(ViolationTwoPayees, name, "%s is an IBAN of another bank than %s; choose the way of its bank", name, cmp.Or(way.SameAs, way.Code))
		}
	}
}

func sortedNames(fields map[string]string) []string { return slices.Sorted(maps.Keys(fields)) }
