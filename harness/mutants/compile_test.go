package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tarspay-payouts/orchestrator/harness/floors"
)

// A mutant that does not compile shows nothing: it must be red because of a test.
func TestEveryMutantCompiles(t *testing.T) {
	t.Parallel()
	packages, err := floors.Compile(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	byDir := make(map[string]floors.Compiled, len(packages))
	for _, p := range packages {
		byDir[p.Dir] = p
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	importing := packages.Importer(files)
	for _, m := range mutants {
		if filepath.Ext(m.file) != ".go" {
			continue
		}
		p := byDir[filepath.Join(top, filepath.Dir(m.file))]
		checking := types.Config{Importer: importing}
		if _, err := checking.Check(p.ImportPath, files, parsed(t, files, p, m), nil); err != nil {
			t.Errorf("%s does not compile: %v", m.name, err)
		}
	}
}

// parsed returns the files of the mutant's package, one of them changed.
func parsed(t *testing.T, files *token.FileSet, p floors.Compiled, m mutant) []*ast.File {
	t.Helper()
	var all []*ast.File
	for _, name := range p.GoFiles {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == filepath.Base(m.file) {
			text = []byte(strings.Replace(string(text), m.old, m.new, 1))
		}
		file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		all = append(all, file)
	}
	return all
}
