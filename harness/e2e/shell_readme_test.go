package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

const (
	readmePage = "README.md"
	devSection = "printed by make dev"
)

// TestReadmeShellLines runs bin/dev up in one terminal. In another it runs the
// lines of the README, the lines that bin/dev up prints, and those of
// docs/integrate.md, unchanged.
func TestReadmeShellLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"bin", "examples"} {
		path, err := filepath.Abs("../../" + name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(dir, name)))
	}
	here := &terminal{dir: dir, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TEMPORAL_CONFIG_FILE=" + filepath.Join(dir, "none.toml"), "PYTHONDONTWRITEBYTECODE=1",
	}}
	printed := devUp(t, here)
	require.Contains(t, printed, "The stack is up. Ctrl-C stops it.")

	lines := linesOf(t, readmePage)
	_, toTry, found := strings.Cut(printed, "In another terminal:\n")
	require.True(t, found, printed)
	lines = append(lines, commandsOf(readmePage, devSection, indented(toTry))...)

	h := devHouse(t, dir)
	readmeScript(h, dir).play(t, here, lines)
	integrateScript(h, dir).play(t, here, linesOf(t, integratePage))
}

// devUp starts bin/dev up and returns its output once the stack is up. At the end
// of the test it sends Ctrl-C.
func devUp(t *testing.T, at *terminal) (printed string) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), "bin/dev", "up")
	cmd.Path = filepath.Join(at.dir, "bin", "dev")
	cmd.Dir, cmd.Env = at.dir, at.env
	var out, errs bytes.Buffer
	seen := make(chan struct{})
	up := &watched{kept: &out, part: "line 17", said: sync.OnceFunc(func() { close(seen) })}
	cmd.Stdout, cmd.Stderr = up, &errs
	require.NoError(t, cmd.Start())
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // it may be over already
		require.NoError(t, <-over, "Ctrl-C is how it is meant to end\n%s", &errs)
	})
	select {
	case <-seen:
	case err := <-over:
		over <- err
		t.Fatalf("bin/dev up ends: %v\n%s", err, &errs)
	case <-time.After(waitLimit):
		t.Fatal("bin/dev up does not come up")
	}
	return out.String()
}

// indented returns the lines of a text that begin with blanks, without the blanks.
func indented(text string) string {
	var commands strings.Builder
	for line := range strings.Lines(text) {
		if command, found := strings.CutPrefix(line, "  "); found {
			commands.WriteString(command)
		}
	}
	return commands.String()
}

// devHouse returns a house with only the ledger of bin/dev up.
func devHouse(t *testing.T, dir string) *house {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "var", "dev", "env"))
	require.NoError(t, err)
	database := regexp.MustCompile(`PAYOUTS_DATABASE_URL='(.*)'`).FindSubmatch(text)
	require.NotNil(t, database)
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the house's time is over"))
	t.Cleanup(cancel)
	books, err := ledger.Open(ctx, string(database[1]), ledger.ReadOnly()) // it shows states without the data key
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, books.Close()) })
	return &house{Stack: &stack.Stack{}, books: books, ctx: ctx}
}

// gatewayHasPay3 waits until the gateway has booked PAY-3. The line that starts
// PAY-3 does not wait for this, and a later line needs it.
func (h *house) gatewayHasPay3(t *testing.T) {
	until(t, h, "PAY-3 to be submitted", func(ctx context.Context) (order.Order, error) {
		return h.books.Order(ctx, order.Key{Merchant: "M1700000003", Number: "PAY-3"})
	}, func(row order.Order) bool { return row.State == order.Submitted })
}

// readmeScript returns the script of the README.
func readmeScript(h *house, dir string) script {
	inReview := func(t *testing.T) { h.needsPerson(t, ledger.QueueReview, "PAY-4") }
	const next = `bin/starter withdraw --number PAY-4 --country TH --way KBANK --amount 900 --name Somchai` +
		` --account 1112223334 --phone 66812345678 --email somchai@example.com --field sandboxScenario=stuck`
	const paid = `bin/starter withdraw --number PAY-2 --country VN --way VCB --amount 500000` +
		` --name "NGUYEN VAN AN" --account 0071000123456 --field sandboxScenario=lost-answer --wait`
	const queue = "bin/starter queue"
	return script{
		before: map[string]func(*testing.T){next: h.gatewayHasPay3, queue: inReview},
		outcomes: map[string]outcome{
			`bin/starter withdraw --number INV-1 --country PK --way easypaisa --amount 1500` +
				` --name "Test Person" --account 03001234567 --phone 03001234567 --wait`: {says: []string{"INV-1", string(order.Succeeded)}},
			"bin/starter status INV-1": {says: []string{"INV-1", string(order.Succeeded)}},
			"bin/starter list":         {says: []string{"INV-1", "D-1", "PAY-1", "CART-1"}},
			paid:                       {says: []string{"PAY-2", string(order.Succeeded)}},
			"bin/starter balance":      {says: []string{"M1700000001", "M1700000005"}},
			queue:                      {says: []string{"review M1700000003/PAY-4"}},
			`PAYOUTS_ORIGIN= bin/starter withdraw --number PAY-5 --country PK --way easypaisa --amount 1500` +
				` --name "Ayesha Khan" --account 03007654321 --phone 03007654321`: {says: []string{"PAY-5", string(order.AwaitingApproval)}},
			`(. var/dev/worker.env; bin/worker restored --why "disk lost; backup of 03:00" --by amina)`: {says: []string{"open orders ask the gateway first", "a worker runs: "}},
			`bin/starter restored --over --why "all of the lost hours is accounted for" --by amina`:     {says: []string{"restore is over"}},
			"bin/starter reconcile --transactions":                                                      {says: []string{"nothing differs in what was compared"}},
		},
		after: map[string]func(*testing.T){devSection: func(t *testing.T) {
			for number, reason := range map[string]string{"PAY-3": "", "PAY-4": order.CodeResolved} {
				row, err := h.books.Order(h.ctx, order.Key{Merchant: "M1700000003", Number: number})
				require.NoError(t, err)
				require.Equal(t, order.Succeeded, row.State, number)
				require.Equal(t, reason, row.Reason.Code, number)
			}
			h.approvedInABrowser(t, dir, order.Key{Merchant: "M1700000001", Number: "PAY-5"}, "leila", "omar")
		}},
	}
}
