package batch

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

const merchant = "M1700000001"

var pakistan = Options{Merchant: merchant, Country: "PK"}

const header = "number,country,way,amount,customerName,customerAccountNumber,customerContact"

// sound is a file with two right rows.
const sound = header + "\n" +
	"INV-1,PK,easypaisa,1500,Ayesha Khan,03001234567,03001234567\n" +
	"INV-2,,HBL,20,\"Khan, Bilal\",0071000123456,\n"

func amount(t testing.TB, number, currency string) money.Amount {
	t.Helper()
	read, err := money.Parse(number, currency)
	require.NoError(t, err)
	return read
}

func profile(t testing.TB, country string) *tarspay.Profile {
	t.Helper()
	found, known := tarspay.Country(country)
	require.True(t, known)
	return found
}

// faults returns the faults of a file as "line column CODE".
func faults(t testing.TB, file string, o Options) []string {
	t.Helper()
	var found []string
	for _, f := range faultsOf(t, []byte(file), o) {
		found = append(found, fmt.Sprintf("%d %s %s", f.Line, f.Column, f.Code))
	}
	return found
}

func faultsOf(t testing.TB, file []byte, o Options) []Fault {
	t.Helper()
	checked, err := Check(bytes.NewReader(file), int64(len(file)), o)
	var wrong *Faults
	require.ErrorAs(t, err, &wrong, "%+v", checked)
	require.Len(t, wrong.Faults, wrong.Count)
	for _, f := range wrong.Faults {
		require.NotEmpty(t, f.Message)
	}
	return wrong.Faults
}

func checked(t testing.TB, file []byte, o Options) *Checked {
	t.Helper()
	found, err := Check(bytes.NewReader(file), int64(len(file)), o)
	require.NoError(t, err)
	return found
}

func rows(t testing.TB, c *Checked) []Row {
	t.Helper()
	var found []Row
	for row, err := range c.Rows() {
		require.NoError(t, err)
		found = append(found, row)
	}
	return found
}

// workbookOf returns a workbook with texts, or numbers, in its cells.
func workbookOf(t testing.TB, change func(*excelize.File), lines ...[]any) []byte {
	t.Helper()
	book := excelize.NewFile()
	defer func() { require.NoError(t, book.Close()) }()
	for i, line := range lines {
		require.NoError(t, book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &line))
	}
	if change != nil {
		change(book)
	}
	var out bytes.Buffer
	_, err := book.WriteTo(&out)
	require.NoError(t, err)
	return out.Bytes()
}

// anys returns the cells of a line of CSV as texts.
func anys(line string) []any {
	var cells []any
	for text := range strings.SplitSeq(line, ",") {
		cells = append(cells, text)
	}
	return cells
}

var soundLines = [][]any{anys(header), anys("INV-1,PK,easypaisa,1500,Ayesha Khan,03001234567,03001234567"), anys("INV-2,,HBL,20,Bilal,0071000123456,")}

// rewritten returns the archive with one part changed.
func rewritten(t testing.TB, file []byte, name string, change func(string) string) []byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	done := false
	for _, part := range archive.File {
		from, err := part.Open()
		require.NoError(t, err)
		var text bytes.Buffer
		_, err = text.ReadFrom(from)
		require.NoError(t, err)
		to, err := w.Create(part.Name)
		require.NoError(t, err)
		content := text.String()
		if part.Name == name {
			content, done = change(content), true
			require.NotEqual(t, text.String(), content)
		}
		_, err = to.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.True(t, done)
	return out.Bytes()
}
