package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// today is the day at the merchant.
func today() string {
	profile, _ := tarspay.Country("PK")
	return string(order.DateOf(time.Now(), profile.TimeZone))
}

func TestDayReport(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.opened(t, merchant, "INV-1")
	path := "/v1/reports/day?so_far=true&merchant=" + merchant + "&day=" + today()
	got := h.as(t, "desk", http.MethodGet, path, "")
	require.Equal(t, http.StatusOK, got.status, got.text)
	var found payouts.DayReports
	require.NoError(t, json.Unmarshal([]byte(got.text), &found))
	require.Len(t, found.Days, 1)
	require.Equal(t, "100000.00 PKR", found.Days[0].Closing.String())
	require.Equal(t, "Asia/Karachi", found.Days[0].Zone)
	for _, test := range []struct{ accept, format, contentType, begins string }{
		{typeCSV, "", "text/csv; charset=utf-8", "merchant,currency,day,time_zone,section,row,figure,value"},
		{"", "csv", "text/csv; charset=utf-8", "merchant,currency,day"},
		{typeXLSX, "", typeXLSX, "PK"},
		{typeCSV, "xlsx", typeXLSX, "PK"},
		{"text/html,application/xhtml+xml", "", "text/html; charset=utf-8", "<!DOCTYPE html>"},
		{"application/json", "", "application/json", `{"days":[`},
		{typeHTML, "json", "application/json", `{"days":[`},
		{"*/*", "", "application/json", `{"days":[`},
	} {
		asked := path
		if test.format != "" {
			asked += "&format=" + test.format
		}
		got := h.as(t, "desk", http.MethodGet, asked, "", "Accept", test.accept)
		require.Equal(t, http.StatusOK, got.status, got.text)
		require.Equal(t, test.contentType, got.header.Get("Content-Type"))
		require.True(t, strings.HasPrefix(got.text, test.begins), got.text)
	}
}

func TestDayReportRefuses(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for query, code := range map[string]string{
		"day=2026-13-01": order.CodeDate, "day=": order.CodeInvalidRequest,
		"day=2199-01-01": ledger.CodeDayFuture, "day=2199-01-01&so_far=true": ledger.CodeDayFuture,
		"day=" + today(): ledger.CodeDayNotOver, "day=2020-01-01&merchant=" + merchant: ledger.CodeDayBooks,
		"day=2020-01-01&merchant=M9": order.CodeUnknownMerchant, "day=2020-01-01&currency=RUP": order.CodeCurrency,
		"day=2020-01-01&currency=VND&merchant=" + merchant: "BOOKS_CLOSED",
		"day=2020-01-01&format=pdf":                        order.CodeInvalidRequest,
	} {
		got := h.as(t, "desk", http.MethodGet, "/v1/reports/day?"+query, "")
		require.Contains(t, got.text, `"code":"`+code+`"`, query)
		require.GreaterOrEqual(t, got.status, 400)
	}
}
