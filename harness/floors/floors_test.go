package floors

import (
	"flag"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/docs"
)

var update = flag.Bool("update", false, "write the house into docs/architecture.md")

const (
	root         = "../.."
	architecture = root + "/docs/architecture.md"
)

// TestHouse refuses an import that the table does not allow, a package that is
// not in the table, and a package without a comment.
func TestHouse(t *testing.T) {
	t.Parallel()
	if wrong := Check(Rooms, load(t)); len(wrong) > 0 {
		t.Error(strings.Join(wrong, "\n"))
	}
}

// TestDrawing keeps the table and the arrows of docs/architecture.md equal to
// the imports.
func TestDrawing(t *testing.T) {
	t.Parallel()
	all := load(t)
	docs.Keep(t, architecture, *update, map[string]string{"rooms": Table(Rooms, all), "arrows": Drawing(Rooms, all)})
}

func load(t *testing.T) Packages {
	t.Helper()
	lookAround(t)
	all, err := Load(t.Context(), root)
	require.NoError(t, err)
	require.Contains(t, all.ours(), "harness/floors")
	return all
}

// lookAround reads every directory of the module. `go test` repeats a result
// until something changes that the test itself looked at, and `go list` is
// another process.
func lookAround(t *testing.T) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && slices.Contains([]string{".git", "bin", "var", "testdata"}, entry.Name()) {
			return filepath.SkipDir
		}
		return err
	}))
}

// house is a small one: top imports below, below imports base and, through a
// package of others, SQL.
func house() ([]Room, Packages) {
	rooms := []Room{{Path: "top", Floor: 3}, {Path: "below", Floor: 2}, {Path: "other", Floor: 2}, {Path: "base", Floor: 1}, {Path: "lab", Floor: laboratory}}
	all := make(Packages)
	for path, imports := range map[string][]string{
		module + "top": {module + "below", module + "base"}, module + "below": {module + "base", "example.com/driver"},
		module + "other": nil, module + "base": nil, module + "lab": {module + "top"}, "example.com/driver": {"database/sql"},
	} {
		all[path] = Package{ImportPath: path, Imports: imports, Doc: "Package.", GoFiles: []string{"a.go"}}
	}
	all["database/sql"] = Package{ImportPath: "database/sql", Standard: true}
	return rooms, all
}

func TestTheSmallHouseStands(t *testing.T) {
	t.Parallel()
	rooms, all := house()
	require.Empty(t, Check(rooms, all))
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	imports := func(from, to string) func([]Room, Packages) {
		return func(_ []Room, all Packages) {
			p := all[module+from]
			p.Imports = append(slices.Clone(p.Imports), to)
			all[module+from] = p
		}
	}
	for name, test := range map[string]struct {
		breaks func([]Room, Packages)
		says   string
	}{
		"an import that climbs": {imports("base", module+"top"), "base (floor 1) imports top (floor 3): imports go down. Move what base needs to a lower floor, or let the caller pass it in"},
		"the same floor":        {imports("below", module+"other"), "below imports other on its own floor 2: imports go down. Move what both need to a lower floor, let the caller pass it in, or name other as Beside in harness/floors/table.go"},
		"the laboratory":        {imports("top", module+"lab"), "top imports lab: the product imports nothing from the laboratory. Move what both need out of harness/"},
		"an indirect import": {func(rooms []Room, _ Packages) { rooms[0].Never = []Ban{noSQL} },
			"top reaches database/sql: it does not know where an order is kept. Take one of these imports away: top → below → example.com/driver → database/sql"},
		"a direct import": {func(rooms []Room, _ Packages) { rooms[1].Direct = []Ban{{"example.com/...", "it is ours alone"}} },
			"below imports example.com/...: it is ours alone. Move what needs it to another package"},
		"a package without a floor": {func(_ []Room, all Packages) { all[module+"new"] = Package{ImportPath: module + "new", Doc: "Package."} },
			"new has no floor: give it a row in harness/floors/table.go"},
		"a package without a comment": {func(_ []Room, all Packages) {
			all[module+"base"] = Package{ImportPath: module + "base", GoFiles: []string{"a.go"}}
		}, "base has no package comment: write what it holds and what it must not know"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rooms, all := house()
			test.breaks(rooms, all)
			require.Equal(t, []string{test.says}, Check(rooms, all))
		})
	}
}

func TestWhatIsAllowed(t *testing.T) {
	t.Parallel()
	rooms, all := house()
	rooms[0].Direct = []Ban{noSQL} // it reaches SQL through others only
	rooms[1].Beside = []string{"other"}
	p := all[module+"below"]
	p.Imports = append(p.Imports, module+"other")
	all[module+"below"] = p
	require.Empty(t, Check(rooms, all))
}

func TestDrawingLeavesOutWhatIsReachedAnyway(t *testing.T) {
	t.Parallel()
	require.Equal(t, "```mermaid\nflowchart TB\n"+
		"    subgraph floor3[\"floor 3\"]\n        top[top]\n    end\n"+
		"    subgraph floor2[\"floor 2\"]\n        below[below]\n        other[other]\n    end\n"+
		"    subgraph floor1[\"floor 1\"]\n        base[base]\n    end\n"+
		"    top --> below\n    below --> base\n```\n", Drawing(house()))
}
