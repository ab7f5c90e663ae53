package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDemo runs `dev demo`. It must end with status 0 and a summary in JSON.
func TestDemo(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"demo"}, {"demo", "--kill-worker"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			t.Parallel()
			r := run(t, nil, "dev", flags...)
			require.Zero(t, r.exit, "%s%s", r.out, r.err)
			lines := strings.Split(strings.TrimSpace(r.out), "\n")
			var summary struct {
				Orders         int    `json:"orders"`
				Terminal       int    `json:"terminal"`
				DoublePayments int    `json:"double_payments"`
				LedgerSum      int    `json:"ledger_sum"`
				Drift          string `json:"drift"`
				Broken         int    `json:"broken"`
				Forged         int    `json:"forged_refused"`
				OverHTTP       int    `json:"over_http"`
				BatchRows      int    `json:"batch_rows"`
				Delivered      int    `json:"events_delivered"`
				Scheduled      int    `json:"scheduled"`
			}
			require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &summary))
			require.Equal(t, 1, summary.Forged)
			require.Regexp(t, `\na forged callback for DEMO-\d\d +401 CALLBACK_SIGNATURE\n`, r.out)
			require.Equal(t, 127, summary.Orders)
			require.Equal(t, 127, summary.Terminal)
			require.Equal(t, 5, summary.OverHTTP)
			require.Equal(t, 100, summary.BatchRows)
			require.Equal(t, 1, summary.Scheduled)
			require.GreaterOrEqual(t, summary.Delivered, 4*summary.BatchRows, "a row that is paid has four events")
			for _, wrong := range []string{
				"line 11, amount +AMOUNT_NOT_A_NUMBER", "line 21, customerAccountNumber +MALFORMED_FIELD", "line 31, number +BATCH_ROW_REPEATED",
				"line 41, way +UNKNOWN_BANK", "line 51, customerName +BATCH_FORMULA",
			} {
				require.Regexp(t, `\na file of 100 payouts, `+wrong+`\n`, r.out)
			}
			require.Zero(t, summary.DoublePayments+summary.LedgerSum+summary.Broken)
			require.Equal(t, "0.00", summary.Drift)
		})
	}
}
