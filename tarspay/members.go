package tarspay

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// The kinds of content of a member, in members.yaml.
const (
	holdsPhone   = "phone"
	holdsAccount = "account"
	holdsBank    = "bank"
)

// ScenarioMember tells the sandbox gateway what shall happen to an order. Every
// country accepts it.
const ScenarioMember = "sandboxScenario"

//go:embed members.yaml
var memberFile []byte

type memberTable struct {
	Members []struct {
		Name  string `yaml:"name"`
		Holds string `yaml:"holds"`
	} `yaml:"members"`
	Words []string `yaml:"words"`
}

var memberNames = sync.OnceValue(func() memberTable {
	var table memberTable
	mustDecodeYAML("members.yaml", memberFile, &table)
	return table
})

// holds returns the kind of content of a member, "" if the member names no person
// or account.
func holds(name string) string {
	for _, member := range memberNames().Members {
		if member.Name == name {
			return member.Holds
		}
	}
	return ""
}

// namesPayee reports whether a member might name a payer or a payee, by its name.
func namesPayee(name string) bool {
	return holds(name) != "" || slices.ContainsFunc(memberNames().Words, func(word string) bool {
		return strings.Contains(bare(name), word)
	})
}

// checkUnknown returns violations for members that the side does not list. If the
// list is complete, it refuses all of them. Otherwise it refuses misspelt members
// and, in a withdrawal, members that might name another payee.
func (p *Profile) checkUnknown(direction Direction, fields map[string]string) []Violation {
	side := p.Side(direction)
	var found []Violation
	var strangers []string
	for _, name := range sortedNames(fields) {
		if fields[name] == "" || name == ScenarioMember || isCoreMember(name) || side.has(name) {
			continue
		}
		meant := side.similarMember(name)
		switch {
		case meant != "":
			found = append(found, p.violation(ViolationUnknownField, name, "no member of a %s has this name; did you mean %s? Names are taken exactly as written", direction, meant))
		case side.FieldsComplete:
			strangers = append(strangers, name)
		case direction == DirectionWithdrawal && namesPayee(name):
			found = append(found, p.violation(ViolationUnwanted, name, "%s must be left out: no page of a %s has it, and it could name another payee than the one that limits count", name, direction))
		}
	}
	if violation, bad := p.unlisted(direction, strangers); bad {
		found = append(found, violation)
	}
	return found
}

// unlisted returns one violation for all members that are not on a complete list.
// A malformed name is reported elsewhere.
func (p *Profile) unlisted(direction Direction, names []string) (Violation, bool) {
	names = slices.DeleteFunc(names, func(name string) bool { return !eachByte(name, isKeyByte) || len(name) > maxNameBytes })
	all := strings.Join(names, ", ")
	switch len(names) {
	case 0:
		return Violation{}, false
	case 1:
		return p.violation(ViolationUnknownField, all, "a %s has no member %s; it has %s", direction, all, p.Side(direction).memberList()), true
	}
	return p.violation(ViolationUnknownField, all, "a %s has none of the members %s; it has %s", direction, all, p.Side(direction).memberList()), true
}

func (s Side) has(name string) bool {
	return slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Name == name })
}

func (s Side) memberList() string {
	var names []string
	for _, field := range s.Fields {
		names = append(names, field.Name)
	}
	return strings.Join(names, ", ")
}

// similarMember returns the member that was probably meant.
func (s Side) similarMember(name string) string {
	for _, field := range s.Fields {
		if bare(field.Name) == bare(name) || misspelt(field.Name, name) {
			return field.Name
		}
	}
	for _, core := range coreMembers {
		if bare(core) == bare(name) {
			return core
		}
	}
	return ""
}
