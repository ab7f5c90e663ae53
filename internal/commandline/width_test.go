package commandline

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Help fits a narrow terminal, and says the same there.
func TestHelpOnANarrowTerminal(t *testing.T) {
	words := func(text string) []string { return strings.Fields(text) }
	wide, err := run("help")
	require.NoError(t, err)
	require.Contains(t, wide, "  completion  Print a script that completes commands in a shell\n")
	t.Setenv("COLUMNS", "40")
	narrow, err := run("help")
	require.NoError(t, err)
	require.Equal(t, words(wide), words(narrow))
	require.Contains(t, narrow, "  completion  Print a script that\n              completes commands in a\n              shell\n")
	for line := range strings.Lines(narrow) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 40, line)
	}
	for _, columns := range []string{"0", "-3", "wide", "500", ""} {
		t.Setenv("COLUMNS", columns)
		got, err := run("help")
		require.NoError(t, err)
		require.Equal(t, wide, got, columns)
	}
}

// What has no room beside its name goes under it.
func TestNarrowRows(t *testing.T) {
	t.Parallel()
	require.Equal(t, "  a-name-of-25-columns\n      word word word word word\n      more", Wrap("  a-name-of-25-columns     word word word word word more", 30))
	require.Equal(t, "  a-name-of-25-columns\n      word word word word word\n      more", entry("a-name-of-25-columns    ", "word word word word word more", 30))
}
