package docs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const document = "Before.\n<!-- states: written by `go test ./a -update` -->\nold\n<!-- end of states -->\nBetween.\n" +
	"<!-- codes: written by `go test ./b -update` -->\n\nkept\n\n<!-- end of codes -->\nAfter.\n"

func TestReplace(t *testing.T) {
	t.Parallel()
	want, command, err := replace(document, map[string]string{"states": "| $1 |\n", "codes": "kept"})
	require.NoError(t, err)
	require.Equal(t, "go test ./a -update", command)
	require.Equal(t, "Before.\n<!-- states: written by `go test ./a -update` -->\n\n| $1 |\n\n<!-- end of states -->\nBetween.\n"+
		"<!-- codes: written by `go test ./b -update` -->\n\nkept\n\n<!-- end of codes -->\nAfter.\n", want)

	again, command, err := replace(want, map[string]string{"states": "| $1 |\n", "codes": "kept\n"})
	require.NoError(t, err)
	require.Empty(t, command)
	require.Equal(t, want, again)
}

func TestMarksAreNeeded(t *testing.T) {
	t.Parallel()
	_, _, err := replace(document, map[string]string{"moves": ""})
	require.EqualError(t, err, "has lost its marks for moves")
}
