package batch

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"

	"github.com/tarspay-payouts/orchestrator/internal/sheet"
)

var utf8BOM = []byte("\xef\xbb\xbf")

// readCSV reads CSV in UTF-8, with or without a byte order mark.
func readCSV(file io.ReaderAt, size int64, _ limits, each func(record) bool) *Fault {
	if fault := notUTF8(io.NewSectionReader(file, 0, size)); fault != nil {
		return fault
	}
	return sheet.ReadCSV(io.NewSectionReader(file, 0, size), func(r sheet.Row) bool { return each(record{Row: r}) }).Fault(sheetCodes)
}

// readXLSX reads the one visible sheet of a workbook that has content.
func readXLSX(file io.ReaderAt, size int64, most limits, each func(record) bool) *Fault {
	bounds := sheet.Limits{Unpacked: most.unpacked, Shared: most.shared}
	return sheet.ReadXLSX(file, size, bounds, func(r sheet.Row) bool { return each(record{Row: r}) }).Fault(sheetCodes)
}

// sheetCodes are the codes of faults that end the reading of a file.
var sheetCodes = map[sheet.Kind]string{
	sheet.Unreadable: CodeUnreadable, sheet.Encoding: CodeEncoding, sheet.TooLarge: CodeTooLarge, sheet.Sheets: CodeSheets,
	sheet.Cells: CodeCells, sheet.Merged: CodeMerged, sheet.Hidden: CodeHidden,
}

// notUTF8 refuses text in another encoding.
func notUTF8(file io.Reader) *Fault {
	text := bufio.NewReaderSize(file, 64<<10)
	if head, _ := text.Peek(2); bytes.Equal(head, []byte("\xff\xfe")) || bytes.Equal(head, []byte("\xfe\xff")) {
		return &Fault{Code: CodeEncoding, Message: "the file is in UTF-16; save it as CSV in UTF-8"}
	}
	line, wrong := 1, 0
	for {
		r, size, err := text.ReadRune()
		switch {
		case err != nil && wrong == 0: // the end, or what the reader of CSV reports
			return nil
		case err != nil:
			return &Fault{Line: wrong, Code: CodeEncoding, Message: "the line has bytes that are no UTF-8; save the file as CSV in UTF-8"}
		case r == 0:
			return &Fault{Code: CodeEncoding, Message: "the file has zero bytes: it is in UTF-16, or no text; save it as CSV in UTF-8"}
		case r == utf8.RuneError && size == 1 && wrong == 0:
			wrong = line
		case r == '\n':
			line++
		}
	}
}
