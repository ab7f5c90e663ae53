package batch

import (
	"bufio"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tarspay-payouts/orchestrator/internal/sheet"
)

// readJSON reads a list of objects, or objects one after the other. A member is a text;
// the amount may be a number, of which the digits are taken as they stand. No member is
// repeated.
func readJSON(file io.ReaderAt, size int64, _ limits, each func(record) bool) *Fault {
	head := make([]byte, len(utf8BOM))
	n, _ := file.ReadAt(head, 0) // a file that cannot be read is reported by the decoder
	begin := int64(beginOf(head[:n]))
	d := jsontext.NewDecoder(io.NewSectionReader(file, begin, size-begin))
	lines := lineCounter{file: bufio.NewReader(io.NewSectionReader(file, begin, size-begin))}
	if d.PeekKind() == '[' {
		if _, err := d.ReadToken(); err != nil {
			return lines.broken(d, err)
		}
	}
	inList := d.StackDepth() == 1
	for {
		switch kind := d.PeekKind(); {
		case kind == ']' && inList:
			if _, err := d.ReadToken(); err != nil {
				return lines.broken(d, err)
			}
			if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
				return &Fault{Line: lines.at(d.InputOffset()), Code: CodeUnreadable, Message: "there is something after the list"}
			}
			return nil
		case kind == '{':
			r, err := readObject(d, &lines)
			if err != nil {
				return lines.broken(d, err)
			}
			if !each(r) {
				return nil
			}
		default:
			_, err := d.ReadToken()
			if errors.Is(err, io.EOF) && !inList {
				return nil
			}
			if err != nil {
				return lines.broken(d, err)
			}
			return &Fault{Line: lines.at(d.InputOffset()), Code: CodeUnreadable, Message: "there is something else than an object; a row is an object with the names of the template"}
		}
	}
}

// readObject reads an object. Members that are lists or objects are marked.
func readObject(d *jsontext.Decoder, lines *lineCounter) (record, error) {
	if _, err := d.ReadToken(); err != nil {
		return record{}, err
	}
	r := record{Row: sheet.Row{Line: lines.at(d.InputOffset())}, names: []string{}}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return record{}, err
		}
		r.names = append(r.names, name.String())
		kind := d.PeekKind()
		value, err := d.ReadValue()
		if err != nil {
			return record{}, err
		}
		var one sheet.Cell
		switch kind {
		case '"':
			text, err := jsontext.AppendUnquote(nil, value)
			if err != nil {
				return record{}, err
			}
			one.Text = string(text)
		case '0':
			one = sheet.Cell{Text: string(value), Number: true}
		case 'n':
		default:
			one = sheet.Cell{Text: "?", Other: true}
		}
		r.Cells = append(r.Cells, one)
	}
	_, err := d.ReadToken()
	return r, err
}

// lineCounter counts lines up to offsets that only grow.
type lineCounter struct {
	file   *bufio.Reader // from offset on
	offset int64
	line   int
}

func (l *lineCounter) at(offset int64) int {
	for l.offset < offset {
		b, err := l.file.ReadByte()
		if err != nil {
			break
		}
		if l.offset++; b == '\n' {
			l.line++
		}
	}
	return l.line + 1
}

// broken returns the fault of text that is no JSON.
func (l *lineCounter) broken(d *jsontext.Decoder, err error) *Fault {
	f := &Fault{Line: l.at(d.InputOffset()), Code: CodeUnreadable, Message: "the text is no JSON in UTF-8 from here on"}
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		f.Message = "a member appears twice in an object"
	case errors.Is(err, io.ErrUnexpectedEOF):
		f.Message = "the text breaks off"
	case errors.As(err, &syntax):
		f.Line = l.at(syntax.ByteOffset)
	}
	return f
}
