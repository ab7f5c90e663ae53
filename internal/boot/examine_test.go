package boot

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
)

// The clocks, the version and the login of a ledger, as they were read. TestDoctor in
// harness/e2e has all else, on a real installation.
func TestExaminedLedger(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		found  ledger.Condition
		result Result
		code   string
	}{
		{ledger.Condition{Version: 18, Known: 18, Now: noon}, Fine, ""},
		{ledger.Condition{Version: 19, Known: 18, Now: noon}, Warning, CodeLedgerNewer},
		{ledger.Condition{Login: "reader_1", Now: noon}, Fine, ""},
		{ledger.Condition{Login: "worker_1", Writes: true, Now: noon}, Warning, CodeLoginWrites},
		{ledger.Condition{Now: noon.Add(4 * time.Second)}, Fine, ""},
		{ledger.Condition{Now: noon.Add(-5 * time.Second)}, Warning, CodeClock},
		{ledger.Condition{Now: noon.Add(5 * time.Minute)}, Problem, CodeClock},
		{ledger.Condition{Now: noon.Add(-5 * time.Minute)}, Problem, CodeClock},
	} {
		e := examination{now: func() time.Time { return noon }}
		e.tables(test.found)
		e.clock(test.found)
		gravest := Finding{Result: Fine}
		for _, finding := range e.findings {
			if finding.Result != Fine {
				gravest = finding
			}
		}
		require.Equal(t, test.result, gravest.Result, "%+v", test.found)
		require.Equal(t, test.code, gravest.Code, "%+v", test.found)
	}
}

// Every problem of the settings is a finding of its own.
func TestProblemsOfSettings(t *testing.T) {
	t.Parallel()
	found := Problems("settings", "", &config.Error{Problems: []config.Problem{{Variable: "PAYOUTS_A", Text: "is wrong"}, {Variable: "PAYOUTS_B", Code: "X", Text: "too"}}})
	require.Equal(t, []Finding{
		{"settings", "", Problem, config.CodeInvalid, "PAYOUTS_A is wrong"}, {"settings", "", Problem, "X", "PAYOUTS_B too"},
	}, found)
	require.Equal(t, "UNEXPECTED", Problems("ledger", "", errors.New("x"))[0].Code)
}
