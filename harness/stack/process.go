package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	readyWithin = 60 * time.Second      // a machine under load takes its time
	askEvery    = 50 * time.Millisecond // between two looks at whether a process is ready
	askWithin   = 2 * time.Second       // one look
	stopWithin  = 15 * time.Second      // between SIGTERM and SIGKILL
	tailLines   = 15                    // shown of the log of a process that died
	tailBytes   = 16 << 10
)

// program describes how one process is run.
type program struct {
	name   string
	path   string // of the binary
	args   []string
	env    []string // beside what every process gets
	log    string   // file that standard output and error are appended to
	ready  func(context.Context) error
	whole  bool          // kill its children, too
	within time.Duration // until it is ready; 0: readyWithin
}

// process is one run of a program.
type process struct {
	program
	cmd     *exec.Cmd
	logFrom int64              // where this run begins in the log
	stop    context.CancelFunc // SIGTERM, and SIGKILL if that does not help
	done    chan struct{}      // closed once it has ended
	err     error              // how it ended; read after done
}

// run starts a program. Only the values of the context are used: its end does not stop the
// process.
func (p program) run(ctx context.Context) (*process, error) {
	log, err := os.OpenFile(p.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	defer func() { _ = log.Close() }() // the child has its own handle
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	cmd := exec.CommandContext(life, p.path, p.args...) //nolint:gosec // the stack's own programs
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(inherited(os.Environ()), p.env...)
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error {
		// A suspended process receives the signal, too.
		return errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Process.Signal(syscall.SIGCONT))
	}
	cmd.WaitDelay = stopWithin
	if err := cmd.Start(); err != nil {
		stop()
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	started := &process{program: p, cmd: cmd, logFrom: from, stop: stop, done: make(chan struct{})}
	go func() {
		started.err = cmd.Wait()
		close(started.done)
	}()
	return started, nil
}

// awaitReady returns when the process answers, or with the reason why it never
// will.
func (p *process) awaitReady(ctx context.Context) error {
	within := cmp.Or(p.within, readyWithin)
	deadline, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	again := time.NewTicker(askEvery)
	defer again.Stop()
	for {
		err := p.look(deadline)
		if err == nil {
			select {
			case <-p.done: // somebody else answers on its address
				return p.death()
			default:
				return nil
			}
		}
		select {
		case <-p.done:
			return p.death()
		case <-deadline.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%s is not ready after %s: %w\n%s", p.name, within, err, p.tail())
		case <-again.C:
		}
	}
}

func (p *process) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return p.ready(ctx)
}

// terminate asks the process to end and waits until it has. The error is that
// of a process that had to be killed, or did not end well.
func (p *process) terminate() error {
	p.stop()
	<-p.done
	state := p.cmd.ProcessState
	if state == nil || state.Success() || endedBy(state, syscall.SIGTERM) {
		return nil
	}
	if endedBy(state, syscall.SIGKILL) {
		return fmt.Errorf("%s did not end within %s and was killed\n%s", p.name, stopWithin, p.tail())
	}
	return fmt.Errorf("%s did not stop cleanly: %s\n%s", p.name, state, p.tail())
}

// kill ends the process at once, as a crash of the machine would.
func (p *process) kill() error {
	if p.whole {
		// Descendants first, parents before their children: no process may see another one die
		// and clean up.
		for _, pid := range descendants(p.cmd.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone already
		}
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	p.stop()
	return nil
}

// descendants are all processes below one, parents before their children.
func descendants(pid int) []int {
	children := childrenOf()
	found := []int{pid}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found[1:]
}

// death returns how a process ended, with the last lines of its log.
func (p *process) death() error {
	how := "it ended by itself"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%s died: %s\n%s", p.name, how, p.tail())
}

func (p *process) tail() string {
	lines := lastLines(p.log, p.logFrom, tailLines)
	if len(lines) == 0 {
		return "it wrote nothing to " + p.log
	}
	return "the end of " + p.log + ":\n  " + strings.Join(lines, "\n  ")
}

// lastLines are the last lines of a file, looking no further back than from.
func lastLines(path string, from int64, count int) []string {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil
	}
	from = max(from, info.Size()-tailBytes)
	text, err := io.ReadAll(io.NewSectionReader(file, from, tailBytes))
	if err != nil {
		return nil
	}
	lines := strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' || r == '\r' })
	return lines[max(0, len(lines)-count):]
}

// inherited is the caller's environment without the settings of ours and of
// Temporal's: a stack depends on its options only.
func inherited(environment []string) []string {
	var kept []string
	for _, entry := range environment {
		if !strings.HasPrefix(entry, "PAYOUTS_") && !strings.HasPrefix(entry, "TEMPORAL_") {
			kept = append(kept, entry)
		}
	}
	return kept
}

func endedBy(state *os.ProcessState, signal syscall.Signal) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == signal
}

// binaries is the directory that holds the stack's programs: the one asked
// for, that of the running program, or bin/ of the repository that the working
// directory is in.
func binaries(asked string) (string, error) {
	var tried, missing []string
	for _, dir := range binaryDirs(asked) {
		lacking := lacks(dir)
		if len(lacking) == 0 {
			return filepath.Abs(dir)
		}
		tried, missing = append(tried, dir), lacking
	}
	return "", fmt.Errorf("no %s in %s: run %s", strings.Join(missing, ", "), strings.Join(tried, " or "), makeCommand(missing...))
}

// makeCommand is what builds programs that are missing: ours all at once, each
// of the others by itself.
func makeCommand(missing ...string) string {
	var targets []string
	for _, name := range missing {
		target := "build"
		switch name {
		case Temporal, withpostgres, temporalServer, temporalTool:
			target = "bin/" + name
		}
		if !slices.Contains(targets, target) {
			targets = append(targets, target)
		}
	}
	return "make " + strings.Join(targets, " ")
}

func binaryDirs(asked string) []string {
	if asked != "" {
		return []string{asked}
	}
	var dirs []string
	if self, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(self))
	}
	if root, found := repository(); found {
		dirs = append(dirs, filepath.Join(root, "bin"))
	}
	return dirs
}

// lacks lists the programs of a stack that a directory does not have.
func lacks(dir string) []string {
	var lacking []string
	for _, name := range Processes() {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			lacking = append(lacking, name)
		}
	}
	return lacking
}

// repository is the nearest directory upwards that holds a go.mod.
func repository() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}
