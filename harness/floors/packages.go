package floors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// module is where our packages begin.
const module = "github.com/tarspay-payouts/orchestrator/"

// Package is what `go list` says of a package.
type Package struct {
	ImportPath string
	Standard   bool
	Doc        string   // the first sentence of the package comment
	GoFiles    []string // without tests
	Imports    []string // of GoFiles
}

// ours is a package's path below the module's root.
func (p Package) ours() (string, bool) { return strings.CutPrefix(p.ImportPath, module) }

// Packages are packages by import path.
type Packages map[string]Package

// Load lists the packages of the module in a directory and all that they
// import, as this machine builds them. Tests' imports are not among them: a
// test may need any two packages to prove that they agree.
func Load(ctx context.Context, dir string) (Packages, error) {
	found := make(Packages)
	err := list(ctx, dir, func(p Package) { found[p.ImportPath] = p }, "-json=ImportPath,Standard,Doc,GoFiles,Imports")
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Compiled is a package with its export data.
type Compiled struct {
	ImportPath, Dir, Export string
	GoFiles                 []string // without tests
}

// CompiledPackages are compiled packages by import path.
type CompiledPackages map[string]Compiled

// Compile is Load with the export data of each package, for package go/types.
func Compile(ctx context.Context, dir string) (CompiledPackages, error) {
	found := make(CompiledPackages)
	err := list(ctx, dir, func(p Compiled) { found[p.ImportPath] = p }, "-export", "-json=ImportPath,Dir,Export,GoFiles")
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Importer imports the packages from their export data.
func (all CompiledPackages) Importer(files *token.FileSet) types.Importer {
	return importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) {
		if all[path].Export == "" {
			return nil, fmt.Errorf("there is no package %s", path)
		}
		return os.Open(all[path].Export)
	})
}

// list calls each for every package of the module in a directory, and all that they
// import, as `go list` with the flags says.
func list[P any](ctx context.Context, dir string, each func(P), flags ...string) error {
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"list", "-deps"}, flags, []string{"./..."})...) //nolint:gosec // flags of our own
	cmd.Dir = dir
	text, err := cmd.Output()
	if err != nil {
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, failed.Stderr)
		}
		return fmt.Errorf("go list: %w", err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var p P
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read what go list says: %w", err)
		}
		each(p)
	}
}

// ours are our packages' paths below the module's root, sorted.
func (all Packages) ours() []string {
	var paths []string
	for _, p := range all {
		if path, is := p.ours(); is {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// imports are the packages of ours that a package of ours imports.
func (all Packages) imports(path string) []string {
	var paths []string
	for _, imported := range all[module+path].Imports {
		if path, is := strings.CutPrefix(imported, module); is {
			paths = append(paths, path)
		}
	}
	return paths
}

// chain is the shortest way of imports from a package of ours to one that a
// ban names, both included; nil if there is none. The imports of the standard
// library's packages are not followed.
func (all Packages) chain(path string, ban Ban) []string {
	start := module + path
	cameFrom := map[string]string{start: ""}
	for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
		if queue[0] != start && ban.names(queue[0]) {
			var way []string
			for at := queue[0]; at != ""; at = cameFrom[at] {
				way = append(way, strings.TrimPrefix(at, module))
			}
			slices.Reverse(way)
			return way
		}
		if all[queue[0]].Standard {
			continue
		}
		for _, next := range all[queue[0]].Imports {
			if _, seen := cameFrom[next]; !seen {
				cameFrom[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// names reports whether the ban speaks of the package with an import path.
func (b Ban) names(importPath string) bool {
	return matches(b.Path, strings.TrimPrefix(importPath, module))
}

// matches reports whether a pattern is a path, or ends in /... and is a path or
// above it.
func matches(pattern, path string) bool {
	top, below := strings.CutSuffix(pattern, "/...")
	return path == top || (below && strings.HasPrefix(path, top+"/"))
}
