// Package sheet reads the rows of a file of CSV or of a workbook of Excel (.xlsx), one
// after the other. It does not know what the columns mean.
//
// It is pure. CSV takes the same memory whatever the number of rows. A workbook takes in
// addition what its cells share: Limits.Shared bounds it.
package sheet

import (
	"bytes"
	"slices"
)

// Format is the format of a file.
type Format string

// The formats.
const (
	CSV  Format = "csv"
	XLSX Format = "xlsx"
)

// FormatOf returns the format of a file by its first bytes. What is no workbook is CSV.
func FormatOf(head []byte) (Format, *Broken) {
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return XLSX, nil
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return "", &Broken{Kind: Unreadable, Message: "this is an old or a protected Excel workbook; save it as .xlsx without a password"}
	}
	return CSV, nil
}

// Cell is a cell as it was read.
type Cell struct {
	Text    string
	Number  bool // the file has it as a number, not as text
	Other   bool // a date, a truth value, an error, a list
	Formula bool
}

// Row is a row as it was read. Its cells are valid until the next row is read.
type Row struct {
	Line  int // of the file, from 1
	Cells []Cell
	Exact bool // it has every cell of the file, so there must be as many as columns
	// Since1904 says that numbers that are dates count days since 1904 instead of 1900.
	Since1904 bool
}

// Blank reports whether no cell has content.
func (r Row) Blank() bool {
	return !slices.ContainsFunc(r.Cells, func(c Cell) bool { return c.Text != "" || c.Formula || c.Other })
}

// Kind says what is wrong with a file.
type Kind int

// The kinds of faults.
const (
	Unreadable Kind = iota // the file is not of its format, or breaks off
	Encoding               // its text is in another encoding
	TooLarge               // it is larger than is taken
	Sheets                 // a second sheet has content
	Cells                  // a cell is far beyond the columns of a table
	Merged                 // cells are merged
	Hidden                 // a row or a column with content is hidden
)

// Broken ends the reading of a file. It repeats no value.
type Broken struct {
	Line    int    // 0: the file as a whole
	Column  string // as Column writes it
	Kind    Kind
	Message string
}

// Fault returns the fault with the code of its kind. It is nil if b is.
func (b *Broken) Fault(codes map[Kind]string) *Fault {
	if b == nil {
		return nil
	}
	return &Fault{Line: b.Line, Column: b.Column, Code: codes[b.Kind], Message: b.Message}
}

// Column returns the name of a column by its index: column A, column B, …, column AA.
func Column(index int) string {
	const letters = 26
	name := ""
	for index++; index > 0; index = (index - 1) / letters {
		name = string(rune('A'+(index-1)%letters)) + name
	}
	return "column " + name
}
