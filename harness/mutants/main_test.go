package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// Every text of the list occurs exactly once in its file.
func TestEveryMutantIsInTheCode(t *testing.T) {
	t.Parallel()
	if err := check(root, mutants); err != nil {
		t.Error(err)
	}
}

func TestTheListIsSound(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	rules := make(map[int]bool)
	for _, m := range mutants {
		if names[m.name] {
			t.Errorf("%s is there twice", m.name)
		}
		names[m.name], rules[m.rule] = true, true
		if !regexp.MustCompile(`^[a-z_]+$`).MatchString(m.name) || m.takes == "" || m.old == m.new || m.old == "" {
			t.Errorf("%s is not a whole mutant", m.name)
		}
		for name := range strings.SplitSeq(m.run, "|") {
			test, _, _ := strings.Cut(name, "/")
			if !declared(t, m.pkg, test) {
				t.Errorf("%s: there is no test %s in %s", m.name, test, m.pkg)
			}
		}
	}
	for rule := range 15 {
		if !rules[rule] {
			t.Errorf("rule %d has no mutant", rule)
		}
	}
}

// The tests that docs/safety.md and docs/security.md name exist.
func TestTheDocsNameTestsThatAreThere(t *testing.T) {
	t.Parallel()
	named := 0
	for _, doc := range []string{"safety.md", "security.md"} {
		text, err := os.ReadFile(filepath.Join(root, "docs", doc))
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(text), -1)
		named += len(names)
		for _, name := range names {
			if !declared(t, "*", name) && !declared(t, "*/*", name) && !declared(t, "*/*/*", name) {
				t.Errorf("%s: there is no test %s", doc, name)
			}
		}
	}
	if named < len(mutants)/2 {
		t.Errorf("they name only %d tests", named)
	}
}

func declared(t *testing.T, pkg, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "func "+test+"(t *testing.T)") {
			return true
		}
	}
	return false
}

func TestAnchored(t *testing.T) {
	t.Parallel()
	if got, want := anchored("TestA|TestB/sqlite"), "^TestA$|^TestB$/^sqlite$"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}
