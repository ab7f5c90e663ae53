package sheet

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// A character may arrive in parts, and a wrong byte is told with its line.
func TestUTF8(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text   string
		latin1 bool
		want   string
		line   int
	}{
		"plain":         {"a\nb", false, "a\nb", 0},
		"characters":    {"é€𝄞\n", false, "é€𝄞\n", 0},
		"Latin-1":       {"caf\xe9", true, "café", 0},
		"UTF-16 little": {"\xff\xfea\x00\xac\x20", false, "a€", 0},
		"UTF-16 big":    {"\xfe\xff\x00a\x20\xac", false, "a€", 0},
		"empty":         {"", false, "", 0},
		"wrong byte":    {"a\nb\n\xe9x", false, "a\nb\n", 3},
		"zero byte":     {"a\nb\x00", false, "a\n", 2},
		"cut":           {"a\n\xe2\x82", false, "a\n", 2},
	} {
		got, err := io.ReadAll(UTF8(iotest.OneByteReader(strings.NewReader(test.text)), test.latin1))
		if test.line == 0 {
			require.NoError(t, err, name)
			require.Equal(t, test.want, string(got), name)
			continue
		}
		var wrong *TextError
		require.ErrorAs(t, err, &wrong, name)
		require.Equal(t, test.line, wrong.Line, name)
	}
}
