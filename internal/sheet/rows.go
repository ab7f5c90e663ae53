package sheet

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// sheetReader reads the rows of a sheet.
type sheetReader struct {
	*workbook
	d      *xml.Decoder
	each   func(Row) bool
	hidden [][2]int // columns, from 0, first and last
	line   int
	cells  []Cell // of the last row, to be used again
	done   bool   // each wants no more
	fault  *Broken
}

// read reads a sheet. Merged cells are reported after its rows.
func (w *workbook) read(sheet string, each func(Row) bool) *Broken {
	from, fault := w.open(sheet, w.Unpacked)
	if fault != nil {
		return fault
	}
	defer func() { _ = from.Close() }()
	s := &sheetReader{workbook: w, d: xml.NewDecoder(from), each: each}
	ended := false // the sheet's own element
	for s.fault == nil && !s.done {
		token, err := s.d.Token()
		if errors.Is(err, io.EOF) {
			if !ended {
				return unreadable("its sheet breaks off")
			}
			return nil
		}
		if err != nil {
			return w.broken(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			err = s.element(t)
		case xml.EndElement:
			ended = t.Name.Local == "worksheet"
		}
		if err != nil {
			return w.broken(err)
		}
	}
	return s.fault
}

func (s *sheetReader) element(start xml.StartElement) error {
	switch start.Name.Local {
	case "col":
		if isTrue(attribute(start, "hidden")) {
			first, _ := strconv.Atoi(attribute(start, "min"))
			last, _ := strconv.Atoi(attribute(start, "max"))
			s.hidden = append(s.hidden, [2]int{first - 1, last - 1})
		}
	case "mergeCell":
		s.fault = &Broken{Kind: Merged, Message: fmt.Sprintf("cells are merged (%.20q); take the merging away, so that each row has its own values", attribute(start, "ref"))}
		if _, row, ok := cellPlace(firstOf(attribute(start, "ref"))); ok {
			s.fault.Line = row
		}
	case "row":
		return s.row(start)
	}
	return nil
}

func firstOf(area string) string {
	for i := range len(area) {
		if area[i] == ':' {
			return area[:i]
		}
	}
	return area
}

// row reads a row.
func (s *sheetReader) row(start xml.StartElement) error {
	number := s.line + 1
	if text := attribute(start, "r"); text != "" {
		number, _ = strconv.Atoi(text) // 0 if it is none
		if number <= s.line {
			s.fault = unreadable("its rows are out of sequence")
			return nil
		}
	}
	s.line = number
	r := Row{Line: number, Cells: s.cells[:0], Since1904: s.since1904}
	hidden := isTrue(attribute(start, "hidden"))
	for {
		token, err := s.d.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local != "c" {
				return errors.New("a row has something else than cells")
			}
			at, one, err := s.cell(t, len(r.Cells))
			if err != nil || s.fault != nil {
				return err
			}
			if one == (Cell{}) {
				continue
			}
			for _, columns := range s.hidden {
				hidden = hidden || columns[0] <= at && at <= columns[1]
			}
			for len(r.Cells) < at {
				r.Cells = append(r.Cells, Cell{})
			}
			r.Cells = append(r.Cells, one)
		case xml.EndElement:
			if hidden && !r.Blank() {
				s.fault = &Broken{Line: number, Kind: Hidden, Message: "the row, or a column of it, is hidden; show everything, so that nothing is read that nobody sees"}
				return nil
			}
			s.cells = r.Cells
			if len(r.Cells) > 0 && !s.each(r) {
				s.done = true
			}
			return nil
		}
	}
}

// cell reads a cell. next is the column after the last one.
func (s *sheetReader) cell(start xml.StartElement, next int) (at int, one Cell, err error) {
	at = next
	if reference := attribute(start, "r"); reference != "" {
		column, row, ok := cellPlace(reference)
		if !ok || row != s.line || column < next {
			s.fault = unreadable("its cells are out of sequence")
			return 0, Cell{}, nil
		}
		at = column
	}
	var value string
	for {
		token, err := s.d.Token()
		if err != nil {
			return 0, Cell{}, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "f":
				one.Formula = true
				err = s.d.Skip()
			case "v":
				err = s.d.DecodeElement(&value, &t)
			case "is":
				value, err = readText(s.d)
			default:
				err = s.d.Skip()
			}
			if err != nil {
				return 0, Cell{}, err
			}
		case xml.EndElement:
			s.tooWide(at, value)
			return at, s.valued(one, attribute(start, "t"), value), nil
		}
	}
}

func (s *sheetReader) tooWide(at int, value string) {
	if at >= maxCells && value != "" {
		s.fault = &Broken{Line: s.line, Column: Column(at), Kind: Cells, Message: fmt.Sprintf("a cell is beyond column %d; keep the columns of the template only", maxCells)}
	}
}

// valued returns the cell with its value.
func (s *sheetReader) valued(one Cell, kind, value string) Cell {
	one.Text = value
	switch kind {
	case "s":
		index, err := strconv.Atoi(value)
		if err != nil || index < 0 || index >= s.texts.count() {
			s.fault = unreadable("a cell refers to a text that is not there")
			return Cell{}
		}
		if one.Text, err = s.texts.at(index); err != nil {
			s.fault = notKept(err)
			return Cell{}
		}
	case "inlineStr", "str":
	case "", "n":
		one.Number = value != ""
	default: // b, d, e
		one.Other = value != ""
	}
	return one
}
