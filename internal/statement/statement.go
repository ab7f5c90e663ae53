// Package statement reads a statement: a file of CSV or XLSX that a person exported from
// the gateway's portal. A Profile says what its columns have. Every line is checked before
// anything is done with one, and every fault is reported with its line, column, code and a
// sentence.
//
// It is pure: no database, no Temporal, no HTTP. A file of CSV takes the same memory
// whatever the number of its lines; a workbook takes in addition what its cells share. No
// personal data is read from it.
package statement

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Limits of a file.
const (
	MaxLines = 1_000_000
	MaxBytes = 512 << 20 // of the file as it comes
	// MaxUpload is the largest file that the api takes.
	MaxUpload = 64 << 20
)

// limits are the limits of a check.
type limits struct {
	lines  int
	faults int // that are reported; the number of all is reported, too
	sheet  sheet.Limits
}

var usual = limits{lines: MaxLines, faults: 10_000, sheet: sheet.Limits{Unpacked: 4 << 30, Shared: 512 << 20}}

// Options say how a file is read and what it is checked for.
type Options struct {
	Merchant string
	Country  *tarspay.Profile // of the merchant
	Profile  *Profile
	Now      time.Time // no line is later, but for the difference of clocks
}

// Total is the number of paid lines of one kind, and the sum of what they paid.
type Total struct {
	Kind  string       `json:"kind"`
	Lines int          `json:"lines"`
	Paid  money.Amount `json:"paid"`
}

// Checked is a file in which every line is right.
type Checked struct {
	Statement order.Statement
	Format    sheet.Format
	Repeated  sheet.Faults // lines that have the content of an earlier one, and are left out
	Totals    []Total

	file    io.ReaderAt
	size    int64
	options Options
}

// File returns the file itself.
func (c *Checked) File() io.ReaderAt { return c.file }

// Country returns the merchant's country, ISO 3166.
func (c *Checked) Country() string { return c.options.Country.Code }

// Size returns the size of the file in bytes.
func (c *Checked) Size() int64 { return c.size }

// Check reads a file and checks every line. The error is a *sheet.Faults, or that of from.
func Check(from io.ReaderAt, size int64, o Options) (*Checked, error) {
	return check(from, size, o, usual)
}

func check(from io.ReaderAt, size int64, o Options, most limits) (*Checked, error) {
	c := newChecker(o, most)
	if size > MaxBytes {
		c.fault(sheet.Fault{Code: CodeTooLarge, Message: fmt.Sprintf("the file has more than %d MB; export fewer days", MaxBytes>>20)})
		return nil, c.faults
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(from, 0, size)); err != nil {
		return nil, fmt.Errorf("read the statement: %w", err)
	}
	format, err := c.read(from, size, func(order.StatementLine) bool { return true })
	if err != nil {
		return nil, err
	}
	c.checkWindow()
	if c.faults.Count > 0 {
		return nil, c.faults
	}
	c.counts.File = hex.EncodeToString(sum.Sum(nil))
	c.counts.Fingerprint = order.StatementFingerprint(o.Merchant, o.Profile.ID, c.counts.File)
	c.counts.ID = c.counts.Fingerprint[:order.StatementIDDigits]
	c.counts.Merchant, c.counts.Profile, c.counts.Content = o.Merchant, o.Profile.Name, c.content.Sum()
	return &Checked{
		Statement: c.counts, Format: format, Repeated: c.repeated, Totals: c.totals, file: from, size: size, options: o,
	}, nil
}

// Lines reads the file again, line by line. The iteration ends after an error.
func (c *Checked) Lines() iter.Seq2[order.StatementLine, error] {
	return func(yield func(order.StatementLine, error) bool) {
		again, stopped := newChecker(c.options, usual), false
		_, err := again.read(c.file, c.size, func(line order.StatementLine) bool {
			stopped = !yield(line, nil)
			return !stopped
		})
		if err == nil && again.faults.Count > 0 {
			err = again.faults
		}
		if err != nil && !stopped {
			yield(order.StatementLine{}, err)
		}
	}
}

// checker checks a file line by line.
type checker struct {
	options  Options
	most     limits
	faults   *sheet.Faults
	repeated sheet.Faults
	columns  *columns
	counts   order.Statement
	rows     int // with the repeated ones
	seen     *seen
	totals   []Total
	content  order.StatementDigest
}

func newChecker(o Options, most limits) *checker {
	return &checker{
		options: o, most: most, faults: &sheet.Faults{Code: CodeInvalid}, repeated: sheet.Faults{Code: CodeRepeated, Faults: []sheet.Fault{}},
		content: order.NewStatementDigest(), totals: []Total{},
	}
}

func (c *checker) fault(f sheet.Fault) { c.faults.Add(f, c.most.faults) }

func (c *checker) wrong(line int, column, code, format string, values ...any) {
	c.fault(sheet.Fault{Line: line, Column: column, Code: code, Message: fmt.Sprintf(format, values...)})
}

// headBytes is how much of a file tells its format.
const headBytes = 512

// shortest is less than the shortest line of CSV has: a reference, an amount, a time, two
// separators and its end. A workbook is packed.
const shortest = 8

// read reads the file. good gets each right line that is not repeated, until it returns
// false.
func (c *checker) read(from io.ReaderAt, size int64, good func(order.StatementLine) bool) (sheet.Format, error) {
	head := make([]byte, min(size, headBytes))
	if _, err := from.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the statement: %w", err)
	}
	if size == 0 || size < headBytes && len(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))) == 0 {
		c.wrong(0, "", CodeEmpty, "the file is empty; check which file it is")
		return "", nil
	}
	format, broken := sheet.FormatOf(head)
	lines := c.most.lines
	if format == sheet.CSV {
		lines = min(lines, int(size/shortest)+1)
	}
	c.seen = newSeen(lines)
	each := func(r sheet.Row) bool { return c.row(r, good) }
	switch {
	case broken != nil:
	case format == sheet.XLSX:
		broken = sheet.ReadXLSX(from, size, c.most.sheet, each)
	default:
		broken = sheet.ReadCSV(sheet.UTF8(io.NewSectionReader(from, 0, size), c.options.Profile.latin1), each)
	}
	if broken != nil {
		c.fault(*broken.Fault(sheetCodes))
	}
	if broken == nil && c.rows == 0 && c.faults.Count == 0 {
		c.wrong(0, "", CodeEmpty, "the file has no line below its header")
	}
	return format, nil
}

// row checks a row. It returns false when nothing further is read.
func (c *checker) row(r sheet.Row, good func(order.StatementLine) bool) bool {
	switch {
	case c.columns == nil:
		c.head(r)
		return c.columns != nil
	case r.Blank():
		return true
	case c.rows == c.most.lines:
		c.wrong(r.Line, "", CodeTooLarge, "the file has more than %d lines; export fewer days", c.most.lines)
		return false
	}
	c.rows++
	line, ok := c.line(r)
	if !ok {
		return true
	}
	if earlier := c.seen.add(line.Text(), r.Line); earlier > 0 {
		c.repeated.Add(sheet.Fault{
			Line: r.Line, Code: CodeRepeated, Message: fmt.Sprintf("the line has the content of line %d; it is taken once", earlier),
		}, c.most.faults)
		return true
	}
	line.Seq, line.Line = c.counts.Lines+1, r.Line
	c.counts.Count(line)
	c.content.Add(line)
	c.add(line)
	return good(line)
}

// add adds a line to the totals.
func (c *checker) add(l order.StatementLine) {
	if !l.State.Paid() || l.Paid < 0 {
		return
	}
	kind := kindName(l.Kind)
	at := slices.IndexFunc(c.totals, func(t Total) bool { return t.Kind == kind })
	if at < 0 {
		c.totals, at = append(c.totals, Total{Kind: kind}), len(c.totals)
	}
	paid, err := money.Minor(c.totals[at].Paid.Minor(), l.Currency)
	if err == nil {
		var more money.Amount
		if more, err = money.Minor(l.Paid, l.Currency); err == nil {
			paid, err = paid.Add(more)
		}
	}
	if err != nil {
		c.wrong(l.Line, c.columns.name(fieldPaid), codes.SumTooLarge, "with this line the total is larger than can be held; export fewer days")
		return
	}
	c.totals[at].Lines++
	c.totals[at].Paid = paid
}

func kindName(kind tarspay.HistoryKind) string {
	for name, known := range kindNames {
		if known == kind {
			return name
		}
	}
	return ""
}

// longest is the longest window of a statement.
const longest = 400 * 24 * time.Hour

func (c *checker) checkWindow() {
	if c.counts.To.Sub(c.counts.From) > longest {
		c.wrong(0, c.columns.name(fieldTime), CodeWindow,
			"the lines are from %s to %s, which is more than a year; export less at once, and check the form of the times", c.counts.From.Format(time.DateOnly), c.counts.To.Format(time.DateOnly))
	}
}
