package sandbox_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
)

var update = flag.Bool("update", false, "write the tables of the package's documentation anew")

// TestDocumentation holds the tables of doc.go to the code.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	want := replaceTable(t, string(text), "Scenarios", scenarioTable())
	want = replaceTable(t, want, "Switches", switchTable())
	if *update {
		require.NoError(t, os.WriteFile("doc.go", []byte(want), 0o644))
	}
	require.Equal(t, want, string(text), "go test -run TestDocumentation -update")
}

// replaceTable puts a table under its heading, in the place of the one that is
// there.
func replaceTable(t *testing.T, text, heading, table string) string {
	t.Helper()
	head, rest, found := strings.Cut(text, "// # "+heading+"\n//\n")
	require.True(t, found, heading)
	for strings.HasPrefix(rest, "//\t") {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	return head + "// # " + heading + "\n//\n" + table + "//\n" + strings.TrimPrefix(rest, "//\n")
}

func scenarioTable() string {
	return comment(func(row func(string, ...any)) {
		row("NAME\tDIGITS\tFOR\tWHAT HAPPENS")
		for _, s := range sandbox.Scenarios() {
			name, sides := s.Name, "both"
			if s.Argument != "" {
				name += fmt.Sprintf(":%d", s.Default)
			}
			if len(s.Directions) == 1 {
				sides = s.Directions[0].String()
			}
			row("%s\t%s\t%s\t%s", name, s.Digits, sides, s.Sentence)
		}
	})
}

func switchTable() string {
	return comment(func(row func(string, ...any)) {
		for _, s := range sandbox.Switches() {
			row("%s\t%s", s.Name, s.Sentence)
		}
	})
}

func comment(rows func(row func(string, ...any))) string {
	var out strings.Builder
	tabs := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	rows(func(format string, values ...any) { fmt.Fprintf(tabs, format+"\n", values...) })
	_ = tabs.Flush()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	return "//\t" + strings.Join(lines, "\n//\t") + "\n"
}

func TestTableOfScenarios(t *testing.T) {
	t.Parallel()
	var names, digits []string
	for _, s := range sandbox.Scenarios() {
		names = append(names, s.Name)
		if s.Digits != "" {
			require.Regexp(t, `^[1-9]\d\d$`, s.Digits, s.Name)
			require.NotContains(t, []string{"123", "125", "150", "250", "999"}, s.Digits, "amounts that people type")
			digits = append(digits, s.Digits)
		}
		require.NotEmpty(t, s.Sentence, s.Name)
		require.NotEmpty(t, s.Directions, s.Name)
		require.Equal(t, s.Argument != "", s.Default > 0, s.Name)
	}
	slices.Sort(names)
	slices.Sort(digits)
	require.Len(t, slices.Compact(names), len(sandbox.Scenarios()), "names are unique")
	require.Len(t, slices.Compact(digits), len(sandbox.Scenarios())-1, "digits are unique")
}
