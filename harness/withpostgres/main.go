// Command withpostgres runs another command with a real PostgreSQL beside it.
//
//	withpostgres -- go test ./...
//
// The command finds the database's address in TEST_POSTGRES_URL. If that is
// already set, it is left alone and nothing is started. Otherwise a throw-away
// cluster is made from the PostgreSQL on this machine (which is installed if
// there is none), listens on 127.0.0.1 only, and is gone when the command ends.
//
// To kill a server and start it again, run one whose data is kept:
//
//	withpostgres -make
//	withpostgres -serve ./made-before -port 20432 -set shared_preload_libraries=pg_stat_statements
//	withpostgres -make -standby-of postgres://postgres@127.0.0.1:20432/postgres
//
// The first makes a cluster and prints its folder, which is the caller's to
// remove. The second runs a server on it until SIGTERM, as often as it is
// asked, and forces every commit out of the server's memory, so that SIGKILL
// loses nothing that was committed; -set, as often as need be, gives it a setting of
// PostgreSQL's over the usual ones. The third makes a cluster that is a standby of
// such a server, and is served like any other.
//
// The exit status is the command's own; 128+n if signal n ended it; 1 if there
// was no database to give it; 2 if it was called wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// envURL is the contract with the tests: a URL lib/pq understands, of a
// superuser who may create databases.
const envURL = "TEST_POSTGRES_URL"

const usage = `usage: withpostgres [--] command [argument...]
       withpostgres -make [-standby-of url]
       withpostgres -serve folder -port number [-set name=value]...

Runs the command with ` + envURL + ` pointing at a PostgreSQL server.
A server is started for it, and thrown away after it, unless ` + envURL + `
is already set.

-make makes a cluster, prints its folder, and leaves it there, with -standby-of
one that is a standby of a running server; -serve runs a server on such a folder
until SIGTERM, with the settings of PostgreSQL's that -set gives it, and prints its
URL once it is ready.
`

func init() {
	// The kernel's "kill the server when its parent dies" looks at the thread
	// that started it, so the main goroutine keeps to one thread for good.
	runtime.LockOSThread()
}

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}

	// Registered before anything is started: from here on no signal ends this
	// process before it has cleaned up.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)

	switch {
	case args[0] == "-make" || args[0] == "-serve":
		return runLasting(args, signals)
	case os.Getenv(envURL) != "":
		return runCommand(args, os.Environ(), signals)
	}

	server, err := startServer(signals)
	if err != nil {
		var interrupt interruptedError
		if errors.As(err, &interrupt) {
			return 128 + int(interrupt.signal)
		}
		say("%v", err)
		return 1
	}
	code := runCommand(args, append(os.Environ(), envURL+"="+server.url), signals)
	if err := server.stop(); err != nil {
		say("%v", err)
	}
	return code
}

// interruptedError says that a signal came before the command was started.
type interruptedError struct{ signal syscall.Signal }

func (e interruptedError) Error() string { return "interrupted by " + e.signal.String() }

// startServer finds PostgreSQL and starts a cluster, giving up with an
// interruptedError as soon as a signal arrives.
func startServer(signals <-chan os.Signal) (*cluster, error) {
	ctx, cancel := untilSignal(signals)
	defer cancel(nil)

	binaries, err := findOrInstall(ctx)
	if err != nil {
		return nil, interruptedOr(ctx, err)
	}
	server, err := startCluster(ctx, binaries)
	if err != nil {
		return nil, interruptedOr(ctx, err)
	}
	if ctx.Err() != nil {
		return nil, errors.Join(context.Cause(ctx), server.stop())
	}
	return server, nil
}

// untilSignal is a context that a signal ends, with an interruptedError as its
// cause.
func untilSignal(signals <-chan os.Signal) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		select {
		case s := <-signals:
			cancel(interruptedError{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// interruptedOr prefers the signal to the failure it caused.
func interruptedOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// runCommand runs the command on our own standard streams and hands it every signal we
// receive. The database runs until the command has ended, however long the command takes after
// a signal.
func runCommand(args, env []string, signals <-chan os.Signal) int {
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // running what the caller asked for is the purpose
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = env
	if err := cmd.Start(); err != nil {
		say("%v", err)
		return 127
	}

	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			// After a Ctrl-C at a terminal the command has it already; a second
			// one does no harm, and `kill` reaches only us.
			_ = cmd.Process.Signal(s)
		case err := <-done:
			return exitCode(err)
		}
	}
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		say("%v", err)
		return 1
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

// say writes to standard error: standard output belongs to the command.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "withpostgres: "+format+"\n", args...)
}
