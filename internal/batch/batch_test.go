package batch

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// The same rows are the same batch, in whatever format they come.
func TestFormats(t *testing.T) {
	t.Parallel()
	list := `[{"number":"INV-1","country":"PK","way":"easypaisa","amount":"1500","customerName":"Ayesha Khan","customerAccountNumber":"03001234567","customerContact":"03001234567"},
 {"number":"INV-2","way":"HBL","amount":20,"customerName":"Khan, Bilal","customerAccountNumber":"0071000123456","customerContact":null}]`
	shared := [][]any{soundLines[0], soundLines[1], append([]any{}, soundLines[2]...)}
	shared[2][3], shared[2][4] = 20, "Khan, Bilal"
	var ids []string
	for name, test := range map[string]struct {
		file    string
		format  Format
		second  int // the line of the second row
		columns int
	}{
		"comma":          {sound, CSV, 3, 7},
		"with a mark":    {string(utf8BOM) + sound, CSV, 3, 7},
		"CRLF":           {strings.ReplaceAll(sound, "\n", "\r\n"), CSV, 3, 7},
		"semicolon":      {strings.ReplaceAll(strings.ReplaceAll(sound, ",", ";"), "Khan; Bilal", "Khan, Bilal"), CSV, 3, 7},
		"tab":            {strings.ReplaceAll(strings.ReplaceAll(sound, ",", "\t"), "Khan\t Bilal", "Khan, Bilal"), CSV, 3, 7},
		"blank lines":    {strings.ReplaceAll(sound, "\n", "\n,,,,,,\n\n"), CSV, 7, 7},
		"list":           {list, JSON, 2, 7},
		"lines":          {strings.NewReplacer("[", "", "]", "", "},", "}").Replace(list), JSON, 2, 7},
		"workbook":       {string(workbookOf(t, nil, shared...)), XLSX, 3, 7},
		"rows at bottom": {string(workbookOf(t, nil, append(shared, []any{}, []any{"", ""})...)), XLSX, 3, 7},
		"hidden sheet": {string(workbookOf(t, func(book *excelize.File) {
			_, err := book.NewSheet("lists")
			require.NoError(t, err)
			require.NoError(t, book.SetCellStr("lists", "A1", "easypaisa"))
			require.NoError(t, book.SetSheetVisible("lists", false))
		}, shared...)), XLSX, 3, 7},
	} {
		c := checked(t, []byte(test.file), pakistan)
		require.Equal(t, test.format, c.Format, name)
		require.Equal(t, 2, c.Count, name)
		require.Len(t, c.Columns, test.columns, name)
		require.Equal(t, []money.Amount{amount(t, "1520", "PKR")}, c.Totals, name)
		found := rows(t, c)
		require.Len(t, found, 2, name)
		require.Equal(t, test.second, found[1].Line, name)
		require.Equal(t, order.Request{
			Kind: order.Withdrawal, Merchant: merchant, Number: "INV-2", Country: "PK", Way: "HBL", Amount: amount(t, "20", "PKR"),
			Details: map[string]string{"customerName": "Khan, Bilal", "customerAccountNumber": "0071000123456"},
		}, found[1].Request, name)
		require.Len(t, c.ID(), 16)
		ids = append(ids, c.Fingerprint)
	}
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	require.NotEqual(t, ids[0], checked(t, []byte(sound), Options{Merchant: "M2", Country: "PK"}).Fingerprint)
	require.NotEqual(t, ids[0], checked(t, []byte(strings.Replace(sound, "1500", "1501", 1)), pakistan).Fingerprint)
}

// Everything that is wrong is reported, with its line, column and code.
func TestFaults(t *testing.T) {
	t.Parallel()
	row := func(from, to string) string {
		require.Contains(t, sound, from)
		return strings.Replace(sound, from, to, 1)
	}
	utf16le := func(text string) string {
		out := "\xff\xfe"
		for _, u := range utf16.Encode([]rune(text)) {
			out += string([]byte{byte(u), byte(u >> 8)})
		}
		return out
	}
	with := func(change func(*Options)) Options {
		o := pakistan
		change(&o)
		return o
	}
	for name, test := range map[string]struct {
		file   string
		o      Options
		faults []string
	}{
		"empty":                {"", pakistan, []string{"0  BATCH_EMPTY"}},
		"blanks":               {"\ufeff \n", pakistan, []string{"0  BATCH_EMPTY"}},
		"header alone":         {header + "\n", pakistan, []string{"0  BATCH_EMPTY"}},
		"no rows in JSON":      {"[]", pakistan, []string{"0  BATCH_EMPTY"}},
		"too large":            {strings.Repeat(" ", MaxBytes+1), pakistan, []string{"0  BATCH_TOO_LARGE"}},
		"UTF-16":               {utf16le(sound), pakistan, []string{"0  BATCH_ENCODING"}},
		"UTF-16 without mark":  {utf16le(sound)[2:], pakistan, []string{"0  BATCH_ENCODING"}},
		"Latin-1":              {row("Ayesha", "Ay\xe9sha"), pakistan, []string{"2  BATCH_ENCODING"}},
		"old workbook":         {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", pakistan, []string{"0  BATCH_UNREADABLE"}},
		"no header":            {strings.SplitN(sound, "\n", 2)[1], pakistan, []string{"1 column A BATCH_COLUMN_UNKNOWN", "1 column B BATCH_COLUMN_UNKNOWN", "1 column C BATCH_COLUMN_UNKNOWN", "1 column D BATCH_COLUMN_UNKNOWN", "1 column E BATCH_COLUMN_UNKNOWN", "1 column F BATCH_COLUMN_UNKNOWN", "1 column G BATCH_COLUMN_UNKNOWN", "1 number BATCH_COLUMN_MISSING", "1 way BATCH_COLUMN_MISSING", "1 amount BATCH_COLUMN_MISSING"}},
		"two headers":          {row("\n", "\n"+header+"\n"), pakistan, []string{"2  BATCH_TWO_HEADERS"}},
		"unknown column":       {row("customerContact", "Customer Contact"), pakistan, []string{"1 column G BATCH_COLUMN_UNKNOWN"}},
		"repeated column":      {row("customerContact", "customerName"), pakistan, []string{"1 customerName BATCH_COLUMN_REPEATED"}},
		"missing column":       {strings.ReplaceAll(row("way,", "merchant,"), "easypaisa", merchant), pakistan, []string{"1 way BATCH_COLUMN_MISSING"}},
		"nameless column":      {strings.ReplaceAll(sound, "\n", ",\n"), pakistan, []string{"1 column H BATCH_COLUMN_UNKNOWN"}},
		"too few cells":        {row(",03001234567,03001234567", ",03001234567"), pakistan, []string{"2  BATCH_CELLS"}},
		"too many cells":       {row(",03001234567,03001234567", ",03001234567,03001234567,x"), pakistan, []string{"2  BATCH_CELLS"}},
		"a quote":              {row("Ayesha Khan", `Ayesha "Khan`), pakistan, []string{"2  BATCH_UNREADABLE"}},
		"repeated row":         {sound + "INV-1,,easypaisa,1500,Ayesha Khan,03001234567,03001234567\n", pakistan, []string{"4 number BATCH_ROW_REPEATED"}},
		"number twice":         {row("INV-2", "INV-1"), pakistan, []string{"3 number BATCH_NUMBER_CONFLICT"}},
		"number in lower case": {row("INV-2", "inv-1"), pakistan, []string{"3 number ORDER_NUMBER_TWIN"}},
		"other country":        {row("INV-1,PK", "INV-1,VN"), pakistan, []string{"2 country BATCH_OTHER_COUNTRY", "2 way UNKNOWN_BANK"}},
		"unknown country":      {row("INV-1,PK", "INV-1,XX"), with(func(o *Options) { o.Country = "" }), []string{"1 column E BATCH_COLUMN_UNKNOWN", "1 column F BATCH_COLUMN_UNKNOWN", "1 column G BATCH_COLUMN_UNKNOWN"}},
		"exponent":             {row("1500", "1.5E+3"), pakistan, []string{"2 amount AMOUNT_NOT_A_NUMBER"}},
		"thousands":            {row("1500", `"1,500"`), pakistan, []string{"2 amount AMOUNT_NOT_A_NUMBER"}},
		"amount with blank":    {row("1500", " 1500"), pakistan, []string{"2 amount AMOUNT_NOT_A_NUMBER"}},
		"negative amount":      {row("1500", "-1500"), pakistan, []string{"2 amount AMOUNT_NOT_POSITIVE"}},
		"no amount":            {row("1500", ""), pakistan, []string{"2 amount AMOUNT_NOT_A_NUMBER"}},
		"formula":              {row("Ayesha Khan", "=A1"), pakistan, []string{"2 customerName BATCH_FORMULA"}},
		"text as formula":      {row("0071000123456", `"=""0071000123456"""`), pakistan, []string{"3 customerAccountNumber BATCH_FORMULA", "3 customerAccountNumber MALFORMED_FIELD"}},
		"rows announced":       {sound, with(func(o *Options) { o.Rows = 3 }), []string{"0  BATCH_TOTAL_DIFFERS"}},
		"total announced":      {sound, with(func(o *Options) { o.Totals = []money.Amount{amount(t, "1521", "PKR")} }), []string{"0 amount BATCH_TOTAL_DIFFERS"}},
		"other currency":       {sound, with(func(o *Options) { o.Totals = []money.Amount{amount(t, "1520", "VND")} }), []string{"0 amount BATCH_TOTAL_DIFFERS"}},
		"above a limit":        {sound, with(func(o *Options) { o.Limits = order.Limits{"PKR": amount(t, "1000", "PKR")} }), []string{"2 amount AMOUNT_TOO_LARGE"}},
		"what nobody may": {sound, with(func(o *Options) {
			o.Permit = func(r order.Request) *order.Refusal {
				if r.Number == "INV-2" {
					return order.Refuse("ROLE_MISSING", "no")
				}
				return nil
			}
		}), []string{"3 amount ROLE_MISSING"}},
		"several": {row("INV-1,PK,easypaisa,1500", "INV 1,PK,easypaissa,15.5.0"), pakistan, []string{"2 amount AMOUNT_NOT_A_NUMBER", "2 number ORDER_NUMBER_MALFORMED", "2 way UNKNOWN_BANK"}},

		"member twice":        {"[\n{\"number\":\"1\",\"number\":\"2\"}]", pakistan, []string{"2  BATCH_UNREADABLE"}},
		"no object":           {"[\n\n1]", pakistan, []string{"3  BATCH_UNREADABLE"}},
		"after the list":      {"[]\n{}", pakistan, []string{"2  BATCH_UNREADABLE"}},
		"unknown member":      {`{"number":"1","way":"easypaisa","amount":"500","customerAccountNumber":"03001234567","colour":"red"}`, pakistan, []string{"1  BATCH_COLUMN_UNKNOWN"}},
		"number as number":    {`{"number":17,"way":"easypaisa","amount":500,"customerAccountNumber":"03001234567"}`, pakistan, []string{"1 number BATCH_CELL_NOT_TEXT"}},
		"amount as a float":   {`{"number":"1","way":"easypaisa","amount":5e2,"customerAccountNumber":"03001234567"}`, pakistan, []string{"1 amount AMOUNT_NOT_A_NUMBER"}},
		"a list in an object": {`{"number":"1","way":["easypaisa"],"amount":"500","customerAccountNumber":"03001234567"}`, pakistan, []string{"1 way BATCH_CELL_NOT_TEXT"}},
	} {
		require.Equal(t, test.faults, faults(t, test.file, test.o), name)
	}
	found := faults(t, `[{"number":"1"}`, pakistan)
	require.Equal(t, "1  BATCH_UNREADABLE", found[len(found)-1])

	foreign := strings.ReplaceAll(sound, "\n", ",M2\n")
	foreign = strings.Replace(foreign, ",M2\n", ",merchant\n", 1)
	require.Equal(t, []string{"2 merchant BATCH_OTHER_MERCHANT", "3 merchant BATCH_OTHER_MERCHANT"}, faults(t, foreign, pakistan))
	require.Equal(t, 2, checked(t, []byte(foreign), Options{Merchant: "M2", Country: "PK"}).Count)
	checked(t, []byte(sound), with(func(o *Options) { o.Rows, o.Totals = 2, []money.Amount{amount(t, "1520", "PKR")} }))
}

// A number that a spreadsheet has mangled is refused with a hint, and never repaired.
func TestMangledCells(t *testing.T) {
	t.Parallel()
	for value, hint := range map[string]string{
		"3.00123E+10":       "scientific notation",
		"3001234567":        "the leading 0 is missing",
		"03001234567.0":     "decimal fraction",
		"'03001234567":      "apostrophe",
		"0300\u00a01234567": "a blank of another kind",
		"\"3,001,234,567\"": "separators between its digits",
		"\u200b03001234567": "a character that is not seen",
	} {
		found := faultsOf(t, []byte(strings.Replace(sound, "03001234567,03001234567", value+",", 1)), pakistan)
		require.Len(t, found, 1, value)
		require.Equal(t, 2, found[0].Line)
		require.Equal(t, "customerAccountNumber", found[0].Column)
		require.Equal(t, tarspay.ViolationMalformed, found[0].Code)
		require.Contains(t, found[0].Message, hint)
	}
}

// What a workbook shows is not always what it has.
func TestWorkbookFaults(t *testing.T) {
	t.Parallel()
	line := func(at int, value any) [][]any {
		changed := [][]any{soundLines[0], append([]any{}, soundLines[1]...), soundLines[2]}
		changed[1][at] = value
		return changed
	}
	const account, name = 5, 4
	for title, test := range map[string]struct {
		file   []byte
		faults []string
	}{
		"account as a number": {workbookOf(t, nil, line(account, 3001234567)...), []string{"2 customerAccountNumber BATCH_CELL_NOT_TEXT", "2 customerAccountNumber MALFORMED_FIELD"}},
		"order number":        {workbookOf(t, nil, line(0, 17)...), []string{"2 number BATCH_CELL_NOT_TEXT"}},
		"truth value":         {workbookOf(t, nil, line(name, true)...), []string{"2 customerName BATCH_CELL_NOT_TEXT"}},
		"amount as a float":   {workbookOf(t, nil, line(3, 1500.005)...), []string{"2 amount AMOUNT_PRECISION"}},
		"formula": {workbookOf(t, func(book *excelize.File) {
			require.NoError(t, book.SetCellFormula("Sheet1", "D2", "=1000+500"))
		}, soundLines...), []string{"2 amount BATCH_FORMULA"}},
		"merged cells": {workbookOf(t, func(book *excelize.File) {
			require.NoError(t, book.MergeCell("Sheet1", "E2", "E3"))
		}, soundLines...), []string{"2  BATCH_MERGED_CELLS"}},
		"hidden row": {workbookOf(t, func(book *excelize.File) {
			require.NoError(t, book.SetRowVisible("Sheet1", 3, false))
		}, soundLines...), []string{"3  BATCH_HIDDEN"}},
		"hidden column": {workbookOf(t, func(book *excelize.File) {
			require.NoError(t, book.SetColVisible("Sheet1", "F", false))
		}, soundLines...), []string{"1  BATCH_HIDDEN"}},
		"second sheet": {workbookOf(t, func(book *excelize.File) {
			_, err := book.NewSheet("more")
			require.NoError(t, err)
			require.NoError(t, book.SetCellStr("more", "B7", "x"))
		}, soundLines...), []string{"0  BATCH_SEVERAL_SHEETS"}},
		"cells beyond":  {workbookOf(t, nil, soundLines[0], append(append([]any{}, soundLines[1]...), "x")), []string{"2 column H BATCH_CELLS"}},
		"two headers":   {workbookOf(t, nil, soundLines[0], soundLines[0], soundLines[1]), []string{"2  BATCH_TWO_HEADERS"}},
		"a title above": {workbookOf(t, nil, []any{"Payouts of May"}, soundLines[0], soundLines[1]), []string{"1 column A BATCH_COLUMN_UNKNOWN", "1 number BATCH_COLUMN_MISSING", "1 way BATCH_COLUMN_MISSING", "1 amount BATCH_COLUMN_MISSING"}},
		"no archive":    {[]byte("PK\x03\x04 and more"), []string{"0  BATCH_UNREADABLE"}},
	} {
		var found []string
		for _, f := range faultsOf(t, test.file, pakistan) {
			found = append(found, fmt.Sprintf("%d %s %s", f.Line, f.Column, f.Code))
		}
		require.Equal(t, test.faults, found, title)
	}
}

// A workbook that is damaged is refused, and no part of it is read as the whole.
func TestDamagedWorkbooks(t *testing.T) {
	t.Parallel()
	const sheet = "xl/worksheets/sheet1.xml"
	good := workbookOf(t, nil, soundLines...)
	for name, test := range map[string]struct {
		part   string
		change func(string) string
	}{
		"breaks off":        {sheet, func(text string) string { return text[:strings.Index(text, `<row r="3"`)] }},
		"rows back":         {sheet, func(text string) string { return strings.Replace(text, `<row r="3"`, `<row r="2"`, 1) }},
		"cells back":        {sheet, func(text string) string { return strings.Replace(text, `r="B2"`, `r="A2"`, 1) }},
		"cell of other row": {sheet, func(text string) string { return strings.Replace(text, `r="B2"`, `r="B9"`, 1) }},
		"text that is not":  {sheet, func(text string) string { return strings.Replace(text, `<v>0</v>`, `<v>9999</v>`, 1) }},
		"no sheet":          {"xl/_rels/workbook.xml.rels", func(text string) string { return strings.ReplaceAll(text, "sheet1", "sheet9") }},
		"broken text table": {"xl/sharedStrings.xml", func(text string) string { return text[:len(text)/2] }},
		"broken workbook":   {"xl/workbook.xml", func(text string) string { return text[:len(text)/2] }},
		"something in a row": {sheet, func(text string) string {
			return strings.Replace(text, `<row r="3"`, `<row r="3"><x/></row><row r="4"`, 1)
		}},
	} {
		found := faultsOf(t, rewritten(t, good, test.part, test.change), pakistan)
		require.Len(t, found, 1, name)
		require.Equal(t, CodeUnreadable, found[0].Code, name)
	}
}

// A formatted text is one text, and its pronunciation is no part of it.
func TestFormattedTexts(t *testing.T) {
	t.Parallel()
	file := workbookOf(t, func(book *excelize.File) {
		require.NoError(t, book.SetCellRichText("Sheet1", "E2", []excelize.RichTextRun{{Text: "Ayesha "}, {Text: "Khan", Font: &excelize.Font{Bold: true}}}))
	}, soundLines...)
	file = rewritten(t, file, "xl/sharedStrings.xml", func(text string) string {
		return strings.ReplaceAll(text, "</si>", `<rPh sb="0" eb="1"><t>said</t></rPh></si>`)
	})
	require.Equal(t, "Ayesha Khan", rows(t, checked(t, file, pakistan))[0].Request.Details["customerName"])
}

// A row may say when it is paid at the earliest.
func TestScheduledRows(t *testing.T) {
	t.Parallel()
	file := strings.Replace(strings.ReplaceAll(sound, "\n", ",2026-12-24T09:00:00+05:00\n"), ",2026-12-24T09:00:00+05:00\n", ",not_before\n", 1)
	at := rows(t, checked(t, []byte(file), pakistan))[0].Request
	require.Equal(t, "2026-12-24T04:00:00Z", Result{Request: at}.column("not_before"))
	require.Equal(t, []string{"2 not_before MALFORMED_FIELD"}, faults(t, strings.Replace(file, "2026-12-24T09:00:00+05:00", "24.12.2026", 1), pakistan))
}

// A row may name its currency: that of its country.
func TestCurrencyOfRows(t *testing.T) {
	t.Parallel()
	file := strings.Replace(strings.ReplaceAll(sound, "\n", ",PKR\n"), ",PKR\n", ",currency\n", 1)
	at := rows(t, checked(t, []byte(file), pakistan))[0].Request
	require.Equal(t, "PKR", Result{Request: at}.column("currency"))
	require.NotContains(t, at.Details, "currency")
	require.Equal(t, []string{"2 currency WRONG_CURRENCY"}, faults(t, strings.Replace(file, "PKR", "pkr", 1), pakistan))
	require.Equal(t, []string{"2 currency WRONG_CURRENCY", "2 amount AMOUNT_NOT_A_NUMBER"},
		faults(t, strings.Replace(strings.Replace(file, "PKR", "THB", 1), "1500", "1.5e3", 1), pakistan))
}

// A column of metadata is the caller's own.
func TestMetadata(t *testing.T) {
	t.Parallel()
	file := strings.Replace(strings.ReplaceAll(sound, "\n", ",A-7\n"), ",A-7\n", ",metadata.invoice\n", 1)
	c := checked(t, []byte(file), pakistan)
	require.Equal(t, map[string]string{"invoice": "A-7"}, rows(t, c)[0].Request.Metadata)
	require.NotContains(t, rows(t, c)[0].Request.Details, "metadata.invoice")
	require.Equal(t, []string{"1 column H BATCH_COLUMN_UNKNOWN"}, faults(t, strings.Replace(file, "metadata.invoice", "metadata.in voice", 1), pakistan))
	require.Equal(t, []string{"2 metadata.invoice TEXT_TOO_LONG"}, faults(t, strings.Replace(file, "A-7", strings.Repeat("x", 501), 1), pakistan))
	c = checked(t, []byte(`{"number":"1","way":"HBL","amount":"500","customerAccountNumber":"12","metadata.run":"5"}`), pakistan)
	require.Equal(t, []string{"number", "way", "amount", "customerAccountNumber", "metadata.run"}, c.Columns)
	require.Equal(t, map[string]string{"run": "5"}, rows(t, c)[0].Request.Metadata)
	require.Equal(t, "5", Result{Request: rows(t, c)[0].Request}.column("metadata.run"))
}

// There is a limit to rows and to reported faults.
func TestLimits(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("number,way,amount,customerAccountNumber\n")
	for i := range 11 {
		fmt.Fprintf(&file, "N%d,easypaisa,x,03001234567\n", i)
	}
	_, err := check(strings.NewReader(file.String()), int64(file.Len()), pakistan, limits{rows: 10, faults: 5})
	var wrong *Faults
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, 11, wrong.Count, "ten amounts, and the rows")
	require.Len(t, wrong.Faults, 5)

	_, err = check(bytes.NewReader([]byte(sound)), int64(len([]byte(sound))), pakistan, limits{rows: 1, faults: 5})
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, CodeTooLarge, wrong.Faults[0].Code)
	require.Equal(t, 3, wrong.Faults[0].Line)

	good := workbookOf(t, nil, soundLines...)
	for name, most := range map[string]limits{"all": {rows: 10, faults: 5, unpacked: 4 << 10, shared: 1 << 20}, "texts": {rows: 10, faults: 5, unpacked: 1 << 20, shared: 100}} {
		_, err = check(bytes.NewReader(good), int64(len(good)), pakistan, most)
		require.ErrorAs(t, err, &wrong, name)
		require.Equal(t, CodeTooLarge, wrong.Faults[0].Code, name)
	}
}

// A country's template is read, and its workbook keeps what is typed as text.
func TestTemplates(t *testing.T) {
	t.Parallel()
	for _, country := range tarspay.Countries() {
		if !country.Withdrawal.Documented {
			continue
		}
		for _, format := range []Format{CSV, XLSX} {
			var file strings.Builder
			require.NoError(t, WriteTemplate(&file, country, format))
			require.Equal(t, []string{"0  BATCH_EMPTY"}, faults(t, file.String(), Options{Merchant: merchant, Country: country.Code}), country.Code)
		}
	}
	var file strings.Builder
	require.NoError(t, WriteTemplate(&file, profile(t, "PK"), XLSX))
	book, err := excelize.OpenReader(strings.NewReader(file.String()))
	require.NoError(t, err)
	defer func() { require.NoError(t, book.Close()) }()
	require.Equal(t, []string{"payouts", sheet.HelpSheet}, book.GetSheetList())
	for column, want := range map[string]int{"A": 49, "D": 0, "F": 49} {
		id, err := book.GetColStyle("payouts", column)
		require.NoError(t, err)
		style, err := book.GetStyle(id)
		require.NoError(t, err)
		require.Equal(t, want, style.NumFmt, column)
	}
	lines, err := book.GetRows(sheet.HelpSheet)
	require.NoError(t, err)
	require.Equal(t, []string{"customerAccountNumber", "it, or another one that names who is paid"}, lines[6])
}
