package httpapi

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// A template comes as text, or as a workbook to those who accept one.
func TestBatchTemplate(t *testing.T) {
	t.Parallel()
	h := setup(t)
	got := h.as(t, "billing", http.MethodGet, "/v1/countries/VN/batch-template", "")
	require.Equal(t, http.StatusOK, got.status, got.text)
	require.Equal(t, "text/csv; charset=utf-8", got.header.Get("Content-Type"))
	require.Contains(t, got.text, "number,country,way,amount,")
	got = h.as(t, "billing", http.MethodGet, "/v1/countries/VN/batch-template", "", "Accept", typeXLSX)
	require.Equal(t, typeXLSX, got.header.Get("Content-Type"))
	require.Equal(t, "attachment; filename=payouts-VN.xlsx", got.header.Get("Content-Disposition"))
	require.Equal(t, "PK\x03\x04", got.text[:4])
	require.Equal(t, tarspay.ViolationCountry, h.as(t, "billing", http.MethodGet, "/v1/countries/XX/batch-template", "").problem(t).Code)
}
