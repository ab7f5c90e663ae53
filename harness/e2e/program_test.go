package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/worklist"
	"github.com/tarspay-payouts/orchestrator/order"
)

// programPatience is the time limit of a program that must end by itself.
const programPatience = 6 * time.Minute

// ran is the result of a program that has ended.
type ran struct {
	exit     int
	out, err string
}

// run runs a program of bin/ to its end, with only the given environment.
func run(t *testing.T, environment []string, name string, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), programPatience)
	defer cancel()
	cmd, out, errs := program(ctx, t, environment, name, args...)
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "%s does not end", name)
	return ended(t, cmd, err, out, errs)
}

// program returns a command that runs a program of bin/.
func program(ctx context.Context, t *testing.T, environment []string, name string, args ...string) (cmd *exec.Cmd, out, errs *bytes.Buffer) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	require.NoError(t, err)
	_, err = os.Stat(path)
	require.NoError(t, err, "these tests drive the real programs; run `make test`, which builds them")
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	cmd = exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = out, errs
	home := t.TempDir() // nothing that is set up for the user counts
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TEMPORAL_CONFIG_FILE=" + filepath.Join(home, "none.toml")}, environment...)
	cmd.Dir = home
	return cmd, out, errs
}

func ended(t *testing.T, cmd *exec.Cmd, err error, out, errs *bytes.Buffer) ran {
	t.Helper()
	var exited *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exited)
	}
	r := ran{exit: cmd.ProcessState.ExitCode(), out: out.String(), err: errs.String()}
	for i, secret := range planted() {
		assert.NotContains(t, r.out+r.err, secret, "personal value %d in what %s prints", i+1, filepath.Base(cmd.Path))
	}
	return r
}

// begin starts a program that serves. stop sends SIGTERM and returns the program's
// output.
func begin(t *testing.T, environment []string, name string, args ...string) (stop func() ran) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd, out, errs := program(ctx, t, environment, name, args...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { // it is long gone, unless the test failed
		cancel()
		_ = cmd.Wait()
	})
	return func() ran {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		return ended(t, cmd, cmd.Wait(), out, errs)
	}
}

// starter runs the command line against the house, with --json.
func (h *house) starter(t *testing.T, args ...string) ran {
	t.Helper()
	return h.starterWith(t, nil, args...)
}

// starterWith does the same with more settings. If a setting is given twice, the
// later value is used.
func (h *house) starterWith(t *testing.T, settings []string, args ...string) ran {
	t.Helper()
	return run(t, append(h.Environment(), settings...), "starter", append(args, "--json")...)
}

// answer is the members of the starter's JSON documents that these tests read.
type answer struct {
	Order      order.View              `json:"order"`
	Started    *client.Started         `json:"started"`
	Orders     []client.Row            `json:"orders"`
	Queue      []worklist.Item         `json:"queue"`
	Adjustment ledger.AdjustmentRecord `json:"adjustment"`
	Error      struct {
		Code     string          `json:"code"`
		Message  string          `json:"message"`
		Problems []order.Problem `json:"problems"`
	} `json:"error"`
}

// answers requires an exit code, and reads the run's document.
func (r ran) answers(t *testing.T, exit int) answer {
	t.Helper()
	require.Equal(t, exit, r.exit, "%s%s", r.out, r.err)
	require.Equal(t, 1, strings.Count(r.out, "\n"), "one document on one line: %s", r.out)
	var a answer
	require.NoError(t, json.Unmarshal([]byte(r.out), &a), r.out)
	return a
}

// refuses requires an exit code and an error code.
func (r ran) refuses(t *testing.T, exit int, code string) answer {
	t.Helper()
	a := r.answers(t, exit)
	require.Equal(t, code, a.Error.Code, a.Error.Message)
	require.NotEmpty(t, a.Error.Message)
	return a
}
