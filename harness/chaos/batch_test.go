package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// batchOf is a run of a batch of three rows, with what was found.
func batchOf() (*batchRun, func() string) {
	b := &batchRun{BatchOptions: BatchOptions{Rows: 3}}
	return b, func() string { return says(&run{judgement: b.judgement}) }
}

func TestRowsAreComparedWithTheBook(t *testing.T) {
	t.Parallel()
	paid := func(n int) sandbox.Order {
		return sandbox.Order{Number: rowNumber(n), State: tarspay.StateSucceeded, PaidAt: []time.Time{time.Now()}}
	}
	again, failed, stranger := paid(1), paid(2), paid(3)
	again.PaidAt = append(again.PaidAt, time.Now())
	failed.State, failed.PaidAt = tarspay.StateFailed, nil
	for name, test := range map[string]struct {
		orders []sandbox.Order
		finds  string
	}{
		"each once":          {[]sandbox.Order{paid(0), paid(2), paid(1)}, ""},
		"one is missing":     {[]sandbox.Order{paid(0), paid(1)}, merchant + "/ROW-000003: the gateway has 0 orders with its number"},
		"one is there twice": {[]sandbox.Order{paid(0), paid(1), paid(2), paid(1)}, merchant + "/ROW-000002: the gateway has 2 orders with its number"},
		"one is paid twice":  {[]sandbox.Order{paid(0), again, paid(2)}, "ROW-000002: the gateway's order is succeeded and was paid 2 times"},
		"one is not paid":    {[]sandbox.Order{paid(0), paid(1), failed}, "ROW-000003: the gateway's order is failed and was paid 0 times"},
		"one is no row":      {[]sandbox.Order{paid(0), paid(1), paid(2), stranger}, "ROW-000004: the gateway has an order that is no row"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, found := batchOf()
			b.compareBook(sandbox.Book{Orders: test.orders}, merchant)
			require.Equal(t, test.finds, found())
			require.Equal(t, len(test.orders), b.line.Orders)
		})
	}
}

func TestResultsAreComplete(t *testing.T) {
	t.Parallel()
	const head = "number,way,state\n"
	row := func(n int, state string) string { return fmt.Sprintf("%s,easypaisa,%s\n", rowNumber(n), state) }
	for name, test := range map[string]struct {
		file, finds string
		results     int
	}{
		"all":             {head + row(0, "succeeded") + row(1, "succeeded") + row(2, "succeeded"), "", 3},
		"one has no end":  {head + row(0, "succeeded") + row(1, "submitted") + row(2, "succeeded"), "ROW-000002: its row of the results is [ROW-000002 easypaisa submitted]", 2},
		"one is missing":  {head + row(0, "succeeded") + row(1, "succeeded"), ": the file of results has 2 rows and the columns [number way state]", 0},
		"another in line": {head + row(0, "succeeded") + row(2, "succeeded") + row(2, "succeeded"), "ROW-000002: its row of the results is [ROW-000003 easypaisa succeeded]", 2},
		"no states":       {"number\n" + strings.Repeat("1\n", 3), ": the file of results has 3 rows and the columns [number]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, found := batchOf()
			b.compareResult([]byte(test.file))
			require.Equal(t, test.finds, found())
			require.Equal(t, test.results, b.line.Results)
		})
	}
}

func TestMemoryOfABatchIsFlat(t *testing.T) {
	t.Parallel()
	b, found := batchOf()
	b.line.PeakRSS = [3]int64{100, 400, 165}
	b.compareMemory()
	require.Empty(t, found())
	b.line.PeakRSS[2] = 166
	b.compareMemory()
	require.Equal(t, ": the worker had at most 100 MB in the first third of the rows, and 166 MB in the last", found())
}

// TestABatchOutlivesKills is a tenth of the command chaos --batch 10000.
func TestABatchOutlivesKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes over a minute")
	}
	t.Parallel()
	var out, notes bytes.Buffer
	err := RunBatch(t.Context(), &out, BatchOptions{Seed: 1, Rows: 1000, Progress: &notes})
	require.NoError(t, err, "%s\n%s", out.String(), notes.String())
	var line batchSummary
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, []int{1000, 1000, 1000, batchKills}, []int{line.Rows, line.Orders, line.Results, line.Kills})
	t.Logf("%s", out.String())
}
