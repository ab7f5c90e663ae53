package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/internal/statement"
	"github.com/tarspay-payouts/orchestrator/order"
)

// exported is a statement with the names of the profile generic.
const exported = "merchant,gateway_id,number,kind,state,currency,amount,paid,fee,created_at\n" +
	merchant + ",P1,W1,withdrawal,succeeded,PKR,1500,1500,15,2026-02-27T10:00:00Z\n" +
	merchant + ",P2,D1,deposit,failed,PKR,20,,,2026-02-27 11:00:00\n"

// A statement is checked without a server, and everything that is wrong is told.
func TestStatementCheck(t *testing.T) {
	t.Parallel()
	path := fileOf(t, exported)
	document := read[checkedStatement](t, "statement", "check", path, "--merchant", merchant, "--profile", "generic")
	require.Equal(t, []any{2, "generic", sheet.CSV, 0}, []any{document.Statement.Lines, document.Statement.Profile, document.Format, document.RepeatedCount})
	require.Len(t, document.Statement.ID, 16)

	typed := setup(t)
	typed.typed = exported + strings.SplitAfter(exported, "\n")[1]
	got := typed.run(t.Context(), "statement", "check", "-", "--country", "pk", "--profile", "generic")
	require.Equal(t, exitDone, got.code, got.errs)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	require.Equal(t, []string{
		"  merchant         " + merchant, "  profile          generic", "  lines            2", "  from             2026-02-27 10:00:00 UTC",
		"  to               2026-02-27 11:00:00 UTC", "  withdrawal paid  1500.00 PKR in 1 line",
		"line 4: the line has the content of line 2; it is taken once (STATEMENT_LINE_REPEATED)",
	}, lines[2:])

	typed.typed = strings.NewReplacer("deposit", "Ayesha", "20,", "twenty,").Replace(exported)
	got = typed.run(t.Context(), "statement", "check", "-", "--merchant", merchant, "--profile", "generic")
	require.Equal(t, exitUsage, got.code)
	require.Empty(t, got.out)
	require.NotContains(t, got.errs, "Ayesha")
	require.Equal(t, []string{
		"line 3, kind: the profile generic does not have this word for a kind; add it under kinds (STATEMENT_KIND_UNKNOWN)",
		`line 3, amount: this is no amount, or its separators do not fit: the profile has "." before the decimals (STATEMENT_AMOUNT)`,
		"error: the file has 2 faults; nothing was sent (STATEMENT_INVALID)",
	}, strings.Split(strings.TrimSpace(got.errs), "\n"))
	got = typed.run(t.Context(), "statement", "check", "-", "--merchant", merchant, "--profile", "generic", "--json")
	var wrong faultsDocument
	require.NoError(t, json.Unmarshal([]byte(got.out), &wrong), got.out)
	require.Equal(t, []any{statement.CodeInvalid, 2, 3}, []any{wrong.Error.Code, wrong.Count, wrong.Faults[0].Line})
}

// A profile of one's own is a file.
func TestStatementProfile(t *testing.T) {
	t.Parallel()
	profile := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(profile, []byte("name: own\ncolumns: {number: N, amount: A, time: T}\nkind: sign\nstate: succeeded\ntimes: YYYY-MM-DD\ntime_zone: Asia/Karachi\ndecimal: \",\"\n"), 0o600))
	path := fileOf(t, "N;A;T\nW1;1.500,00-;2026-02-27\n")
	document := read[checkedStatement](t, "statement", "check", path, "--merchant", merchant, "--profile", profile)
	require.Equal(t, "withdrawal 1500.00 PKR", document.Totals[0].Kind+" "+document.Totals[0].Paid.String())
	require.NoError(t, os.WriteFile(profile, []byte("name: own\npayee: x\n"), 0o600))
	got := setup(t).run(t.Context(), "statement", "check", path, "--merchant", merchant, "--profile", profile)
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.errs, "line 2: field payee not found (STATEMENT_PROFILE)")
	for name, args := range map[string][]string{
		"no such profile": {path, "--merchant", merchant, "--profile", "bank"},
		"no such file":    {"none.csv", "--merchant", merchant},
		"a folder":        {t.TempDir(), "--merchant", merchant},
		"no profile file": {path, "--merchant", merchant, "--profile", "none.yaml"},
		"no merchant":     {path},
	} {
		require.Equal(t, exitUsage, setup(t).run(t.Context(), append([]string{"statement", "check"}, args...)...).code, name)
	}
}

// StoreStatementPage and CompareStatement do what a worker does.
func (f *fakeTemporal) StoreStatementPage(ctx context.Context, _ int, page contract.StatementPage) error {
	refusal, err := f.real.StoreStatementPage(ctx, page.Statement, page.Lines)
	if err == nil && refusal != nil {
		return refusal
	}
	return err
}

func (f *fakeTemporal) CompareStatement(ctx context.Context, s order.Statement) error {
	_, err := f.real.MakeStatementReady(ctx, s.ID, func() {})
	if err != nil || f.unmatched {
		return err
	}
	return f.real.RecordMatched(ctx, s.ID, s.Lines, ledger.StatementCounts{Compared: 1, Asked: 1, Absent: 1}, true)
}

// exportedID is the id of testdata/statement.csv.
const exportedID = "0c5cda95da516f54"

func TestStatementsGolden(t *testing.T) {
	t.Parallel()
	importing := []string{"statement", "import", "testdata/statement.csv", "--merchant", merchant, "--profile", "generic", "--by", "dana"}
	stored := func(t *testing.T, b *testBundle) {
		b.openReal(t)
		require.Equal(t, exitDone, b.run(t.Context(), importing...).code)
	}
	for name, test := range map[string]struct {
		given func(*testing.T, *testBundle)
		args  []string
		code  int
	}{
		"statement_check":       {nothing, []string{"statement", "check", "testdata/statement.csv", "--merchant", merchant, "--profile", "generic"}, exitDone},
		"statement_check_wrong": {nothing, []string{"statement", "check", "testdata/statement_wrong.csv", "--merchant", merchant, "--profile", "generic"}, exitUsage},
		"statement_import":      {stored, append(importing, "--wait"), exitDone},
		"statement_list":        {stored, []string{"statement", "list", "--merchant", merchant}, exitDone},
		"statement_list_none":   {func(t *testing.T, b *testBundle) { b.openReal(t) }, []string{"statement", "list"}, exitDone},
		"statement_show":        {stored, []string{"statement", "show", exportedID}, exitDone},
		"statement_show_none":   {stored, []string{"statement", "show", "0000000000000000"}, exitNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			test.given(t, b)
			requireRun(t, b, name, test.args, test.code)
		})
	}
}

// An import is recorded, also through the api, and one of a wrong file stores nothing.
func TestStatementImport(t *testing.T) {
	t.Parallel()
	for _, through := range []bool{false, true} {
		b := setup(t)
		b.openReal(t)
		b.temporal.unmatched = true
		var door []string
		if through {
			door = []string{"--api", b.door(t)}
		}
		importing := append(door, "statement", "import", "testdata/statement.csv", "--merchant", merchant, "--profile", "generic")
		wrong := append(door, "statement", "import", "testdata/statement_wrong.csv", "--merchant", merchant, "--profile", "generic")
		got := b.run(t.Context(), wrong...)
		require.Equal(t, exitUsage, got.code)
		require.Contains(t, got.errs, "STATEMENT_AMOUNT")
		none, err := b.real.Statements(t.Context(), ledger.StatementFilter{})
		require.NoError(t, err)
		require.Empty(t, none)
		got = b.run(t.Context(), importing...)
		require.Equal(t, exitDone, got.code, got.errs)
		require.Contains(t, got.out, "  state               matching\n")
		require.Contains(t, got.errs, "line 4: the line has the content of line 2; it is taken once (STATEMENT_LINE_REPEATED)")
		entries, err := b.real.Audit(t.Context(), order.Key{Merchant: merchant})
		require.NoError(t, err)
		last := entries[len(entries)-1]
		require.Equal(t, []any{ledger.ActionStatement, "amina"}, []any{last.Action, last.Actor})
		got = b.run(t.Context(), append(importing, "--wait", "--timeout", "1ms")...)
		require.Equal(t, exitUnderWay, got.code)
		require.Contains(t, got.errs, "starter statement show ")

		// A profile of one's own goes along.
		profile, err := os.ReadFile("../../internal/statement/profiles/generic.yaml")
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "own.yaml")
		require.NoError(t, os.WriteFile(path, append(profile, "# ours\n"...), 0o600))
		got = b.run(t.Context(), append(door, "statement", "import", "testdata/statement.csv", "--merchant", merchant, "--profile", path)...)
		require.Equal(t, exitDone, got.code, got.errs)
		all, err := b.real.Statements(t.Context(), ledger.StatementFilter{})
		require.NoError(t, err)
		require.Len(t, all, 2)
	}
}
