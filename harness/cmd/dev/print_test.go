package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTableAlignsWhateverTheColours(t *testing.T) {
	t.Parallel()
	rows := func(i ink) [][]cell {
		return [][]cell{
			{{text: "ORDER"}, {text: "AMOUNT", right: true}},
			{{text: "Ñandú", paint: i.green}, {text: "1.50", right: true}},
		}
	}
	var plain, coloured strings.Builder
	ink(false).table(&plain, rows(false))
	ink(true).table(&coloured, rows(true))
	require.Equal(t, "ORDER  AMOUNT\nÑandú    1.50\n\n", plain.String())
	require.Equal(t, plain.String(), strings.NewReplacer("\x1b[1m", "", "\x1b[32m", "", "\x1b[0m", "").Replace(coloured.String()))
	require.Contains(t, coloured.String(), "\x1b[32mÑandú\x1b[0m")
}

func TestInkIsForTerminalsOnly(t *testing.T) {
	t.Parallel()
	require.False(t, bool(inkFor(&strings.Builder{})))
	for environment, want := range map[string]bool{"": true, "TERM=xterm": true, "TERM=dumb": false, "NO_COLOR=1": false} {
		set, value, _ := strings.Cut(environment, "=")
		require.Equal(t, want, wantsColour(func(name string) string {
			if name == set {
				return value
			}
			return ""
		}), environment)
	}
}
