package batch

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// WriteTemplate writes a country's template: a header and no row. In a workbook every
// column but the amount is text, and the sheet "help" says what goes where.
func WriteTemplate(w io.Writer, profile *tarspay.Profile, format Format) error {
	if format != XLSX {
		out := csv.NewWriter(w)
		if err := out.Write(Columns(profile)); err != nil {
			return fmt.Errorf("write the template: %w", err)
		}
		out.Flush()
		return out.Error()
	}
	book := excelize.NewFile()
	defer func() { _ = book.Close() }()
	const rows = "payouts"
	if err := book.SetSheetName("Sheet1", rows); err != nil {
		return fmt.Errorf("write the template: %w", err)
	}
	if err := writeHeader(book, rows, Columns(profile)); err != nil {
		return fmt.Errorf("write the template: %w", err)
	}
	if _, err := book.NewSheet(sheet.HelpSheet); err != nil {
		return fmt.Errorf("write the template: %w", err)
	}
	for i, line := range help(profile) {
		if err := book.SetSheetRow(sheet.HelpSheet, fmt.Sprintf("A%d", i+1), &line); err != nil {
			return fmt.Errorf("write the template: %w", err)
		}
	}
	if err := book.SetColWidth(sheet.HelpSheet, "A", "C", helpWidth); err != nil {
		return fmt.Errorf("write the template: %w", err)
	}
	if _, err := book.WriteTo(w); err != nil {
		return fmt.Errorf("write the template: %w", err)
	}
	return nil
}

// Widths of columns, in characters.
const (
	columnWidth = 24
	helpWidth   = 48
)

// writeHeader writes the header of a template. Excel keeps what is typed below as text.
func writeHeader(book *excelize.File, sheet string, columns []string) error {
	const asText = 49 // the number format @
	text, err := book.NewStyle(&excelize.Style{NumFmt: asText})
	if err != nil {
		return err
	}
	for i, name := range columns {
		letter, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		if name != columnAmount {
			if err := book.SetColStyle(sheet, letter, text); err != nil {
				return err
			}
		}
		if err := book.SetCellStr(sheet, letter+"1", name); err != nil {
			return err
		}
	}
	last, err := excelize.ColumnNumberToName(len(columns))
	if err != nil {
		return err
	}
	if err := book.SetColWidth(sheet, "A", last, columnWidth); err != nil {
		return err
	}
	return book.SetPanes(sheet, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
}

// help returns the rows of the sheet that explains the columns, and the country's ways.
func help(profile *tarspay.Profile) [][]string {
	lines := [][]string{
		{"column", "needed", "what goes there"},
		{columnNumber, "yes", "your order number, chosen once per payment: letters, digits, hyphen and underscore"},
		{columnCountry, "no", profile.Code + ", or empty"},
		{columnWay, "yes", "the gateway's code of the wallet or bank, exactly as below"},
		{columnAmount, "yes", "in " + profile.Currency + ": digits, and one dot before decimals; no separators"},
	}
	for _, field := range profile.Withdrawal.Fields {
		lines = append(lines, []string{field.Name, needs(profile, field), strings.TrimSpace(field.Rule)})
	}
	lines = append(lines, []string{}, []string{"way", "kind", "name"})
	for _, way := range profile.Ways(order.Withdrawal.Direction()) {
		if !way.Closed {
			lines = append(lines, []string{way.Code, way.Kind, strings.Join(way.Names, ", ")})
		}
	}
	return lines
}

func needs(profile *tarspay.Profile, field tarspay.Field) string {
	switch {
	case field.Required:
		return "yes"
	case len(field.RequiredFor) > 0:
		return "for " + strings.Join(field.RequiredFor, ", ")
	case len(field.RequiredUnless) > 0:
		return "unless the way is " + strings.Join(field.RequiredUnless, ", ")
	}
	for _, rule := range profile.Withdrawal.Payee {
		if slices.Contains(rule.Members, field.Name) {
			return "it, or another one that names who is paid"
		}
	}
	return "no"
}
