package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/batch"
)

// salaries is a file with two right rows.
const salaries = "number,way,amount,customerName,customerAccountNumber\n" +
	"S-1,easypaisa,1500,Ayesha Khan,03001234567\n" +
	"S-2,HBL,20,Bilal,0071000123456\n"

func fileOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "salaries.csv")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// A file is checked without a server, and everything that is wrong is told.
func TestBatchCheck(t *testing.T) {
	t.Parallel()
	path := fileOf(t, salaries)
	document := read[checkedDocument](t, "batch", "check", path, "--merchant", merchant, "--rows", "2", "--total", "PKR=1520.00")
	require.Equal(t, 2, document.Batch.Rows)
	require.Len(t, document.Batch.ID, 16)
	require.Equal(t, batch.CSV, document.Batch.Format)
	got := setup(t).run(t.Context(), "batch", "check", path, "--country", "pk")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, "the file is right; nothing was sent\nbatch "+document.Batch.ID+"\n  merchant  "+merchant+"\n  rows      2\n  total     1520.00 PKR\n", got.out)

	typed := setup(t)
	typed.typed = strings.NewReplacer("0300", "300", "HBL", "HBLL", "Ayesha", "=Ayesha").Replace(salaries)
	got = typed.run(t.Context(), "batch", "check", "-", "--merchant", merchant, "--rows", "3")
	require.Equal(t, exitUsage, got.code)
	require.Empty(t, got.out)
	require.NotContains(t, got.errs, "3001234567")
	lines := strings.Split(strings.TrimSpace(got.errs), "\n")
	require.Len(t, lines, 4, got.errs)
	require.Contains(t, lines[0], "line 2, customerName: the cell is a formula; paste its value as text (BATCH_FORMULA)")
	require.Contains(t, lines[1], "line 2, customerAccountNumber: Pakistan: customerAccountNumber must be the wallet's phone, 11 digits starting with 03: the leading 0 is missing")
	require.Equal(t, "the file has 2 rows, and 3 were announced (BATCH_TOTAL_DIFFERS)", lines[2])
	require.Equal(t, "error: the file has 3 faults; nothing was sent (BATCH_INVALID)", lines[3])

	got = typed.run(t.Context(), "batch", "check", "-", "--merchant", merchant, "--json")
	var wrong faultsDocument
	require.NoError(t, json.Unmarshal([]byte(got.out), &wrong), got.out)
	require.Equal(t, exitUsage, got.code)
	require.Equal(t, batch.CodeInvalid, wrong.Error.Code)
	require.Equal(t, 2, wrong.Count)
	require.Equal(t, 2, wrong.Faults[1].Line)

	for name, args := range map[string][]string{
		"no such file": {"batch", "check", "none.csv", "--merchant", merchant},
		"total":        {"batch", "check", path, "--merchant", merchant, "--total", "1520"},
		"rows":         {"batch", "check", path, "--merchant", merchant, "--rows", "-1"},
		"no merchant":  {"batch", "check", path},
	} {
		require.Equal(t, exitUsage, setup(t).run(t.Context(), args...).code, name)
	}
}

// A template is printed or written to a new file.
func TestBatchTemplate(t *testing.T) {
	t.Parallel()
	got := setup(t).run(t.Context(), "batch", "template", "pk")
	require.Equal(t, "number,country,way,amount,customerName,customerAccountNumber,customerContact,customerEmail\n", got.out)
	require.Equal(t, "number", read[templateDocument](t, "batch", "template", "PK").Columns[0])
	require.Equal(t, exitUsage, setup(t).run(t.Context(), "batch", "template", "PK", "--xlsx").code)
	path := filepath.Join(t.TempDir(), "t.xlsx")
	require.Equal(t, exitDone, setup(t).run(t.Context(), "batch", "template", "PK", "--xlsx", "-o", path).code)
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "PK\x03\x04", string(file[:4]))
	got = setup(t).run(t.Context(), "batch", "template", "PK", "--xlsx", "-o", path)
	require.Contains(t, got.errs, codeFileExists)
}
