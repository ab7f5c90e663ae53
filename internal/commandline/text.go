package commandline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// readable refuses values that are not text: bytes that are not UTF-8, and
// control characters other than line breaks and tabs. Each engine, and each
// encoding on the way, would treat them in a way of its own.
func readable(cmd *cobra.Command, args []string) error {
	var found error
	refuse := func(name, value string) {
		if what := unreadable(value); what != "" && found == nil {
			found = Misused("%s contains %s; leave it out", name, what)
		}
	}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if list, many := flag.Value.(pflag.SliceValue); many {
			for _, value := range list.GetSlice() {
				refuse("--"+flag.Name, value)
			}
			return
		}
		refuse("--"+flag.Name, flag.Value.String())
	})
	for i, arg := range args {
		refuse("argument "+strconv.Itoa(i+1), arg)
	}
	return found
}

// unreadable names what makes a value no text, or is "".
func unreadable(value string) string {
	for i, r := range value {
		_, size := utf8.DecodeRuneInString(value[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return fmt.Sprintf("the byte 0x%02X, which is not UTF-8", value[i])
		case r != '\n' && r != '\t' && unicode.IsControl(r):
			return fmt.Sprintf("the control character U+%04X", r)
		}
	}
	return ""
}

// WriteJSON writes a document on one line, or on several when there is an
// indentation. What does not print, such as control characters and those that
// turn the direction of writing, is escaped: a document is also looked at.
func WriteJSON(w io.Writer, document any, indent string) error {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false) // payment pages are addresses with & in them
	encoder.SetIndent("", indent)
	if err := encoder.Encode(document); err != nil {
		return err
	}
	escaped := make([]byte, 0, plain.Len())
	for _, r := range plain.String() {
		switch {
		case r < utf8.RuneSelf && r != 0x7f || unicode.IsPrint(r):
			escaped = utf8.AppendRune(escaped, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
	}
	_, err := w.Write(escaped)
	return err
}
