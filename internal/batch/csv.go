package batch

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"unicode/utf8"
)

var utf8BOM = []byte("\xef\xbb\xbf")

// readCSV reads CSV in UTF-8, with or without a byte order mark. The separator is the
// comma, semicolon or tab that the first line has most of, outside of quotes.
func readCSV(file []byte, _ limits, each func(record) bool) *Fault {
	if fault := notUTF8(file); fault != nil {
		return fault
	}
	file = bytes.TrimPrefix(file, utf8BOM)
	r := csv.NewReader(bytes.NewReader(file))
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = separator(file), -1, true
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			return &Fault{Line: wrong.Line, Code: CodeUnreadable, Message: "the quotes of this row do not fit: a cell with a separator, a quote or a line break stands in quotes, and a quote in it is doubled"}
		}
		if err != nil {
			return &Fault{Code: CodeUnreadable, Message: "the file cannot be read as CSV"}
		}
		line, _ := r.FieldPos(0)
		cells := make([]cell, len(fields))
		for i, text := range fields {
			cells[i].text = text
		}
		if !each(record{line: line, cells: cells, exact: true}) {
			return nil
		}
	}
}

// notUTF8 refuses text in another encoding.
func notUTF8(file []byte) *Fault {
	switch {
	case bytes.HasPrefix(file, []byte("\xff\xfe")), bytes.HasPrefix(file, []byte("\xfe\xff")):
		return &Fault{Code: CodeEncoding, Message: "the file is in UTF-16; save it as CSV in UTF-8"}
	case bytes.IndexByte(file, 0) >= 0:
		return &Fault{Code: CodeEncoding, Message: "the file has zero bytes: it is in UTF-16, or no text; save it as CSV in UTF-8"}
	case utf8.Valid(file):
		return nil
	}
	at := 0
	for at < len(file) {
		r, size := utf8.DecodeRune(file[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return &Fault{Line: 1 + bytes.Count(file[:at], []byte("\n")), Code: CodeEncoding, Message: "the line has bytes that are no UTF-8; save the file as CSV in UTF-8"}
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
