package commandline

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is no text is named as what it is, wherever it stands.
func TestUnreadableValues(t *testing.T) {
	t.Parallel()
	for value, what := range map[string]string{
		"a\xffb":             "the byte 0xFF, which is not UTF-8",
		"\xc3":               "the byte 0xC3, which is not UTF-8",
		"\xed\xa0\x80":       "the byte 0xED, which is not UTF-8", // half of a surrogate pair
		"bell\x07":           "the control character U+0007",
		"\x1b[31m":           "the control character U+001B",
		"del\x7f":            "the control character U+007F",
		"next line\u0085":    "the control character U+0085",
		"Ayesha\nKhan\t":     "",
		"à 한글 \ufffd \ufeff": "",
	} {
		require.Equal(t, what, unreadable(value), "%q", value)
		_, err := run("show", value)
		if what == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, "argument 1 contains "+what+"; leave it out")
		require.Equal(t, ExitUsage, Status(err))
		_, err = run("show", "--note", value, "x")
		require.EqualError(t, err, "--note contains "+what+"; leave it out")
		_, err = run("show", "--field", "a=b", "--field", value, "x")
		require.EqualError(t, err, "--field contains "+what+"; leave it out")
	}
}

// JSON keeps every value and shows none that steers a terminal or turns the
// direction of writing.
func TestWriteJSON(t *testing.T) {
	t.Parallel()
	type document struct{ Text string }
	for text, want := range map[string]string{
		"https://x.test/c?o=1&s=<2>": `{"Text":"https://x.test/c?o=1&s=<2>"}`,
		"\x1b[31m\x00\x7f\u0085":     `{"Text":"\u001b[31m\u0000\u007f\u0085"}`,
		"\u202e\u2066\u200f\ufeff":   `{"Text":"\u202e\u2066\u200f\ufeff"}`,
		"\u2028\U000e0001":           `{"Text":"\u2028\udb40\udc01"}`,
		"à 한글 😀":                     `{"Text":"à 한글 😀"}`,
	} {
		var out bytes.Buffer
		require.NoError(t, WriteJSON(&out, document{text}, ""))
		require.Equal(t, want+"\n", out.String())
		var read document
		require.NoError(t, json.Unmarshal(out.Bytes(), &read))
		require.Equal(t, text, read.Text)
	}
	require.Error(t, WriteJSON(&bytes.Buffer{}, func() {}, ""))
}
