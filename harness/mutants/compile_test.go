package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// list returns all packages that the module is made of, by import path, with their
// export data.
func list(t *testing.T) map[string]listed {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles", "./...")
	command.Dir, command.Stderr = root, os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := make(map[string]listed)
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
}

// A mutant that does not compile shows nothing: it must be red because of a test.
func TestEveryMutantCompiles(t *testing.T) {
	t.Parallel()
	packages := list(t)
	byDir := make(map[string]listed, len(packages))
	for _, p := range packages {
		byDir[p.Dir] = p
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	importing := importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) {
		if packages[path].Export == "" {
			return nil, fmt.Errorf("there is no package %s", path)
		}
		return os.Open(packages[path].Export)
	})
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
func parsed(t *testing.T, files *token.FileSet, p listed, m mutant) []*ast.File {
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
