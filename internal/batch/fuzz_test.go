package batch

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// fuzz checks that a file is either refused with faults, or read twice with the same
// result.
func fuzz(t *testing.T, file []byte) {
	t.Helper()
	c, err := Check(bytes.NewReader(file), int64(len(file)), pakistan)
	var wrong *Faults
	switch {
	case errors.As(err, &wrong) && wrong.Count > 0 && len(wrong.Faults) > 0:
		return
	case err != nil:
		t.Fatalf("%v", err)
	}
	count := 0
	for row, err := range c.Rows() {
		if err != nil {
			t.Fatalf("read again: %v", err)
		}
		if err := row.Request.Validate(nil); err != nil {
			t.Fatalf("a wrong row was taken: %v", err)
		}
		count++
	}
	if count != c.Count || count == 0 {
		t.Fatalf("%d rows, then %d", c.Count, count)
	}
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{sound, strings.ReplaceAll(sound, ",", ";"), "\ufeff" + sound, header, "\"", "a,b\r\n\"c", "=1;2"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if format, _ := formatOf(bytes.NewReader(file), int64(len(file))); format == CSV {
			fuzz(t, file)
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`[{"number":"1","way":"easypaisa","amount":"500","customerAccountNumber":"03001234567"}]`,
		`{"number":"1","way":"HBL","amount":500,"customerAccountNumber":"12"}` + "\n" + `{"number":"2"}`,
		`[`, `[{}`, `{"a":[]}`, `{"a":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if format, _ := formatOf(bytes.NewReader(file), int64(len(file))); format == JSON {
			fuzz(t, file)
		}
	})
}

// FuzzXLSX changes the sheet of a workbook, and the whole file.
func FuzzXLSX(f *testing.F) {
	good := workbookOf(f, nil, soundLines...)
	f.Add([]byte(nil), []byte(`<row r="2"><c r="A2" t="inlineStr"><is><t>x</t></is></c></row>`))
	f.Add(good[4:], []byte(nil))
	f.Fuzz(func(t *testing.T, whole, sheet []byte) {
		if len(whole) > 0 {
			fuzz(t, append([]byte("PK\x03\x04"), whole...))
		}
		if len(sheet) > 0 {
			fuzz(t, rewritten(t, good, "xl/worksheets/sheet1.xml", func(text string) string {
				return strings.Replace(text, `<row r="2"`, string(sheet)+`<row r="2"`, 1)
			}))
		}
	})
}

// manyRows returns a file of CSV with rows.
func manyRows(n int) []byte {
	var file strings.Builder
	file.WriteString(header + "\n")
	for i := range n {
		fmt.Fprintf(&file, "INV-%d,PK,easypaisa,%d,Ayesha Khan %d,030%08d,030%08[4]d\n", i, 100+i%1000, i, i)
	}
	return []byte(file.String())
}

// BenchmarkCheck checks 100,000 rows.
func BenchmarkCheck(b *testing.B) {
	lines := manyRows(MaxRows)
	var cells [][]any
	for line := range strings.Lines(string(lines)) {
		cells = append(cells, anys(strings.TrimSpace(line)))
	}
	for name, file := range map[string][]byte{"csv": lines, "xlsx": workbookOf(b, nil, cells...)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				c, err := Check(bytes.NewReader(file), int64(len(file)), pakistan)
				if err != nil || c.Count != MaxRows {
					b.Fatal(err)
				}
			}
		})
	}
}
