package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// listOf writes a file with lines, and returns its path.
func listOf(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	return path
}

// decided runs a command on a list with --json, and returns what became of each order.
func (b *testBundle) decided(t *testing.T, exit int, args ...string) (payouts.ListReport, []string) {
	t.Helper()
	got := b.run(t.Context(), append(args, "--json")...)
	require.Equal(t, exit, got.code, got.out+got.errs)
	var report payouts.ListReport
	require.NoError(t, json.Unmarshal([]byte(got.out), &report), got.out)
	var outcomes []string
	for _, one := range report.Orders {
		text := fmt.Sprint(one.Key.Number, " ", one.Outcome, " ", one.State)
		if one.Problem != nil {
			text += " " + one.Problem.Code
		}
		outcomes = append(outcomes, text)
	}
	return report, outcomes
}

// looked runs a command without a fingerprint, and returns that of the list.
func (b *testBundle) looked(t *testing.T, args ...string) string {
	t.Helper()
	got := b.run(t.Context(), append(args, "--json")...)
	require.Equal(t, exitUsage, got.code, got.out+got.errs)
	var look struct {
		List  envelope.List
		Error struct{ Code string }
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &look))
	require.Equal(t, codeNoFingerprint, look.Error.Code)
	require.Len(t, look.List.Root, 64)
	return look.List.Root
}

// Many orders are looked at first, and approved by the fingerprint of the list. What
// cannot be approved is told, and the rest is done. Again, it does what is left.
func TestApproveAList(t *testing.T) { eachWay(t, bareTime, approvesAList) }

func bareTime(t *testing.T, b *testBundle) { b.bare(t) }

// withBooks and withHappenings prepare a ledger.
func withBooks(t *testing.T, b *testBundle)      { b.openReal(t) }
func withHappenings(t *testing.T, b *testBundle) { b.happenings(t) }

// eachWay runs a test directly and through the api.
func eachWay(t *testing.T, prepare, test func(*testing.T, *testBundle)) {
	t.Helper()
	t.Parallel()
	for _, way := range []string{"directly", "through the api"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			prepare(t, b)
			if way != "directly" {
				b.through = b.door(t)
			}
			test(t, b)
		})
	}
}

func approvesAList(t *testing.T, b *testBundle) {
	for _, number := range []string{"L-1", "L-2", "L-3"} {
		b.opened(t, request(t, number, "25000"))
	}
	file := listOf(t, "L-1", "", `{"merchant":"`+merchant+`","number":"L-2"}`, "  FIN-1", "L-3")
	command := []string{"approve", "--list", file, "--merchant", merchant}
	root := b.looked(t, command...)
	for _, number := range []string{"L-1", "L-2", "L-3"} {
		require.Equal(t, order.AwaitingApproval, b.state(t, number), "looking approves nothing")
	}
	look := b.run(t.Context(), command...)
	for _, part := range []string{"orders       4\n", "total        76500.00 PKR\n", "fingerprint  " + root[:16] + "\n", "--fingerprint " + root[:16] + " --by WHO"} {
		require.Contains(t, look.out+look.errs, part)
	}

	for name, c := range map[string]struct {
		args []string
		code string
		exit int
	}{
		"another list":        {[]string{"--fingerprint", strings.Repeat("0", 64), "--by", "chen"}, codes.FingerprintMismatch, exitRefused},
		"too few digits":      {[]string{"--fingerprint", root[:15], "--by", "chen"}, codes.FingerprintMismatch, exitRefused},
		"a blank":             {[]string{"--fingerprint", " ", "--by", "chen"}, codes.FingerprintMismatch, exitRefused},
		"nobody":              {[]string{"--fingerprint", root, "--by", ""}, order.CodeWhoMissing, exitRefused},
		"who requested them":  {[]string{"--fingerprint", root, "--by", "Bilal "}, codes.SamePerson, exitRefused},
		"an envelope of many": {[]string{"--fingerprint", root, "--waiting"}, codeUsage, exitUsage},
		"an order, too":       {[]string{"L-1"}, codeUsage, exitUsage},
	} {
		got := b.run(t.Context(), append(append([]string{}, command...), c.args...)...)
		require.Equal(t, c.exit, got.code, name+got.errs)
		require.Contains(t, got.errs, c.code, name)
	}
	require.Equal(t, order.AwaitingApproval, b.state(t, "L-1"), "nothing was approved")

	command = append(command, "--fingerprint", root[:16], "--by", "chen", "--why", "Monday's")
	report, outcomes := b.decided(t, exitRefused, command...)
	require.Equal(t, []string{"FIN-1 refused succeeded ORDER_ENDED", "L-1 done reserved", "L-2 done reserved", "L-3 done reserved"}, outcomes)
	require.Equal(t, map[payouts.Outcome]int{payouts.ListDone: 3, payouts.ListRefused: 1}, report.Counts)
	require.Equal(t, order.CodeTerminal, report.Problem.Code)
	_, outcomes = b.decided(t, exitRefused, command...)
	require.Equal(t, []string{"FIN-1 refused succeeded ORDER_ENDED", "L-1 already reserved", "L-2 already reserved", "L-3 already reserved"}, outcomes)
	entries, err := b.real.Audit(t.Context(), order.Key{Merchant: merchant, Number: "L-2"})
	require.NoError(t, err)
	require.Len(t, entries, 2, "the opening, and one approval")
	require.Equal(t, "chen", entries[1].Actor)
	require.Equal(t, "Monday's", entries[1].Reason.Text)
}

func (b *testBundle) state(t *testing.T, number string) order.State {
	t.Helper()
	row, err := b.real.Order(t.Context(), order.Key{Merchant: merchant, Number: number})
	require.NoError(t, err)
	return row.State
}

// All orders that wait can be named at once. One that came since makes another list.
func TestDecideAboutWhatWaits(t *testing.T) { eachWay(t, bareTime, decidesAboutWhatWaits) }

func decidesAboutWhatWaits(t *testing.T, b *testBundle) {
	b.opened(t, request(t, "L-1", "25000"))
	root := b.looked(t, "reject", "--waiting")
	b.opened(t, request(t, "L-2", "25000"))
	reject := []string{"reject", "--waiting", "--merchant", merchant, "--fingerprint", root}
	got := b.run(t.Context(), append(reject, "--why", "not ours")...)
	require.Equal(t, exitRefused, got.code)
	require.Contains(t, got.errs, codes.FingerprintMismatch)
	reject[len(reject)-1] = b.looked(t, "reject", "--waiting", "--merchant", merchant)
	got = b.run(t.Context(), reject...)
	require.Contains(t, got.errs, order.CodeWhyMissing)
	require.Equal(t, order.AwaitingApproval, b.state(t, "L-1"))

	got = b.run(t.Context(), append(reject, "--why", "not ours")...)
	require.Equal(t, exitDone, got.code, got.errs)
	require.Contains(t, got.out, merchant+"/L-1  done: it is rejected\n")
	require.Contains(t, got.out, "rejected by amina: not ours\n")
	require.Contains(t, got.out, "  done  3\n", "PAY-1 waits, too")
	require.Equal(t, order.Rejected, b.state(t, "L-2"))
	got = b.run(t.Context(), "reject", "--waiting")
	require.Contains(t, got.errs, "a list has 1 to 100000 orders (ENVELOPE_MALFORMED)")

	b.opened(t, request(t, "L-3", "25000"))
	b.typed = "L-3\r\n"
	cancel := []string{"cancel", "--list", "-", "--merchant", merchant}
	_, outcomes := b.decided(t, exitDone, append(cancel, "--fingerprint", b.looked(t, cancel...), "--why", "by hand")...)
	require.Equal(t, []string{"L-3 done cancelled"}, outcomes)
}

// A file with something wrong does nothing, and says what.
func TestListsThatAreNoLists(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.bare(t)
	b.opened(t, request(t, "L-1", "25000"))
	for name, c := range map[string]struct {
		lines      []string
		code, says string
		exit       int
	}{
		"nothing":      {nil, envelope.CodeMalformed, "a list has 1 to 100000 orders", exitUsage},
		"twice":        {[]string{"L-1", "L-1"}, envelope.CodeMalformed, "order " + merchant + "/L-1 is in the list twice", exitUsage},
		"not there":    {[]string{"L-1", "L-9"}, order.CodeOrderNotFound, merchant + "/L-9", exitNotFound},
		"no number":    {[]string{"L 1;"}, order.CodeInvalidRequest, "", exitUsage},
		"other JSON":   {[]string{`{"order":"L-1"}`}, codeUsage, "line 1 of --list is no order", exitUsage},
		"far too many": {strings.Split(strings.Repeat("L-1\n", envelope.MaxItems+1), "\n"), envelope.CodeMalformed, "a list has 1 to 100000 orders", exitUsage},
	} {
		got := b.run(t.Context(), "approve", "--merchant", merchant, "--list", listOf(t, c.lines...))
		require.Equal(t, c.exit, got.code, name+got.errs)
		require.Contains(t, got.errs, c.says, name)
		require.NotContains(t, got.out, "fingerprint", name)
	}
	got := b.run(t.Context(), "approve", "--list", filepath.Join(t.TempDir(), "none"))
	require.Equal(t, exitUsage, got.code)
	got = b.run(t.Context(), "approve", "--list", listOf(t, "L-1"))
	require.Equal(t, exitUsage, got.code, "the merchant is not known")
	require.Contains(t, got.errs, "--merchant")
	got = b.run(t.Context(), "reject", "L-1", "--merchant", merchant, "--fingerprint", "0123456789abcdef", "--why", "w")
	require.Contains(t, got.errs, "--fingerprint is of a list")
}

// A worker that does not answer ends the list: the rest is not sent.
func TestAListEndsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	temporal := b.bare(t)
	b.opened(t, request(t, "L-1", "25000"))
	b.opened(t, request(t, "L-2", "25000"))
	command := []string{"approve", "--list", listOf(t, "L-1", "L-2"), "--merchant", merchant}
	command = append(command, "--by", "chen", "--fingerprint", b.looked(t, command...))
	temporal.silent = true
	_, outcomes := b.decided(t, exitUnreachable, command...)
	require.Equal(t, []string{"L-1 unknown  TEMPORAL_UNREACHABLE", "L-2 unsent "}, outcomes)
	temporal.silent = false
	_, outcomes = b.decided(t, exitDone, command...)
	require.Equal(t, []string{"L-1 done reserved", "L-2 done reserved"}, outcomes)
}
