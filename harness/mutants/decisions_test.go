package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	codeSection = regexp.MustCompile("(?s)\n## Code\n(.*)")
	quotedPath  = regexp.MustCompile("`([a-z0-9_.]+(?:/[a-z0-9_.-]+)*)`")
)

// The index lists every decision, and the files that a decision names exist.
func TestDecisionsNameFilesThatExist(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(root, "docs", "decisions")
	index, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Glob(filepath.Join(folder, "0*.md"))
	if err != nil || len(records) < 12 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for _, record := range records {
		name := filepath.Base(record)
		if !strings.Contains(string(index), "("+name+")") {
			t.Errorf("the index does not list %s", name)
		}
		text, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		code := codeSection.FindSubmatch(text)
		if code == nil {
			t.Errorf("%s has no section Code", name)
			continue
		}
		for _, path := range quotedPath.FindAllStringSubmatch(string(code[1]), -1) {
			if !strings.ContainsAny(path[1], "/.") {
				continue // the name of a rule or a package
			}
			if _, err := os.Stat(filepath.Join(root, path[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", name, path[1])
			}
		}
	}
}
