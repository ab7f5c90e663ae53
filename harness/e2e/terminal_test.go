package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// anyTerminal prints help and an open order on terminals with few features, and to
// a closed output.
func anyTerminal(t *testing.T, h *house) {
	p := h.withdrawal(t, "PK", "stuck", succeeds)
	h.stands(t, order.Submitted, p)
	until(t, h, "the wait for a callback to be over", func(ctx context.Context) (order.View, error) {
		return h.Orders.Order(ctx, p.key())
	}, func(view order.View) bool { return strings.Contains(view.Next, "at the latest until") }) // then its sentence stays
	look := [][]string{
		{"status", p.request.Number, "--merchant", p.request.Merchant},
		{"show", p.request.Number, "--merchant", p.request.Merchant},
		{"list", "--limit", "5"}, {"queue"}, {"balance"}, {"help"}, {"help", "withdraw"},
	}
	for _, args := range look {
		plain := h.looks(t, nil, args)
		for _, environment := range [][]string{{"TERM=dumb"}, {"TERM="}, {"NO_COLOR=1"}, {"LANG=C", "LC_ALL=C"}, {"COLUMNS=40"}} {
			got := h.looks(t, environment, args)
			require.NotContains(t, got, "\x1b", environment)
			if args[0] == "status" || args[0] == "show" || args[0] == "help" { // others change meanwhile
				age := regexp.MustCompile(`, \w+ ago\n`) // it grows meanwhile
				require.Equal(t, strings.Fields(age.ReplaceAllString(plain, "\n")), strings.Fields(age.ReplaceAllString(got, "\n")), "%v %v", environment, args)
			}
		}
	}
	h.timesAreTheReaders(t, look[0])
	h.nobodyListens(t, look[0])
	h.move(t, p, tarspay.StateSucceeded, "")
	h.stands(t, order.Succeeded, p)
}

// looks returns what the starter prints for people.
func (h *house) looks(t *testing.T, environment, args []string) string {
	t.Helper()
	r := run(t, append(h.Environment(), environment...), "starter", args...)
	require.Equal(t, exitDone, r.exit, "%v: %s%s", args, r.out, r.err)
	return r.out
}

// timesAreTheReaders prints an order with another time zone set. Sentences have
// that zone's time, and JSON stays in UTC.
func (h *house) timesAreTheReaders(t *testing.T, args []string) {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	require.NoError(t, err)
	there := []string{"TZ=Asia/Karachi", "ZONEINFO=" + filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip")}
	require.Regexp(t, `until \d{4}-\d\d-\d\d \d\d:\d\d UTC;`, h.looks(t, []string{"TZ="}, args))
	require.Regexp(t, `until \d{4}-\d\d-\d\d \d\d:\d\d PKT;`, h.looks(t, there, args))
	require.Regexp(t, `until \d{4}-\d\d-\d\d \d\d:\d\d UTC;`, h.looks(t, there, append(args, "--json")))
}

// nobodyListens runs the starter with a closed output. It must print an error and
// end with its exit code. If the reader of a pipe has gone, it must end without an
// error message.
func (h *house) nobodyListens(t *testing.T, args []string) {
	t.Helper()
	unwritable, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer func() { require.NoError(t, unwritable.Close()) }()
	for _, more := range []string{"--json", "--json=false"} {
		cmd, out, errs := program(t.Context(), t, h.Environment(), "starter", append(args, more)...)
		cmd.Stdout = unwritable
		r := ended(t, cmd, cmd.Run(), out, errs)
		require.Equal(t, 1, r.exit)
		require.Contains(t, r.err, "(OUTPUT_LOST)\n")
	}

	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	cmd, _, errs := program(t.Context(), t, h.Environment(), "starter", args...)
	cmd.Stdout = writer
	require.Error(t, cmd.Run())
	require.NoError(t, writer.Close())
	status, known := cmd.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, known)
	require.Equal(t, syscall.SIGPIPE, status.Signal())
	require.Empty(t, errs.String())
}

// TestHelpOfEveryProgram prints every program's help on a terminal with few
// features.
func TestHelpOfEveryProgram(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"worker", "receiver", "starter", "codec", "sandbox", "dev"} {
		wide := run(t, nil, name, "--help")
		require.Zero(t, wide.exit, wide.err)
		narrow := run(t, []string{"COLUMNS=40", "TERM=dumb", "LC_ALL=C"}, name, "--help")
		require.Equal(t, strings.Fields(wide.out), strings.Fields(narrow.out), name)
		require.NotContains(t, narrow.out, "\x1b", name)
		tooLong := 0
		for line := range strings.Lines(narrow.out) {
			if len([]rune(strings.TrimRight(line, "\n"))) > 40 && !strings.HasPrefix(line, "  ") {
				tooLong++
			}
		}
		require.Zero(t, tooLong, "%s: lines of text that do not fit\n%s", name, narrow.out)
	}
}
