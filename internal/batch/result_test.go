package batch

import (
	"bytes"
	"encoding/csv"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/tarspay-payouts/orchestrator/order"
)

// The file of results is the file with columns added, and no cell of it is a formula.
func TestResults(t *testing.T) {
	t.Parallel()
	c := checked(t, []byte(strings.Replace(sound, "Ayesha Khan", "-Ayesha", 1)), pakistan)
	results := func() iter.Seq2[Result, error] {
		return func(yield func(Result, error) bool) {
			for row, err := range c.Rows() {
				r := Result{Request: row.Request, Standing: order.Standing{
					State: order.Succeeded, GatewayID: "P1", Paid: amount(t, "1500", "PKR"), Fee: amount(t, "12.5", "PKR"),
				}, EndedAt: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
				if row.Request.Number == "INV-2" {
					r.Standing = order.Standing{State: order.Failed, Reason: order.Reason{Code: order.CodeGatewayFailed, Text: "+1 is =2"}}
					r.EndedAt = time.Time{}
				}
				if !yield(r, err) {
					return
				}
			}
		}
	}
	want := [][]string{
		strings.Split(header+",state,code,reason,gateway_id,fee,paid,ended_at", ","),
		{"INV-1", "PK", "easypaisa", "1500", "'-Ayesha", "03001234567", "03001234567", "succeeded", "", "", "P1", "12.50", "1500.00", "2026-05-04T12:00:00Z"},
		{"INV-2", "PK", "HBL", "20", "Khan, Bilal", "0071000123456", "", "failed", "GATEWAY_FAILED", "'+1 is =2", "", "", "", ""},
	}
	var out bytes.Buffer
	require.NoError(t, WriteResult(&out, CSV, c.Columns, results()))
	lines, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Equal(t, want, lines)

	out.Reset()
	require.NoError(t, WriteResult(&out, XLSX, c.Columns, results()))
	book, err := excelize.OpenReader(&out)
	require.NoError(t, err)
	defer func() { require.NoError(t, book.Close()) }()
	lines, err = book.GetRows("Sheet1")
	require.NoError(t, err)
	for i := range want {
		require.Equal(t, strings.TrimRight(strings.Join(want[i], "|"), "|"), strings.TrimRight(strings.Join(lines[i], "|"), "|"))
	}
	kind, err := book.GetCellType("Sheet1", "D2")
	require.NoError(t, err)
	require.NotEqual(t, excelize.CellTypeNumber, kind)
}

// No text of a result begins a formula.
func TestNeutral(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx",
		"": "", "x": "x", "'x": "'x", " =1": " =1", "é": "é",
	} {
		require.Equal(t, want, neutral(text))
	}
}
