package sheet

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
)

// headPeek is how much of a file is read to find its separator.
const headPeek = 64 << 10

// ReadCSV reads CSV in UTF-8, with or without a byte order mark, and calls each for every
// row until it returns false. The separator is the comma, semicolon or tab that the first
// line has most of, outside of quotes. An error of from that is a *TextError becomes its
// fault.
func ReadCSV(from io.Reader, each func(Row) bool) *Broken {
	text := bufio.NewReaderSize(from, headPeek)
	head, err := text.Peek(headPeek)
	if err != nil && !errors.Is(err, io.EOF) {
		return csvFault(err)
	}
	if len(head) >= len(utf8BOM) && string(head[:len(utf8BOM)]) == utf8BOM {
		_, _ = text.Discard(len(utf8BOM)) // it was peeked
		head = head[len(utf8BOM):]
	}
	r := csv.NewReader(text)
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = separator(head), -1, true
	var cells []Cell
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return csvFault(err)
		}
		line, _ := r.FieldPos(0)
		cells = cells[:0]
		for _, text := range fields {
			cells = append(cells, Cell{Text: text})
		}
		if !each(Row{Line: line, Cells: cells, Exact: true}) {
			return nil
		}
	}
}

const utf8BOM = "\xef\xbb\xbf"

func csvFault(err error) *Broken {
	var text *TextError
	var wrong *csv.ParseError
	switch {
	case errors.As(err, &text):
		return &Broken{Line: text.Line, Kind: Encoding, Message: text.Message}
	case errors.As(err, &wrong):
		return &Broken{Line: wrong.Line, Kind: Unreadable, Message: "the quotes of this row do not fit: a cell with a separator, a quote or a line break stands in quotes, and a quote in it is doubled"}
	}
	return &Broken{Kind: Unreadable, Message: "the file cannot be read as CSV"}
}

// separator returns the separator of the first line.
func separator(file []byte) rune {
	counts, quoted := map[byte]int{}, false
	for _, b := range file {
		if b == '"' {
			quoted = !quoted
		}
		if !quoted && (b == '\n' || b == '\r') {
			break
		}
		if !quoted {
			counts[b]++
		}
	}
	best := byte(',')
	for _, other := range []byte{';', '\t'} {
		if counts[other] > counts[best] {
			best = other
		}
	}
	return rune(best)
}
