package sheet

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Limits of a workbook, against files that unpack to far more than they seem.
const (
	maxParts = 1000 // files in the archive
	maxCells = 200  // columns that may have content
)

// Limits bound what a workbook unpacks to.
type Limits struct {
	Unpacked int64 // bytes of all parts that are read
	Shared   int64 // bytes of the part with the texts that cells share
}

// HelpSheet is the sheet of a template that explains its columns.
const HelpSheet = "help"

// ReadXLSX reads the one visible sheet of a workbook that has content, and calls each for
// every row with content until it returns false. Merged cells are reported after the
// rows. It reads the parts itself: excelize's iterator ends without an error where the XML is
// broken, and does not tell a number from a text.
func ReadXLSX(from io.ReaderAt, size int64, most Limits, each func(Row) bool) *Broken {
	w, fault := openWorkbook(from, size, most)
	if fault != nil {
		return fault
	}
	sheet, fault := w.onlySheet()
	if fault != nil {
		return fault
	}
	defer func() { _ = w.texts.Close() }()
	if fault = w.sharedTexts(); fault != nil {
		return fault
	}
	return w.read(sheet, each)
}

// workbook is an open file.
type workbook struct {
	Limits // what may still be read
	parts  map[string]*zip.File
	sheets []string // paths of the visible sheets
	// since1904 says that dates count days since 1904.
	since1904 bool
	texts     texts // that cells share
}

func unreadable(why string) *Broken {
	return &Broken{Kind: Unreadable, Message: "this is no whole Excel workbook: " + why}
}

func openWorkbook(from io.ReaderAt, size int64, most Limits) (*workbook, *Broken) {
	archive, err := zip.NewReader(from, size)
	if err != nil {
		return nil, unreadable("it does not unpack; save it anew as .xlsx")
	}
	if len(archive.File) > maxParts {
		return nil, &Broken{Kind: TooLarge, Message: "the workbook has too many parts; copy the rows into a new one"}
	}
	w := &workbook{parts: make(map[string]*zip.File), Limits: most}
	for _, part := range archive.File {
		name := strings.ToLower(strings.ReplaceAll(part.Name, `\`, "/"))
		if w.parts[name] != nil {
			return nil, unreadable("it has a part twice")
		}
		w.parts[name] = part
	}
	return w, w.findSheets()
}

// findSheets finds the visible sheets.
func (w *workbook) findSheets() *Broken {
	var book struct {
		Properties struct {
			Since1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name  string `xml:"name,attr"`
			State string `xml:"state,attr"`
			ID    string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
		} `xml:"sheets>sheet"`
	}
	var relations struct {
		Relations []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	const folder = "xl"
	for name, into := range map[string]any{folder + "/workbook.xml": &book, folder + "/_rels/workbook.xml.rels": &relations} {
		if fault := w.decode(name, into); fault != nil {
			return fault
		}
	}
	w.since1904 = isTrue(book.Properties.Since1904)
	for _, sheet := range book.Sheets {
		if sheet.State != "" && sheet.State != "visible" || sheet.Name == HelpSheet {
			continue
		}
		for _, relation := range relations.Relations {
			if relation.ID != sheet.ID {
				continue
			}
			target := path.Join("/"+folder, relation.Target)
			if strings.HasPrefix(relation.Target, "/") {
				target = path.Clean(relation.Target)
			}
			w.sheets = append(w.sheets, strings.ToLower(strings.TrimPrefix(target, "/")))
		}
	}
	if len(w.sheets) == 0 {
		return unreadable("it has no visible sheet")
	}
	return nil
}

// onlySheet returns the sheet that has content. Several are refused.
func (w *workbook) onlySheet() (string, *Broken) {
	var found []string
	for _, sheet := range w.sheets {
		has, fault := w.hasContent(sheet)
		if fault != nil {
			return "", fault
		}
		if has {
			found = append(found, sheet)
		}
	}
	switch len(found) {
	case 0:
		return w.sheets[0], nil
	case 1:
		return found[0], nil
	}
	return "", &Broken{Kind: Sheets, Message: fmt.Sprintf("%d sheets of the workbook have content; keep one, so that no row is forgotten", len(found))}
}

// hasContent reports whether a sheet has a cell with a value.
func (w *workbook) hasContent(sheet string) (bool, *Broken) {
	from, fault := w.open(sheet, w.Unpacked)
	if fault != nil {
		return false, fault
	}
	defer func() { _ = from.Close() }()
	d := xml.NewDecoder(from)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, w.broken(err)
		}
		if start, is := token.(xml.StartElement); is && slices.Contains([]string{"v", "f", "is"}, start.Name.Local) {
			return true, nil
		}
	}
}

// open opens a part. What is read counts for all parts together.
func (w *workbook) open(name string, most int64) (io.ReadCloser, *Broken) {
	part := w.parts[name]
	if part == nil {
		return nil, unreadable("a part of it is missing")
	}
	from, err := part.Open()
	if err != nil {
		return nil, unreadable("a part of it does not unpack")
	}
	return &bounded{ReadCloser: from, left: most, all: &w.Unpacked}, nil
}

// errTooLarge is the error of a part that unpacks to more than it may.
var errTooLarge = errors.New("too large")

type bounded struct {
	io.ReadCloser
	left int64
	all  *int64
}

func (b *bounded) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	b.left -= int64(n)
	*b.all -= int64(n)
	if b.left < 0 || *b.all < 0 {
		return 0, errTooLarge
	}
	return n, err
}

func (w *workbook) broken(err error) *Broken {
	if errors.Is(err, errTooLarge) {
		return &Broken{Kind: TooLarge, Message: "the workbook unpacks to more than is taken; divide it"}
	}
	return unreadable("a part of it is damaged")
}

func (w *workbook) decode(name string, into any) *Broken {
	const most = 4 << 20
	from, fault := w.open(name, most)
	if fault != nil {
		return fault
	}
	defer func() { _ = from.Close() }()
	if err := xml.NewDecoder(from).Decode(into); err != nil {
		return w.broken(err)
	}
	return nil
}

// sharedTexts reads the texts that cells refer to. A workbook may have none.
func (w *workbook) sharedTexts() *Broken {
	const name = "xl/sharedstrings.xml"
	if w.parts[name] == nil {
		return nil
	}
	from, fault := w.open(name, w.Shared)
	if fault != nil {
		return fault
	}
	defer func() { _ = from.Close() }()
	d := xml.NewDecoder(from)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if err := w.texts.ready(); err != nil {
				return notKept(err)
			}
			return nil
		}
		if err != nil {
			return w.broken(err)
		}
		if start, is := token.(xml.StartElement); is && start.Name.Local == "si" {
			text, err := readText(d)
			if err != nil {
				return w.broken(err)
			}
			if err := w.texts.add(text); err != nil {
				return notKept(err)
			}
		}
	}
}

// readText reads up to the end of the element that has begun. It returns the text of
// its t elements: all runs of a formatted text, without how it is pronounced.
func readText(d *xml.Decoder) (string, error) {
	var text strings.Builder
	depth, inText, aside := 1, false, 0
	for depth > 0 {
		token, err := d.Token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			if t.Name.Local == "rPh" {
				aside = depth
			}
			inText = t.Name.Local == "t" && aside == 0
		case xml.EndElement:
			if depth == aside {
				aside = 0
			}
			depth--
			inText = false
		case xml.CharData:
			if inText {
				text.Write(t)
			}
		}
	}
	return text.String(), nil
}

// attribute returns an attribute's value, or "".
func attribute(start xml.StartElement, name string) string {
	for _, a := range start.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func isTrue(text string) bool { return text == "1" || text == "true" }

// cellPlace reads a reference such as AB12. It returns the column from 0, and the row.
func cellPlace(reference string) (column, row int, ok bool) {
	const letters = 26
	i := 0
	for ; i < len(reference) && reference[i] >= 'A' && reference[i] <= 'Z' && i < 3; i++ {
		column = column*letters + int(reference[i]-'A') + 1
	}
	row, err := strconv.Atoi(reference[i:])
	return column - 1, row, err == nil && column > 0 && row > 0
}
