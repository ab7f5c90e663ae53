package sheet

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// TextError is the error of a text in another encoding.
type TextError struct {
	Line    int
	Message string
}

// Error returns the line and the message.
func (e *TextError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// UTF8 returns the text of from in UTF-8. A byte order mark of UTF-16 says that from is in
// UTF-16. With latin1, a text that has none is in ISO 8859-1. Otherwise it must be in
// UTF-8: reading returns a *TextError at the first line that is not.
func UTF8(from io.Reader, latin1 bool) io.Reader {
	text := bufio.NewReaderSize(from, headPeek)
	head, _ := text.Peek(len(utf8BOM)) // an error comes again
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return &checkedText{from: unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(text), line: 1}
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return &checkedText{from: unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder().Reader(text), line: 1}
	case latin1 && string(head) != utf8BOM:
		return &checkedText{from: charmap.ISO8859_1.NewDecoder().Reader(text), line: 1}
	}
	return &checkedText{from: text, line: 1}
}

// checkedText passes UTF-8 on. It stops at the first byte that is none.
type checkedText struct {
	from io.Reader
	line int
	rest []byte // the begin of a character, of the last read
	err  error
}

// Read returns a *TextError at the first line that is no UTF-8.
func (c *checkedText) Read(into []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(into) < utf8.UTFMax {
		return 0, io.ErrShortBuffer
	}
	n := copy(into, c.rest)
	more, err := c.from.Read(into[n:])
	n += more
	whole := n
	if err == nil {
		whole = n - incomplete(into[:n])
	}
	c.rest = append(c.rest[:0], into[whole:n]...)
	c.err = err
	if at := wrongByte(into[:whole]); at >= 0 {
		c.line += bytes.Count(into[:at], []byte("\n"))
		c.err = &TextError{c.line, "the line has bytes that are no UTF-8; save the file as CSV in UTF-8"}
		if into[at] == 0 {
			c.err = &TextError{c.line, "the line has zero bytes: the file is in UTF-16 without a mark, or is no text; save it as CSV in UTF-8"}
		}
		return 0, c.err
	}
	c.line += bytes.Count(into[:whole], []byte("\n"))
	if whole > 0 {
		return whole, nil
	}
	return 0, c.err
}

// incomplete returns how many bytes at the end begin a character that is not whole.
func incomplete(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if last := text[len(text)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}

// wrongByte returns where the text has a zero byte or is no UTF-8; -1 if nowhere.
func wrongByte(text []byte) int {
	if zero := bytes.IndexByte(text, 0); zero >= 0 {
		return zero
	}
	if utf8.Valid(text) {
		return -1
	}
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}
