package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestEnvironmentDoesNotReachTheStack(t *testing.T) {
	t.Parallel()
	kept := inherited([]string{"PATH=/bin", "PAYOUTS_CALLBACK_GRACE=1h", "TEMPORAL_ADDRESS=prod:7233", "HOME=/root", "MY_PAYOUTS_=x"})
	require.Equal(t, []string{"PATH=/bin", "HOME=/root", "MY_PAYOUTS_=x"}, kept)
}

func TestLastLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "worker.log")
	first := "from the run before\n"
	var text strings.Builder
	text.WriteString(first)
	for i := range 5000 {
		fmt.Fprintf(&text, "line %d\n\n", i)
	}
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o600))

	require.Equal(t, []string{"line 4998", "line 4999"}, lastLines(path, 0, 2))
	require.Equal(t, []string{"line 4999"}, lastLines(path, int64(text.Len()-len("line 4999\n\n")), 9))
	require.Empty(t, lastLines(path, int64(text.Len()), 9))
	require.Empty(t, lastLines(path+"nothing", 0, 9))
}

func TestKeyPairIsMadeOnceAndForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys", "M1.key")
	private, public, err := keyPair(path)
	require.NoError(t, err)
	again, samePublic, err := keyPair(path)
	require.NoError(t, err)
	require.Equal(t, private, again)
	require.Equal(t, public, samePublic)

	signer, err := tarspay.NewSigner(private)
	require.NoError(t, err)
	require.Equal(t, public, signer.PublicKey())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestDamagedKeyIsNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "M1.key")
	require.NoError(t, os.WriteFile(path, []byte("not a key"), 0o600))
	_, _, err := keyPair(path)
	require.ErrorIs(t, err, tarspay.ErrPrivateKey)
	require.ErrorContains(t, err, path)
}

func TestOneStackPerDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := &Stack{options: Options{Dir: dir}}, &Stack{options: Options{Dir: dir}}
	require.NoError(t, first.openDir())
	require.ErrorContains(t, second.openDir(), "another stack runs on "+dir)
	require.NoError(t, first.closeDir(true))
	require.NoError(t, second.openDir())
	require.NoError(t, second.closeDir(true))
	require.DirExists(t, dir)
}

func TestTemporaryDirectoryGoesUnlessKept(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		s := &Stack{}
		require.NoError(t, s.openDir())
		require.NoError(t, s.closeDir(keep))
		if keep {
			require.DirExists(t, s.dir)
			require.NoError(t, os.RemoveAll(s.dir))
		} else {
			require.NoDirExists(t, s.dir)
		}
	}
}

func TestBinariesThatAreMissingAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{Temporal, Sandbox, Worker} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	_, err := binaries(dir)
	require.EqualError(t, err, "no receiver in "+dir+": run make build")
	require.NoError(t, os.Remove(filepath.Join(dir, Temporal)))
	_, err = binaries(dir)
	require.EqualError(t, err, "no temporal, receiver in "+dir+": run make bin/temporal build")
	require.NoError(t, os.WriteFile(filepath.Join(dir, Temporal), nil, 0o600))
	require.Equal(t, "make bin/withpostgres", makeCommand(withpostgres))
	require.NoError(t, os.WriteFile(filepath.Join(dir, Receiver), nil, 0o600))
	found, err := binaries(dir)
	require.NoError(t, err)
	require.Equal(t, dir, found)
}

func TestRepositoryIsFoundUpwards(t *testing.T) {
	t.Parallel()
	root, found := repository()
	require.True(t, found)
	require.FileExists(t, filepath.Join(root, "go.mod"))
	require.NotEqual(t, "stack", filepath.Base(root))
}

func TestSQLiteIsTheDefault(t *testing.T) {
	t.Parallel()
	d, err := openDatabase(t.Context(), "", "/data", true)
	require.NoError(t, err)
	require.Equal(t, "sqlite:/data/ledger.db", d.url)
	require.NoError(t, d.drop(false))
}

func TestDatabaseErrorHidesThePassword(t *testing.T) {
	t.Parallel()
	_, err := openDatabase(t.Context(), "mysql://me:hunter2@host/name", "/data", true)
	require.ErrorContains(t, err, "PostgreSQL")
	require.NotContains(t, err.Error(), "hunter2")
}

// A process is tried with the shell, which every Unix has.
func shell(t *testing.T, script string) program {
	t.Helper()
	return program{
		name: "shell", path: "/bin/sh", args: []string{"-c", script}, log: filepath.Join(t.TempDir(), "shell.log"),
		ready: func(context.Context) error { return fmt.Errorf("never ready") },
	}
}

func TestDeathBeforeReadyTellsTheEndOfTheLog(t *testing.T) {
	t.Parallel()
	p, err := shell(t, "echo the disk is full >&2; exit 3").run(t.Context())
	require.NoError(t, err)
	err = p.awaitReady(t.Context())
	require.ErrorContains(t, err, "shell died: exit status 3")
	require.ErrorContains(t, err, "the disk is full")
}

func TestTerminateAsksFirst(t *testing.T) {
	t.Parallel()
	p, err := shell(t, "trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.01; done").run(t.Context())
	require.NoError(t, err)
	p.ready = func(context.Context) error {
		if lines := lastLines(p.log, 0, 1); len(lines) == 0 {
			return fmt.Errorf("not up")
		}
		return nil
	}
	require.NoError(t, p.awaitReady(t.Context()))
	require.NoError(t, p.terminate())
	require.Equal(t, []string{"up", "asked"}, lastLines(p.log, 0, 9))
}

func TestTerminateReportsABadEnd(t *testing.T) {
	t.Parallel()
	p, err := shell(t, "exit 7").run(t.Context())
	require.NoError(t, err)
	<-p.done
	require.ErrorContains(t, p.terminate(), "shell did not stop cleanly: exit status 7")
}

func TestKillDoesNotAsk(t *testing.T) {
	t.Parallel()
	p, err := shell(t, "trap '' TERM; while :; do sleep 0.01; done").run(t.Context())
	require.NoError(t, err)
	require.NoError(t, p.kill())
	require.ErrorContains(t, p.err, "killed")
}

func TestUnaskedDeathEndsTheStacksLife(t *testing.T) {
	t.Parallel()
	s := &Stack{running: make(map[string]*process)}
	s.life, s.fail = context.WithCancelCause(t.Context())
	wanted := shell(t, "echo out of memory; exit 1")
	wanted.ready = func(context.Context) error { return nil }
	s.programs = map[string]program{"shell": wanted}

	p, err := s.launch(t.Context(), "shell")
	require.NoError(t, err)
	s.watch(p)
	guarded, cancel := s.Guard(t.Context())
	defer cancel()
	<-guarded.Done()
	require.ErrorContains(t, context.Cause(guarded), "out of memory")
	require.ErrorContains(t, s.Kill("shell"), "shell is not running")
}

func TestKilledProcessIsNoNews(t *testing.T) {
	t.Parallel()
	s := &Stack{running: make(map[string]*process)}
	s.life, s.fail = context.WithCancelCause(t.Context())
	s.programs = map[string]program{"shell": shell(t, "while :; do sleep 0.01; done")}
	p, err := s.launch(t.Context(), "shell")
	require.NoError(t, err)
	require.NoError(t, s.Kill("shell"))
	s.watch(p)
	require.NoError(t, s.life.Err())

	_, err = s.launch(t.Context(), "shell") // and it can be started again
	require.NoError(t, err)
	_, err = s.launch(t.Context(), "shell")
	require.ErrorContains(t, err, "shell is running")
	require.NoError(t, s.Kill("shell"))
}

func TestKillTakesTheWholeTree(t *testing.T) {
	t.Parallel()
	p, err := shell(t, "(sh -c 'echo $$; exec sleep 1000') & wait").run(t.Context())
	require.NoError(t, err)
	p.whole = true
	p.ready = func(context.Context) error {
		if len(lastLines(p.log, 0, 1)) == 0 {
			return fmt.Errorf("not up")
		}
		return nil
	}
	require.NoError(t, p.awaitReady(t.Context()))
	grandchild, err := strconv.Atoi(lastLines(p.log, 0, 1)[0])
	require.NoError(t, err)
	require.Contains(t, descendants(p.cmd.Process.Pid), grandchild)
	require.NoError(t, p.kill())
	require.Eventually(t, func() bool { return !running(grandchild) }, readyWithin, askEvery)
}

// running reports whether a process is there and not only waits to be buried.
func running(pid int) bool {
	for _, children := range childrenOf() {
		if slices.Contains(children, pid) {
			return syscall.Kill(pid, 0) == nil && !buriable(pid)
		}
	}
	return false
}

// buriable reports whether a process has ended and nobody has asked how.
func buriable(pid int) bool {
	text, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.HasPrefix(strings.TrimSpace(string(text)), "Z")
}

func TestSuspendedProcessStandsStillAndGoesOn(t *testing.T) {
	t.Parallel()
	s := &Stack{running: make(map[string]*process)}
	s.life, s.fail = context.WithCancelCause(t.Context())
	s.programs = map[string]program{"shell": shell(t, "trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.01; done")}
	p, err := s.launch(t.Context(), "shell")
	require.NoError(t, err)
	p.ready = func(context.Context) error {
		if len(lastLines(p.log, 0, 1)) == 0 {
			return fmt.Errorf("not up")
		}
		return nil
	}
	require.NoError(t, p.awaitReady(t.Context()))
	require.NoError(t, s.Suspend("shell"))
	require.NoError(t, s.Resume("shell"))
	require.NoError(t, s.Suspend("shell"))
	require.NoError(t, s.Terminate("shell"), "who is suspended is asked to end, and woken to hear it")
	require.Equal(t, []string{"up", "asked"}, lastLines(p.log, 0, 9))
	require.ErrorContains(t, s.Suspend("shell"), "shell is not running")
}

func TestSeveralOfAKind(t *testing.T) {
	t.Parallel()
	s := &Stack{options: Options{Workers: 2, Receivers: 2, OwnDatabase: true}}
	require.Equal(t, []string{"worker", "worker-2"}, s.Names(Worker))
	require.Equal(t, []string{"receiver", "receiver-2"}, s.Names(Receiver))
	require.Equal(t, []string{"temporal"}, s.Names(Temporal))
	chosen, held, err := choosePorts(t.Context(), false, s.ports())
	require.NoError(t, err)
	defer held.release()
	require.Len(t, chosen, len(allPorts())+4)
	require.Contains(t, chosen, nthPort(portWorker, "worker-2"))
	require.Contains(t, chosen, nthPort(portAdmin, "receiver-2"))
	require.Contains(t, chosen, portPostgres)
}

func TestAnotherWayToTheDatabase(t *testing.T) {
	t.Parallel()
	by := func(address string) (string, error) {
		require.Equal(t, "127.0.0.1:5432", address)
		return "127.0.0.1:9999", nil
	}
	way, err := database{url: "postgres://me:secret@127.0.0.1:5432/x?sslmode=disable"}.by(Worker, by)
	require.NoError(t, err)
	require.Equal(t, "postgres://me:secret@127.0.0.1:9999/x?sslmode=disable", way)
	way, err = database{url: "sqlite:/data/ledger.db"}.by(Worker, by)
	require.NoError(t, err)
	require.Equal(t, "sqlite:/data/ledger.db", way)
}

// An operator's shell holds no key that seals the audit; the worker's settings do.
func TestOnlyTheWorkerHasTheAuditsKey(t *testing.T) {
	t.Parallel()
	s := &Stack{dir: t.TempDir()}
	holds := func(environment []string) bool {
		return slices.ContainsFunc(environment, func(setting string) bool { return strings.HasPrefix(setting, "PAYOUTS_AUDIT_KEY_FILE=") })
	}
	require.False(t, holds(s.Environment()))
	require.True(t, holds(s.WorkerEnvironment()))
}
