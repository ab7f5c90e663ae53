package floors

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
)

// TestEverySettingIsRead refuses a setting that has no effect: no code of the
// product takes the value of its field. The functions of config that only check
// values do not count.
func TestEverySettingIsRead(t *testing.T) {
	t.Parallel()
	lookAround(t)
	read := fieldsRead(t)
	for _, process := range []any{config.Worker{}, config.Receiver{}, config.API{}, config.APIWorkflows{}, config.Starter{}, config.Codec{}} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(process)) {
			// A file's or a directory's content is read by config itself.
			source := strings.HasSuffix(field.Name, "File") || strings.HasSuffix(field.Name, "Dir")
			if !field.Anonymous && !source && !read[field.Name] {
				t.Errorf("no process reads the setting %s of config.%s: use it, or remove it", field.Name, reflect.TypeOf(process).Name())
			}
		}
	}
}

// fieldsRead are the names of config's fields that the product reads.
func fieldsRead(t *testing.T) map[string]bool {
	t.Helper()
	all, err := Compile(t.Context(), root)
	require.NoError(t, err)
	files := token.NewFileSet()
	known := all.Importer(files)
	read := make(map[string]bool)
	for _, p := range all {
		path, ours := strings.CutPrefix(p.ImportPath, module)
		if room, _ := roomOf(Rooms, path); ours && room.Floor < laboratory {
			noteReads(t, files, known, p, read)
		}
	}
	require.True(t, read["DatabaseURL"], "nothing is found")
	return read
}

// noteReads adds the fields of config that a package selects.
func noteReads(t *testing.T, files *token.FileSet, known types.Importer, p Compiled, read map[string]bool) {
	t.Helper()
	var parsed []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		parsed = append(parsed, file)
	}
	info := &types.Info{Selections: make(map[*ast.SelectorExpr]*types.Selection)}
	_, err := (&types.Config{Importer: known}).Check(p.ImportPath, files, parsed, info)
	require.NoError(t, err)
	for _, file := range parsed {
		for _, declared := range file.Decls {
			function, is := declared.(*ast.FuncDecl)
			if p.ImportPath == module+"config" && (!is || !function.Name.IsExported() || strings.HasPrefix(function.Name.Name, "Load")) {
				continue
			}
			ast.Inspect(declared, func(n ast.Node) bool {
				if selector, is := n.(*ast.SelectorExpr); is {
					if chosen := info.Selections[selector]; chosen != nil && chosen.Kind() == types.FieldVal && chosen.Obj().Pkg().Path() == module+"config" {
						read[chosen.Obj().Name()] = true
					}
				}
				return true
			})
		}
	}
}
