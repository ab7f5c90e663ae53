package main

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Finance selects by time and amount, and gets a file that has all of it. Through the api
// it is the same file.
func TestListForFinance(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.happenings(t)
	door := b.door(t)
	numbers := func(args ...string) (found []string) {
		args = append([]string{"list", "--limit", "900"}, args...)
		got := b.run(t.Context(), append(args, "--json")...)
		require.Equal(t, exitDone, got.code, got.errs)
		var document struct {
			Orders []struct{ Number string }
			Source string
		}
		require.NoError(t, json.Unmarshal([]byte(got.out), &document))
		require.Equal(t, "ledger", document.Source)
		for _, o := range document.Orders {
			found = append(found, o.Number)
		}
		file := b.run(t.Context(), append(args, "--csv")...)
		require.Equal(t, exitDone, file.code, file.errs)
		lines, err := csv.NewReader(strings.NewReader(file.out)).ReadAll()
		require.NoError(t, err)
		require.Len(t, lines, len(found)+1)
		for i, line := range lines[1:] {
			require.Equal(t, found[i], line[4])
		}
		require.Equal(t, file, b.run(t.Context(), append(args, "--csv", "--api", door)...))
		through := b.run(t.Context(), append(args, "--json", "--api", door)...)
		require.Equal(t, strings.ReplaceAll(got.out, `,"problem":"WORKFLOW_MISSING"`, ""), through.out, "the api does not ask Temporal")
		return found
	}
	all := numbers("--from", "2026-01-01")
	require.Contains(t, all, "FIN-1")
	require.Greater(t, len(all), 3)
	require.Empty(t, numbers("--to", "2026-01-01"))
	require.Equal(t, []string{"FIN-1"}, numbers("--ended-from", "2026-01-01", "--state", "succeeded"))
	require.Empty(t, numbers("--ended-to", "2026-01-01"))
	require.Empty(t, numbers("--batch", "0000000000000000"))
	dear := numbers("--amount-min", "1500", "--currency", "pkr")
	require.Contains(t, dear, "FIN-1")
	require.NotContains(t, dear, "REV-1", "900 PKR")
	require.Contains(t, numbers("--amount-max", "900.00", "--merchant", merchant), "REV-1")

	for _, wrong := range [][]string{
		{"--amount-min", "1500"}, {"--amount-max", "1,500", "--currency", "PKR"}, {"--from", "yesterday"}, {"--ended-to", "2026-13-01"}, {"--csv", "--json"},
	} {
		got := b.run(t.Context(), append([]string{"list"}, wrong...)...)
		require.Equal(t, exitUsage, got.code, wrong)
		require.Contains(t, got.errs+got.out, strings.TrimPrefix(wrong[0], "--"), wrong)
	}
}
