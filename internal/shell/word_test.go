package shell

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWord(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"INV-1": "INV-1", "-INV": "'-INV'", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(rm)": "'$(rm)'", "a\nb": "'a·b'",
	} {
		require.Equal(t, want, Word(value))
	}
}
