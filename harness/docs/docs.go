// Package docs keeps the parts of a document that code writes equal to the code.
package docs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Keep fails the test if a part of a document is not what code writes; with
// update it writes the document. A part stands between two marks:
//
//	<!-- name: written by `go test ./package -run TestDocs -update` -->
//	<!-- end of name -->
func Keep(t testing.TB, path string, update bool, parts map[string]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, command, err := replace(string(text), parts)
	switch {
	case err != nil:
		t.Fatalf("docs/%s %v", filepath.Base(path), err)
	case want == string(text):
	case !update:
		t.Fatalf("docs/%s differs from the code: run %s", filepath.Base(path), command)
	default:
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil { //nolint:gosec // the test names its own document
			t.Fatal(err)
		}
	}
}

// replace returns the text with its parts as they should be, and the command
// that writes the first one that was not.
func replace(text string, parts map[string]string) (want, command string, err error) {
	want = text
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		mark := regexp.MustCompile("(?s)(<!-- " + name + ": written by `([^`\n]+)` -->\n)(.*?)(<!-- end of " + name + " -->\n)")
		at := mark.FindStringSubmatchIndex(want)
		if at == nil {
			return "", "", fmt.Errorf("has lost its marks for %s", name)
		}
		part := "\n" + strings.TrimRight(parts[name], "\n") + "\n\n"
		if want[at[6]:at[7]] != part && command == "" {
			command = want[at[4]:at[5]]
		}
		want = want[:at[6]] + part + want[at[7]:]
	}
	return want, command, nil
}
