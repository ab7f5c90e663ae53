package report

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/tarspay-payouts/orchestrator/money"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// days returns the days of testdata/days.json.
func days(t *testing.T) (all []Day) {
	t.Helper()
	text, err := os.ReadFile("testdata/days.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &all))
	return all
}

func written(t *testing.T, format Format, all []Day) []byte {
	t.Helper()
	var file bytes.Buffer
	require.NoError(t, Write(&file, format, all))
	return file.Bytes()
}

func requireGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

func TestFiles(t *testing.T) {
	t.Parallel()
	requireGolden(t, "day.csv", written(t, CSV, days(t)))
	requireGolden(t, "day.html", written(t, HTML, days(t)))
	require.ErrorContains(t, Write(&bytes.Buffer{}, "pdf", nil), `no format "pdf"`)
}

// The sum of the movements' effects is what the balance moved by, in every format.
func TestSumsOfCSV(t *testing.T) {
	t.Parallel()
	d := days(t)[0]
	rows, err := csv.NewReader(bytes.NewReader(written(t, CSV, days(t)))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, csvHead, rows[0])
	sum, total := int64(0), int64(0)
	for _, row := range rows[1:] {
		require.Equal(t, []string{d.Merchant, d.Currency, string(d.Day), d.Zone}, row[:4])
		if row[4] != "movements" || row[6] != "effect" {
			continue
		}
		effect, err := money.Parse(strings.TrimPrefix(row[7], "-"), d.Currency)
		require.NoError(t, err)
		minor := effect.Minor()
		if strings.HasPrefix(row[7], "-") {
			minor = -minor
		}
		if row[5] == "sum" {
			total = minor
		} else {
			sum += minor
		}
	}
	require.Equal(t, total, sum)
	require.Equal(t, d.Closing.Minor()-d.Opening.Minor(), sum)
}

// cells reads a sheet back, as people see it.
func cells(t *testing.T, file []byte) [][]string {
	t.Helper()
	book, err := excelize.OpenReader(bytes.NewReader(file))
	require.NoError(t, err)
	defer func() { require.NoError(t, book.Close()) }()
	require.Len(t, book.GetSheetList(), 1)
	rows, err := book.GetRows(book.GetSheetList()[0])
	require.NoError(t, err)
	return rows
}

// shownCells are the cells that a workbook of the day must show.
func shownCells(d Day) [][]string {
	all := [][]string{{Title(d)}, {Frame(d)}}
	for _, s := range Sections(d) {
		head := []string{s.Title}
		for _, column := range s.Columns {
			head = append(head, column.Title)
		}
		all = append(all, nil, head)
		if len(s.Rows) == 0 {
			all = append(all, []string{s.Empty})
		}
		for _, row := range s.Rows {
			line := []string{row.Title}
			for _, cell := range row.Cells {
				line = append(line, cell.Shown())
			}
			all = append(all, line)
		}
	}
	return all
}

func TestWorkbook(t *testing.T) {
	t.Parallel()
	d := days(t)[0]
	require.Equal(t, shownCells(d), cells(t, written(t, XLSX, []Day{d})))
	d.Gateway, d.GatewayUnknown = nil, "it was not asked"
	d.Movements, d.Corrections, d.Discrepancies, d.Closing = nil, nil, nil, d.Opening
	require.Equal(t, shownCells(d), cells(t, written(t, XLSX, []Day{d})))
}

// Amounts are numbers in the file, so that a spreadsheet adds them up. An amount with more
// digits than a spreadsheet keeps is a text.
func TestWorkbookHasNumbers(t *testing.T) {
	t.Parallel()
	d := days(t)[0]
	large, err := money.Minor(1234567890123456, "PKR")
	require.NoError(t, err)
	d.Opening = large
	book, err := excelize.OpenReader(bytes.NewReader(written(t, XLSX, []Day{d})))
	require.NoError(t, err)
	defer func() { require.NoError(t, book.Close()) }()
	sheet := book.GetSheetList()[0]
	for at, want := range map[string]excelize.CellType{"A1": excelize.CellTypeSharedString, "B5": excelize.CellTypeSharedString, "B7": excelize.CellTypeUnset} {
		kind, err := book.GetCellType(sheet, at)
		require.NoError(t, err)
		require.Equal(t, want, kind, at)
	}
	raw, err := book.GetCellValue(sheet, "B7", excelize.Options{RawCellValue: true})
	require.NoError(t, err)
	require.Equal(t, "835.00", raw)
}

// LibreOffice reads the same figures and texts. Its CSV leaves separators and zeros at the
// end out.
func TestWorkbookInLibreOffice(t *testing.T) {
	t.Parallel()
	office, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("LibreOffice is not installed: install it to open the workbook in it")
	}
	dir := t.TempDir()
	d := days(t)[0]
	path := filepath.Join(dir, "day.xlsx")
	require.NoError(t, os.WriteFile(path, written(t, XLSX, []Day{d}), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	convert := exec.CommandContext(ctx, office, "-env:UserInstallation=file://"+dir+"/profile", "--headless", "--convert-to", "csv", "--outdir", dir, path)
	said, err := convert.CombinedOutput()
	require.NoError(t, err, string(said))
	text, err := os.ReadFile(filepath.Join(dir, "day.csv"))
	require.NoError(t, err)
	reader := csv.NewReader(bytes.NewReader(text))
	rows, err := reader.ReadAll()
	require.NoError(t, err)
	var got [][]string
	for _, row := range rows {
		for len(row) > 0 && row[len(row)-1] == "" {
			row = row[:len(row)-1]
		}
		if len(row) > 0 {
			got = append(got, row)
		}
	}
	var want [][]string
	for _, row := range shownCells(d) {
		if row != nil {
			want = append(want, row)
		}
	}
	require.Len(t, got, len(want))
	for i, row := range want {
		var values []string
		for n, cell := range row {
			value, is := new(big.Rat).SetString(strings.ReplaceAll(cell, ",", ""))
			if read, also := new(big.Rat).SetString(got[i][n]); is && also && value.Cmp(read) == 0 {
				cell = got[i][n]
			}
			values = append(values, cell)
		}
		require.Equal(t, values, got[i])
	}
}

// A text of another system neither begins a formula nor ends a tag.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	d := days(t)[0]
	d.Merchant = `=HYPERLINK("http://x")`
	d.Discrepancies[0].Code = `=cmd|' /C calc'!A0`
	d.Gateway, d.GatewayUnknown = nil, `<script>alert(1)</script>`
	rows, err := csv.NewReader(bytes.NewReader(written(t, CSV, []Day{d}))).ReadAll()
	require.NoError(t, err)
	for _, row := range rows[1:] {
		for n, cell := range row {
			if cell != "" && n < len(row)-1 {
				require.NotContains(t, "=+-@", cell[:1])
			}
		}
	}
	for _, row := range cells(t, written(t, XLSX, []Day{d})) {
		if len(row) > 0 {
			require.NotContains(t, "=+-@", row[0][:1])
		}
	}
	page := string(written(t, HTML, []Day{d}))
	require.NotContains(t, page, "<script")
	require.Contains(t, page, "&lt;script&gt;alert(1)")
}

// The page loads nothing from anywhere.
func TestPageIsAlone(t *testing.T) {
	t.Parallel()
	page := string(written(t, HTML, days(t)))
	for _, part := range []string{"<script", "http:", "https:", "src=", "@import", "url("} {
		require.NotContains(t, page, part)
	}
	require.Contains(t, page, "default-src 'none'")
}

func TestGrouped(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{
		"0": "0", "999": "999", "1000": "1,000", "-1000.50": "-1,000.50", "1234567.00": "1,234,567.00", "-999999": "-999,999",
	} {
		require.Equal(t, want, grouped(number))
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	require.Equal(t, int64(0), place(5, 5, 5))
	require.Equal(t, int64(drawingWidth), place(1<<62, -1<<62, 1<<62))
	require.Equal(t, int64(drawingWidth/2), place(0, -1<<62, 1<<62))
}
