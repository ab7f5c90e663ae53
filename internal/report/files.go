package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Format is a form of a report in a file.
type Format string

// The formats.
const (
	CSV  Format = "csv"
	XLSX Format = "xlsx"
	HTML Format = "html"
)

// Formats lists the formats.
func Formats() []Format { return []Format{CSV, XLSX, HTML} }

// Write writes days in a format.
func Write(w io.Writer, format Format, days []Day) error {
	var err error
	switch format {
	case CSV:
		err = writeCSV(w, days)
	case XLSX:
		err = writeXLSX(w, days)
	case HTML:
		err = writeHTML(w, days)
	default:
		err = fmt.Errorf("there is no format %s", strconv.Quote(string(format)))
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// csvHead is the header of CSV. There is a line for each figure.
var csvHead = []string{"merchant", "currency", "day", "time_zone", "section", "row", "figure", "value"}

func writeCSV(w io.Writer, days []Day) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvHead); err != nil {
		return err
	}
	for _, d := range days {
		for _, s := range Sections(d) {
			if len(s.Rows) == 0 && s.Name == "gateway" {
				s.Rows, s.Columns = []Row{{Name: "closing", Cells: []Cell{text("unknown")}}}, amountColumn
			}
			for _, row := range s.Rows {
				for i, cell := range row.Cells {
					line := []string{d.Merchant, d.Currency, string(d.Day), d.Zone, s.Name, row.Name, s.Columns[i].Name, cell.String()}
					for n := range line[:len(line)-1] {
						line[n] = inert(line[n])
					}
					if !cell.Number() {
						line[len(line)-1] = inert(cell.Text)
					}
					if err := out.Write(line); err != nil {
						return err
					}
				}
			}
		}
	}
	out.Flush()
	return out.Error()
}

// inert puts an apostrophe before a text that a spreadsheet would take for a formula.
func inert(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// sheet writes one sheet of a workbook, line by line.
type sheet struct {
	book           *excelize.File
	name           string
	line           int
	title, bold    int // styles
	number, summed int
	err            error
}

func writeXLSX(w io.Writer, days []Day) error {
	book := excelize.NewFile()
	defer func() { _ = book.Close() }()
	for i, d := range days {
		name := fmt.Sprintf("%d %s %s", i+1, d.Currency, d.Day)
		if _, err := book.NewSheet(name); err != nil {
			return err
		}
		if err := writeSheet(book, name, d); err != nil {
			return err
		}
	}
	if len(days) > 0 {
		if err := book.DeleteSheet("Sheet1"); err != nil {
			return err
		}
	}
	_, err := book.WriteTo(w)
	return err
}

func writeSheet(book *excelize.File, name string, d Day) error {
	s := &sheet{book: book, name: name}
	digits, err := money.Decimals(d.Currency)
	if err != nil {
		return err
	}
	form := "#,##0"
	if digits > 0 {
		form += "." + strings.Repeat("0", digits)
	}
	s.title = s.style(&excelize.Style{Font: &excelize.Font{Bold: true, Size: 14}})
	s.bold = s.style(&excelize.Style{Font: &excelize.Font{Bold: true}})
	s.number = s.style(&excelize.Style{CustomNumFmt: &form})
	s.summed = s.style(&excelize.Style{CustomNumFmt: &form, Font: &excelize.Font{Bold: true}})
	s.put(s.title, text(Title(d)))
	s.put(0, text(Frame(d)))
	for _, section := range Sections(d) {
		s.line++
		s.section(section)
	}
	const wide, narrow = 52, 18
	s.keep(book.SetColWidth(name, "A", "A", wide))
	s.keep(book.SetColWidth(name, "B", "E", narrow))
	s.keep(book.SetPageLayout(name, &excelize.PageLayoutOptions{Size: ptr(paperA4), FitToWidth: ptr(1), FitToHeight: ptr(0)}))
	s.keep(book.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: ptr(true)}))
	return s.err
}

const paperA4 = 9 // of the format's list of papers

func ptr[T any](value T) *T { return &value }

func (s *sheet) keep(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *sheet) style(style *excelize.Style) int {
	id, err := s.book.NewStyle(style)
	s.keep(err)
	return id
}

func (s *sheet) section(section Section) {
	head := []Cell{text(section.Title)}
	for _, column := range section.Columns {
		head = append(head, text(column.Title))
	}
	s.put(s.bold, head...)
	if len(section.Rows) == 0 {
		s.put(0, text(section.Empty))
	}
	for _, row := range section.Rows {
		style := 0
		if row.Sum {
			style = s.bold
		}
		s.put(style, append([]Cell{text(row.Title)}, row.Cells...)...)
	}
}

// put writes the cells of the next line.
func (s *sheet) put(style int, cells ...Cell) {
	s.line++
	for i, cell := range cells {
		at, err := excelize.CoordinatesToCellName(i+1, s.line)
		s.keep(err)
		s.keep(s.cell(at, cell))
		use := style
		if cell.Amount != nil {
			use = s.number
			if style == s.bold {
				use = s.summed
			}
		}
		if use != 0 {
			s.keep(s.book.SetCellStyle(s.name, at, at, use))
		}
	}
}

// exactDigits is how many digits of a number Excel keeps.
const exactDigits = 15

// cell writes one cell. An amount is written as the text of its digits, which is a
// number in the file; one with more digits than Excel keeps stays a text.
func (s *sheet) cell(at string, cell Cell) error {
	number := cell.String()
	switch {
	case !cell.Number():
		return s.book.SetCellStr(s.name, at, inert(cell.Text))
	case len(strings.Trim(number, "-.")) > exactDigits:
		return s.book.SetCellStr(s.name, at, number)
	}
	return s.book.SetCellDefault(s.name, at, number)
}
