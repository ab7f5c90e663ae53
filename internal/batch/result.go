package batch

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Result is a row with what became of it.
type Result struct {
	Request order.Request
	order.Standing
	EndedAt time.Time // zero: it has not ended
	Hidden  string    // stands for members that cannot be read: "encrypted" or "erased"
}

// added are the columns of a result that the file did not have.
var added = []string{"state", "code", "reason", "gateway_id", "fee", "paid", "ended_at"}

// ResultColumns returns the header of the file of results: the file's columns, then
// state, code, reason, gateway_id, fee, paid and ended_at.
func ResultColumns(columns []string) []string {
	return append(append([]string{}, columns...), added...)
}

// WriteResult writes the file of results: the same columns and rows, with columns
// added. A cell whose text would begin a formula has an apostrophe before it.
func WriteResult(w io.Writer, format Format, columns []string, rows iter.Seq2[Result, error]) error {
	write := writeCSVRows
	if format == XLSX {
		write = writeXLSXRows
	}
	if err := write(w, columns, rows); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}

func writeCSVRows(w io.Writer, columns []string, rows iter.Seq2[Result, error]) error {
	out := csv.NewWriter(w)
	if err := out.Write(ResultColumns(columns)); err != nil {
		return err
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		if err := out.Write(row.cells(columns)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func writeXLSXRows(w io.Writer, columns []string, rows iter.Seq2[Result, error]) error {
	book := excelize.NewFile()
	defer func() { _ = book.Close() }()
	sheet, err := book.NewStreamWriter("Sheet1")
	if err != nil {
		return err
	}
	line := 0
	put := func(cells []string) error {
		line++
		values := make([]any, len(cells))
		for i, text := range cells {
			values[i] = text
		}
		return sheet.SetRow(fmt.Sprintf("A%d", line), values)
	}
	if err := put(ResultColumns(columns)); err != nil {
		return err
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		if err := put(row.cells(columns)); err != nil {
			return err
		}
	}
	if err := sheet.Flush(); err != nil {
		return err
	}
	_, err = book.WriteTo(w)
	return err
}

// cells returns the row's cells.
func (r Result) cells(columns []string) []string {
	cells := make([]string, 0, len(columns)+len(added))
	for _, name := range columns {
		cells = append(cells, neutral(r.column(name)))
	}
	for _, text := range []string{
		string(r.State), r.Reason.Code, r.Reason.Text, r.GatewayID, cmp.Or(r.FeeText, plain(r.Fee)), plain(r.Paid), stamp(r.EndedAt),
	} {
		cells = append(cells, neutral(text))
	}
	return cells
}

// column returns the request's value of a column.
func (r Result) column(name string) string {
	switch name {
	case columnMerchant:
		return r.Request.Merchant
	case columnNumber:
		return r.Request.Number
	case columnCountry:
		return cmp.Or(r.Request.Country, r.Hidden)
	case columnWay:
		return cmp.Or(r.Request.Way, r.Hidden)
	case columnAmount:
		return r.Request.Amount.Short()
	case columnCurrency:
		return r.Request.Amount.Currency()
	case columnTime:
		return stamp(r.Request.NotBefore)
	}
	if r.Hidden != "" {
		return r.Hidden
	}
	if key, is := metadataKey(name); is {
		return r.Request.Metadata[key]
	}
	return r.Request.Details[name]
}

// neutral puts an apostrophe before a text that a spreadsheet would take for a formula.
func neutral(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
