package codes

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

var update = flag.Bool("update", false, "write the tables of codes into the documents")

// addCode is what whoever adds a code is told.
const addCode = "add a line to Catalogue in internal/codes/catalogue.go, then run: go test ./internal/codes -run TestCodesInDocuments -update"

// Every entry is whole, once, in its place, and no code of the source is missing or
// left over.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, group := range Catalogue {
		require.True(t, slices.IsSortedFunc(group.Entries, func(a, b Entry) int { return cmp.Compare(a.Code, b.Code) }), "sort the codes of %s", group.Name)
		for _, entry := range group.Entries {
			require.False(t, seen[entry.Code], "%s is in the catalogue twice", entry.Code)
			seen[entry.Code] = true
			require.True(t, looksLikeCode(entry.Code), entry.Code)
			require.Equal(t, entry.Class, entry.Class.row().Class, "%s has a class that Classes does not have", entry.Code)
			require.NotEmpty(t, entry.Means, entry.Code)
			require.NotEmpty(t, entry.Do, entry.Code)
			for _, text := range []string{entry.Means, entry.Do} {
				require.Regexp(t, `^[^|\n]*[^.|\n ]$`, text, entry.Code)
			}
		}
	}
	used := codesInSource(t)
	for code, at := range used {
		if !seen[code] { // all of them at once
			t.Errorf("%s: the code %s is not in the catalogue: %s", at, code, addCode)
		}
	}
	for code := range seen {
		require.NotEmpty(t, used[code], "the catalogue has the code %s, which the source does not use: take its line away", code)
	}
}

// The statuses of a class are those that scripts and callers know.
func TestClasses(t *testing.T) {
	t.Parallel()
	seen := make(map[Class]bool)
	for _, row := range Classes {
		require.False(t, seen[row.Class], row.Class)
		seen[row.Class] = true
	}
	for code, want := range map[string][2]int{
		order.CodeInvalidRequest: {2, 400}, order.CodeOrderNotFound: {5, 404}, order.CodeOrderConflict: {3, 409}, SamePerson: {3, 403},
		order.CodeInsufficientFunds: {3, 422}, order.CodeOrderBusy: {6, 503}, order.CodeGatewayAway: {6, 503}, order.CodeGatewayUnknown: {7, 504},
		Fault: {1, 500}, DiscrepancyOrphan: {3, 409}, "ADDED_LATER": {3, 422},
	} {
		require.Equal(t, want, [2]int{ClassOf(code).Exit(), ClassOf(code).HTTPStatus()}, code)
	}
	require.Equal(t, ClassRefused.Exit(), Class("added_later").Exit())
	require.Empty(t, Of("no such group"))
	require.False(t, looksLikeCode("") || looksLikeCode("5003010") || looksLikeCode("order"))
}

var (
	// top is the root of the module.
	top = filepath.Join("..", "..")
	// codeName is how a constant is called whose value is a code.
	codeName = regexp.MustCompile(`^([cC]ode|Problem|Discrepancy|Violation|Broken|Shared|Error)[A-Z]`)
	// codeForm is what only codes look like, wherever they stand.
	codeForm = regexp.MustCompile(`^[A-Z]+(_[A-Z]+)+$`)
	// noCodes look like codes and are none.
	noCodes = regexp.MustCompile(`^(PAYOUTS|TEST|TEMPORAL_(ADDRESS|NAMESPACE|API_KEY|TLS))(_|$)|^(PIX_EMAIL|SSH_AUTH_SOCK)$`)
)

// codesInSource finds the codes in the product's source, and where each stands.
func codesInSource(t *testing.T) map[string]string {
	t.Helper()
	used := make(map[string]string)
	files := token.NewFileSet()
	require.NoError(t, filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != top && (strings.HasPrefix(name, ".") || slices.Contains([]string{"harness", "tools", "bin", "testdata", "var"}, name)):
			return fs.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "catalogue.go" && filepath.Dir(path) == filepath.Join(top, "internal", "codes"):
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		named := codeName
		if filepath.Dir(path) == filepath.Join(top, "internal", "codes") {
			named = regexp.MustCompile(`^[A-Z]`)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			for code, at := range codesOfNode(node, named) {
				used[code] = files.Position(at).String()
			}
			return true
		})
		return nil
	}))
	require.NotEmpty(t, used)
	return used
}

// codesOfNode are the codes that a node of the source is, or gives a name to.
func codesOfNode(node ast.Node, names *regexp.Regexp) map[string]token.Pos {
	found := make(map[string]token.Pos)
	add := func(expression ast.Expr, named bool) {
		literal, is := expression.(*ast.BasicLit)
		if !is || literal.Kind != token.STRING {
			return
		}
		text, err := strconv.Unquote(literal.Value)
		if err == nil && !noCodes.MatchString(text) && (codeForm.MatchString(text) || named && looksLikeCode(text)) {
			found[text] = literal.Pos()
		}
	}
	switch node := node.(type) {
	case *ast.BasicLit:
		add(node, false)
	case *ast.ValueSpec:
		for i, value := range node.Values {
			add(value, names.MatchString(node.Names[i].Name))
		}
	}
	return found
}

// The scan finds a code wherever it is written.
func TestCodesOfNode(t *testing.T) {
	t.Parallel()
	source := "package p\nconst CodeNew = \"NEW\"\nconst other = \"NONE\"\nvar x = f(\"NEW_INLINE\", \"PAYOUTS_MERCHANTS\", \"words\")\n"
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
	require.NoError(t, err)
	var found []string
	ast.Inspect(file, func(node ast.Node) bool {
		for code := range codesOfNode(node, codeName) {
			found = append(found, code)
		}
		return true
	})
	require.Equal(t, []string{"NEW", "NEW_INLINE"}, found)
}

// TestCodesInDocuments keeps the tables of codes in the documents equal to the
// catalogue.
func TestCodesInDocuments(t *testing.T) {
	t.Parallel()
	for _, doc := range []struct {
		path   string
		tables map[string]string // by the name in its marks
	}{
		{"../../docs/codes.md", map[string]string{"classes": classesTable(), "codes": codesTables()}},
		{"../../docs/operations.md", map[string]string{"codes of settings": shortTable("settings"), "codes of refusals": shortTable("refusals"), "discrepancies": shortTable(GroupDiscrepancies)}},
	} {
		text, err := os.ReadFile(doc.path)
		require.NoError(t, err)
		want := string(text)
		for name, table := range doc.tables {
			want = between(t, doc.path, want, name, table)
		}
		if *update {
			require.NoError(t, os.WriteFile(doc.path, []byte(want), 0o600))
		} else if want != string(text) { // require.Equal would print the whole file, twice
			t.Errorf("%s differs from the catalogue: run go test ./internal/codes -run TestCodesInDocuments -update", strings.TrimPrefix(doc.path, "../../"))
		}
	}
}

// docs/reconciliation.md has a line for each discrepancy: when it is normal, and how it is
// closed.
func TestEveryDiscrepancyIsExplained(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/reconciliation.md")
	require.NoError(t, err)
	var explained, known []string
	for _, line := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| [^|]+ \\| [^|]+ \\|$").FindAllStringSubmatch(string(text), -1) {
		explained = append(explained, line[1])
	}
	for _, entry := range Of(GroupDiscrepancies) {
		known = append(known, entry.Code)
	}
	require.Equal(t, known, explained, "add a line to docs/reconciliation.md, sorted by code")
}

func between(t *testing.T, path, text, name, table string) string {
	t.Helper()
	begin, end := strings.Index(text, "<!-- "+name+": "), strings.Index(text, "<!-- end of "+name+" -->")
	require.True(t, 0 <= begin && begin < end, "%s has lost its marks for %s", path, name)
	begin += strings.Index(text[begin:], "\n") + 1
	return text[:begin] + "\n" + table + "\n" + text[end:]
}

func classesTable() string {
	var b strings.Builder
	b.WriteString("| class | exit status | HTTP status | what it says |\n|---|---|---|---|\n")
	for _, row := range Classes {
		fmt.Fprintf(&b, "| `%s` | %d | %d | %s |\n", row.Class, row.Exit, row.HTTP, row.Means)
	}
	return b.String()
}

func codesTables() string {
	var tables []string
	for _, group := range Catalogue {
		var b strings.Builder
		fmt.Fprintf(&b, "## %s\n\n| code | class | what it means | what to do |\n|---|---|---|---|\n", group.Title)
		for _, entry := range group.Entries {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", entry.Code, strings.ReplaceAll(string(entry.Class), "_", " "), entry.Means, entry.Do)
		}
		tables = append(tables, b.String())
	}
	return strings.Join(tables, "\n")
}

// shortTable is a group where its class goes without saying.
func shortTable(group string) string {
	var b strings.Builder
	b.WriteString("| code | what it means | what a person does |\n|---|---|---|\n")
	for _, entry := range Of(group) {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", entry.Code, entry.Means, entry.Do)
	}
	return b.String()
}
