// Package batch reads a file of payouts: CSV, XLSX or JSON, one withdrawal in a row. It
// checks every row before anything is done with one, and reports all faults at once,
// each with its line, column, code and a sentence. It also writes the template of a
// country, and the file of results.
//
// It is pure: no database, no Temporal, no HTTP. A value that a spreadsheet has mangled
// is refused and never repaired.
package batch

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Limits of a file.
const (
	MaxRows  = 100_000
	MaxBytes = 32 << 20 // of the file as it comes
)

// limits are the limits of a check.
type limits struct {
	rows     int
	faults   int   // that are reported; the number of all is reported, too
	unpacked int64 // bytes of all parts of a workbook that are read
	shared   int64 // bytes of its part with the shared texts
}

var usual = limits{rows: MaxRows, faults: 10_000, unpacked: 512 << 20, shared: 128 << 20}

// Format is the format of a file.
type Format string

// The formats.
const (
	CSV  Format = "csv"
	XLSX Format = "xlsx"
	JSON Format = "json"
)

// Options say what a file is checked for.
type Options struct {
	Merchant string
	Country  string       // of the merchant, ISO 3166; rows may leave the country out
	Limits   order.Limits // as order.Request.Validate
	// Totals are the control totals of whoever sends the file, one per currency, and
	// Rows is the number of rows. Nil and 0 are not checked.
	Totals []money.Amount
	Rows   int
	// Permit refuses what the sender may not request. Nil permits all.
	Permit func(order.Request) *order.Refusal
}

// Row is a row of a file.
type Row struct {
	Line    int // of the file, from 1; in JSON, where the object begins
	Request order.Request
}

// Checked is a file in which every row is right.
type Checked struct {
	Merchant    string
	Format      Format
	Columns     []string // of the header; of JSON, every member in the sequence of the template
	Count       int
	Totals      []money.Amount // by currency
	Fingerprint string         // of an order.BatchDigest

	file    io.ReaderAt
	size    int64
	options Options
}

// File returns the file itself.
func (c *Checked) File() io.ReaderAt { return c.file }

// Size returns the size of the file in bytes.
func (c *Checked) Size() int64 { return c.size }

// Country returns the country that the rows were checked for.
func (c *Checked) Country() string { return c.options.Country }

// ID returns the batch's id: the same rows in the same sequence have the same one,
// whatever format they came in.
func (c *Checked) ID() string { return c.Fingerprint[:order.BatchIDDigits] }

// Check reads a file and checks every row. The error is a *Faults.
func Check(file io.ReaderAt, size int64, o Options) (*Checked, error) {
	return check(file, size, o, usual)
}

func check(file io.ReaderAt, size int64, o Options, most limits) (*Checked, error) {
	c := newChecker(o, most)
	format, fault := formatOf(file, size)
	if fault == nil {
		fault = c.read(format, file, size, func(Row) bool { return true })
	}
	if fault != nil {
		c.fault(*fault)
	}
	c.checkTotals()
	if c.faults.Count > 0 {
		return nil, c.faults
	}
	return &Checked{
		Merchant: o.Merchant, Format: format, Columns: c.header(), Count: c.count, Totals: c.totals(),
		Fingerprint: c.content.Sum(), file: file, size: size, options: o,
	}, nil
}

// Batch returns the batch of the file.
func (c *Checked) Batch(name string) order.Batch {
	return order.Batch{
		Merchant: c.Merchant, ID: c.ID(), Fingerprint: c.Fingerprint, Name: name, Columns: c.Columns, Rows: c.Count, Totals: c.Totals,
	}
}

// Numbered is Rows with the sequence of each row.
func (c *Checked) Numbered() iter.Seq2[order.BatchRow, error] {
	return func(yield func(order.BatchRow, error) bool) {
		seq := 0
		for row, err := range c.Rows() {
			seq++
			if !yield(order.BatchRow{Seq: seq, Line: row.Line, Request: row.Request}, err) {
				return
			}
		}
	}
}

// ParseTotal reads a control total, such as PKR=12345.00.
func ParseTotal(text string) (money.Amount, error) {
	currency, number, _ := strings.Cut(text, "=")
	return money.Parse(number, currency)
}

// Rows reads the file again, row by row. A row has no requester and no signature. The
// iteration ends after an error.
func (c *Checked) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		again := newChecker(c.options, usual)
		again.again = true
		stopped := false
		fault := again.read(c.Format, c.file, c.size, func(row Row) bool {
			stopped = !yield(row, nil)
			return !stopped
		})
		if fault != nil && !stopped {
			yield(Row{}, errors.New(fault.String()))
		}
	}
}

// formatOf returns the format of a file by its first bytes.
func formatOf(file io.ReaderAt, size int64) (Format, *Fault) {
	if size > MaxBytes {
		return "", &Fault{Code: CodeTooLarge, Message: fmt.Sprintf("the file has more than %d MB; divide it", MaxBytes>>20)}
	}
	text := bufio.NewReader(io.NewSectionReader(file, 0, size))
	head, _ := text.Peek(headBytes) // a file that cannot be read is reported by its reader
	format, broken := sheet.FormatOf(head)
	_, _ = text.Discard(beginOf(head)) // it was peeked
	for {
		switch first, err := text.ReadByte(); {
		case err != nil:
			return "", &Fault{Code: CodeEmpty, Message: "the file is empty"}
		case strings.ContainsRune(" \t\r\n", rune(first)):
		case first == '[' || first == '{':
			return JSON, nil
		default:
			return Format(format), broken.Fault(sheetCodes)
		}
	}
}

// headBytes is how much of a file tells its format.
const headBytes = 8

// beginOf returns where the text of a file begins: after its byte order mark.
func beginOf(head []byte) int {
	if bytes.HasPrefix(head, utf8BOM) {
		return len(utf8BOM)
	}
	return 0
}

// record is a row as it was read.
type record struct {
	sheet.Row
	names []string // of the cells, in JSON; nil: the header has them
}

// reader calls each for every record until it returns false. A fault ends the file.
type reader func(file io.ReaderAt, size int64, most limits, each func(record) bool) *Fault

var readers = map[Format]reader{CSV: readCSV, XLSX: readXLSX, JSON: readJSON}

// checker checks a file row by row.
type checker struct {
	options Options
	most    limits
	again   bool // the file was checked before
	faults  *Faults
	columns *columns
	count   int
	seen    map[string]seen // by number
	folded  map[string]int  // lines by number in lower case
	sums    map[string]money.Amount
	unsure  bool // an amount could not be read
	content order.BatchDigest
}

// seen is a number that a row has.
type seen struct {
	line    int
	content [sha256.Size]byte
}

func newChecker(o Options, most limits) *checker {
	return &checker{
		options: o, most: most, faults: &Faults{Code: CodeInvalid}, seen: make(map[string]seen), folded: make(map[string]int),
		sums: make(map[string]money.Amount), content: order.NewBatchDigest(o.Merchant),
	}
}

func (c *checker) fault(f Fault) { c.faults.Add(f, c.most.faults) }

func (c *checker) wrong(line int, column, code, format string, values ...any) {
	c.fault(Fault{Line: line, Column: column, Code: code, Message: fmt.Sprintf(format, values...)})
}

// read reads the file. good gets each row; with faults, rows may be wrong.
func (c *checker) read(format Format, file io.ReaderAt, size int64, good func(Row) bool) *Fault {
	if format == JSON {
		c.columns = newColumns(c.options.Country)
	}
	fault := readers[format](file, size, c.most, func(r record) bool {
		switch {
		case c.columns == nil:
			c.head(r)
			return c.columns != nil
		case r.Blank():
			return true
		case c.count == c.most.rows:
			c.wrong(r.Line, "", CodeTooLarge, "the file has more than %d rows; divide it", c.most.rows)
			return false
		}
		c.count++
		row, ok := c.row(r)
		return !ok || good(row)
	})
	if fault == nil && c.count == 0 && c.faults.Count == 0 {
		fault = &Fault{Code: CodeEmpty, Message: "the file has no row below its header"}
		if c.columns == nil || format == JSON {
			fault.Message = "the file has no row"
		}
	}
	return fault
}

// header returns the columns of the file.
func (c *checker) header() []string {
	if c.columns.names != nil {
		return c.columns.names
	}
	used := slices.DeleteFunc(slices.Clone(c.columns.known), func(name string) bool { return !c.columns.used[name] })
	for _, name := range slices.Sorted(maps.Keys(c.columns.used)) {
		if strings.HasPrefix(name, metadataPrefix) {
			used = append(used, name)
		}
	}
	return used
}

func (c *checker) totals() []money.Amount {
	var totals []money.Amount
	for _, currency := range slices.Sorted(maps.Keys(c.sums)) {
		totals = append(totals, c.sums[currency])
	}
	return totals
}

// checkTotals compares the control totals. If an amount could not be read, there is
// nothing to compare.
func (c *checker) checkTotals() {
	if c.options.Rows > 0 && c.options.Rows != c.count {
		c.wrong(0, "", CodeTotal, "the file has %d rows, and %d were announced", c.count, c.options.Rows)
	}
	if c.unsure {
		return
	}
	for _, total := range c.options.Totals {
		sum, has := c.sums[total.Currency()]
		switch {
		case !has:
			c.wrong(0, "amount", CodeTotal, "the file has nothing in %s, and a total of %s was announced", total.Currency(), total)
		case sum != total:
			c.wrong(0, "amount", CodeTotal, "the amounts sum up to %s, and %s was announced", sum, total)
		}
	}
}

// add adds a row to totals and content.
func (c *checker) add(line int, r order.Request) {
	currency := r.Amount.Currency()
	sum, has := c.sums[currency]
	if !has {
		sum = r.Amount
	} else {
		var err error
		if sum, err = sum.Add(r.Amount); err != nil {
			c.unsure = true
			c.wrong(line, "amount", codes.SumTooLarge, "with this row the total in %s is larger than can be held; divide the file", currency)
			return
		}
	}
	c.sums[currency] = sum
}

// once refuses a number that an earlier row has.
func (c *checker) once(line int, r order.Request) {
	text := r.Fingerprint()
	c.content.Add(text)
	var sum [sha256.Size]byte
	_, _ = hex.Decode(sum[:], []byte(text))
	before, twice := c.seen[r.Number]
	folded := strings.ToLower(r.Number)
	twin, like := c.folded[folded]
	switch {
	case twice && before.content == sum:
		c.wrong(line, "number", CodeRepeated, "the row repeats line %d; leave one of them out", before.line)
	case twice:
		c.wrong(line, "number", CodeConflict, "line %d has the same number with other content; each payment has a number of its own", before.line)
	case like:
		c.wrong(line, "number", order.CodeNumberTwin, "the number differs from that of line %d in capitals only", twin)
	default:
		c.seen[r.Number], c.folded[folded] = seen{line, sum}, line
	}
}
