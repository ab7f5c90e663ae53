package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
)

// shown is what a run prints on a terminal of so many columns, 0 for none.
func (b *testBundle) shown(t *testing.T, columns int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	s := starter{
		out: &out, errs: &errs, columns: columns,
		load:    func() (config.Starter, error) { return b.settings, nil },
		connect: b.connect, now: func() time.Time { return noon.Add(time.Hour) },
	}
	require.Equal(t, exitDone, s.run(t.Context(), args), errs.String())
	return out.String()
}

// A table that a terminal has no room for is printed row by row; elsewhere, and
// where there is room, it stays a table. JSON is the same everywhere.
func TestTablesOnANarrowTerminal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	someOrders(t, b)
	narrow := b.shown(t, 40, "list", "--limit", "2")
	require.True(t, strings.HasPrefix(narrow, `STARTED   2026-05-04 12:00:00 UTC
KIND      withdrawal
MERCHANT  M1700000001
NUMBER    INV-1
COUNTRY   PK
AMOUNT    1500.00 PKR
STATE     in_review
REVIEW    yes

STARTED   2026-05-04 12:00:00 UTC
`), narrow)
	for line := range strings.Lines(narrow) {
		require.LessOrEqual(t, len(strings.TrimSuffix(line, "\n")), 50, line)
	}
	piped := b.shown(t, 0, "list", "--limit", "2")
	require.True(t, strings.HasPrefix(piped, "STARTED                  KIND        MERCHANT"), piped)
	require.Equal(t, piped, b.shown(t, 200, "list", "--limit", "2"))
	require.NotEqual(t, piped, narrow)
	require.Equal(t, b.shown(t, 0, "list", "--json"), b.shown(t, 40, "list", "--json"))
}

// An audit fits a page of 80 columns, also in a pipe, and a narrower terminal.
func TestAnAuditFitsAPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.happenings(t)
	for columns, most := range map[int]int{0: 80, 80: 80, 200: 80, 60: 60} {
		for _, args := range [][]string{{"audit", "REV-1", "--merchant", merchant}, {"audit", "--installation"}, {"audit", "--merchant", merchant}} {
			got := b.shown(t, columns, args...)
			require.Contains(t, got, "2026-05-04 12:")
			for line := range strings.Lines(got) {
				require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), most, line)
			}
		}
	}
}

// Where only one column is too long, it is broken under itself.
func TestALongColumnOnATerminal(t *testing.T) {
	t.Parallel()
	for command, columns := range map[string]int{"codes": 110, "states": 100} {
		args := strings.Fields(command)
		b := setup(t)
		got, piped := b.shown(t, columns, args...), b.shown(t, 0, args...)
		require.Equal(t, strings.Fields(piped)[:3], strings.Fields(got)[:3], "the same head")
		require.Greater(t, strings.Count(got, "\n"), strings.Count(piped, "\n"))
		for line := range strings.Lines(got) {
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), columns, line)
		}
		words := func(text string) []string {
			all := strings.Fields(text)
			slices.Sort(all)
			return all
		}
		require.Equal(t, words(piped), words(got), args)
	}
}

// full is an output that takes so many bytes and no more.
type full struct{ room int }

func (f *full) Write(text []byte) (int, error) {
	if len(text) > f.room {
		return 0, errors.New("no space left on device")
	}
	f.room -= len(text)
	return len(text), nil
}

// Whoever runs a command and cannot be answered must not take silence for done.
func TestAnOutputThatTakesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		room int
		code int
	}{
		{[]string{"list"}, 0, exitUnexpected},
		{[]string{"list"}, 200, exitUnexpected},
		{[]string{"list", "--json"}, 0, exitUnexpected},
		{[]string{"--help"}, 0, exitUnexpected},
		{[]string{"status", "--json"}, 0, exitUsage},
		{[]string{"list"}, 1 << 20, exitDone},
	} {
		b := setup(t)
		someOrders(t, b)
		var errs bytes.Buffer
		s := starter{
			out: &full{test.room}, errs: &errs, load: func() (config.Starter, error) { return b.settings, nil },
			connect: b.connect, now: time.Now,
		}
		require.Equal(t, test.code, s.run(t.Context(), test.args), test.args)
		if test.code == exitDone {
			require.Empty(t, errs.String())
			continue
		}
		require.Equal(t, "error: the command has ended, but its output could not be written: no space left on device; "+
			"check the result before you repeat the command (OUTPUT_LOST)\n", errs.String(), test.args)
	}
}
