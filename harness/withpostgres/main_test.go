package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary stands in for withpostgres itself, and for the command it
// runs, so that signals and exit codes are those of real processes.
const envRole = "WITHPOSTGRES_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(envRole) {
	case "withpostgres":
		os.Setenv(envRole, "command")
		main()
	case "command":
		command(os.Args[1])
	default:
		os.Unsetenv(envURL) // these tests start servers of their own
		os.Exit(m.Run())
	}
}

// command is what withpostgres runs in these tests.
func command(what string) {
	switch what {
	case "url":
		fmt.Println(os.Getenv(envURL))
	case "wait":
		fmt.Println(os.Getenv(envURL))
		// Until a signal ends it, or the test is gone and nobody would.
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "create-database":
		db, err := sql.Open("postgres", os.Getenv(envURL))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if _, err := db.Exec("CREATE DATABASE mine"); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		var setting string
		if err := db.QueryRow("SHOW max_connections").Scan(&setting); err != nil || setting != "300" {
			fmt.Println(setting, err)
			os.Exit(1)
		}
		os.Exit(42)
	default:
		code, err := strconv.Atoi(what)
		if err != nil {
			panic(err)
		}
		os.Exit(code)
	}
}

// withpostgres prepares a run whose temporary folder is tmp.
func withpostgres(t *testing.T, tmp string, env []string, what string) *exec.Cmd {
	t.Helper()
	if find() == "" {
		// `make test` installs one before these tests run.
		t.Skip("no PostgreSQL on this machine")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "--", self, what)
	cmd.Env = append(append(os.Environ(), envRole+"=withpostgres", "TMPDIR="+tmp), env...)
	return cmd
}

// tempDir is a folder the server's account can enter when we are root.
func tempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// assertGone checks that the run left neither files nor a server.
func assertGone(t *testing.T, tmp, url string) {
	t.Helper()
	if left, err := filepath.Glob(filepath.Join(tmp, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if url != "" && answers(t, url) {
		t.Errorf("the server still answers at %s", url)
	}
}

func answers(t *testing.T, url string) bool {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.PingContext(t.Context()) == nil
}

func exitStatus(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return -1
}

func TestGivenServerIsUsedAsItIs(t *testing.T) {
	t.Parallel()
	tmp := tempDir(t)
	const given = "postgres://somebody@db.example:5432/tests"
	out, err := withpostgres(t, tmp, []string{envURL + "=" + given}, "url").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != given {
		t.Errorf("the command saw %q, want %q", got, given)
	}
	assertGone(t, tmp, "")
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		want int
	}{
		{"nothing to run", nil, 2},
		{"nothing after the dashes", []string{"--"}, 2},
		{"the command's success", []string{"--", self, "0"}, 0},
		{"the command's failure", []string{"--", self, "3"}, 3},
		{"the dashes may be left out", []string{self, "4"}, 4},
		{"a command's own dashes are its own", []string{"--", "sh", "-c", "exit 5"}, 5},
		{"a command ended by a signal", []string{"--", "sh", "-c", "kill -9 $$"}, 128 + 9},
		{"no such command", []string{"--", "/no/such/command"}, 127},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), self, test.args...)
			cmd.Env = append(os.Environ(), envRole+"=withpostgres", envURL+"=postgres://given")
			if got := exitStatus(t, cmd.Run()); got != test.want {
				t.Errorf("exit status %d, want %d", got, test.want)
			}
		})
	}
}

func TestServersAtOnce(t *testing.T) {
	t.Parallel()
	tmp := tempDir(t)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			out, err := withpostgres(t, tmp, nil, "create-database").CombinedOutput()
			if got := exitStatus(t, err); got != 42 {
				t.Errorf("exit status %d, want 42: %s", got, out)
			}
		})
	}
	wg.Wait()
	assertGone(t, tmp, "")
}

func TestSignalEndsCommandThenServer(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			tmp := tempDir(t)
			cmd, url := startWaiting(t, tmp)
			if !answers(t, url) {
				t.Fatalf("no server at %s", url)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if got, want := exitStatus(t, cmd.Wait()), 128+int(signal); got != want {
				t.Errorf("exit status %d, want %d", got, want)
			}
			assertGone(t, tmp, url)
		})
	}
}

// A signal may come at any moment of starting: nothing may be left, whenever.
func TestSignalWhileStarting(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		delay := time.Duration(i) * 60 * time.Millisecond
		t.Run(delay.String(), func(t *testing.T) {
			tmp := tempDir(t)
			cmd := withpostgres(t, tmp, nil, "wait")
			if _, err := cmd.StdinPipe(); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitForFirstFile(t, tmp)
			time.Sleep(delay)
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if got := exitStatus(t, cmd.Wait()); got != 128+15 {
				t.Errorf("exit status %d, want %d", got, 128+15)
			}
			assertGone(t, tmp, "")
		})
	}
}

// waitForFirstFile waits until the run has begun to leave traces.
func waitForFirstFile(t *testing.T, tmp string) {
	t.Helper()
	for t.Context().Err() == nil {
		if files, _ := filepath.Glob(filepath.Join(tmp, "*")); len(files) > 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Nobody can clean up after a kill -9, but on Linux the server at least ends.
func TestServerEndsWithUs(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs the kernel's parent-death signal")
	}
	cmd, url := startWaiting(t, tempDir(t))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	deadline, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for answers(t, url) {
		if deadline.Err() != nil {
			t.Fatalf("the server still answers at %s", url)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// startWaiting starts a run whose command waits, and returns when it does.
func startWaiting(t *testing.T, tmp string) (*exec.Cmd, string) {
	t.Helper()
	cmd := withpostgres(t, tmp, nil, "wait")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

func TestNewestVersionFirst(t *testing.T) {
	t.Parallel()
	dirs := []string{
		"/usr/lib/postgresql/9.6/bin",
		"/usr/lib/postgresql/17/bin",
		"/usr/local/opt/postgresql/bin",
		"/opt/homebrew/opt/postgresql@16/bin",
	}
	slices.SortStableFunc(dirs, newestFirst)
	want := []string{
		"/usr/lib/postgresql/17/bin",
		"/opt/homebrew/opt/postgresql@16/bin",
		"/usr/lib/postgresql/9.6/bin",
		"/usr/local/opt/postgresql/bin",
	}
	if !slices.Equal(dirs, want) {
		t.Errorf("got %v, want %v", dirs, want)
	}
}

// TestLastingServerKeepsWhatWasCommitted kills a server as a crash would, with
// a transaction open, and starts another on the same data.
func TestLastingServerKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	made, err := lastingRun(t, "-make").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(string(made))
	defer os.RemoveAll(dir)
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	first := serveLasting(t, dir, port)
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE kept AS SELECT 42 AS n"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	postmaster, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(postmaster, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if code := exitStatus(t, first.Wait()); code != 1 {
		t.Errorf("a server that dies ends the run with %d", code)
	}

	second := serveLasting(t, dir, port, "-set", "work_mem=7MB", "-set", "max_connections=7")
	for name, want := range map[string]string{"work_mem": "7MB", "max_connections": "7"} {
		var got string
		if err := db.QueryRow("SHOW " + name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, was set to %q: %v", name, got, want, err)
		}
	}
	var n int
	if err := db.QueryRow("SELECT n FROM kept").Scan(&n); err != nil || n != 42 {
		t.Errorf("after the crash: %d %v", n, err)
	}
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := exitStatus(t, second.Wait()); code != 0 {
		t.Errorf("a server that is asked to end ends the run with %d", code)
	}
	if answers(t, url) {
		t.Error("the server still answers")
	}
}

func lastingRun(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if find() == "" {
		t.Skip("no PostgreSQL on this machine")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), envRole+"=withpostgres", "TMPDIR="+tempDir(t))
	cmd.Stderr = os.Stderr
	return cmd
}

// serveLasting starts a server on a cluster and returns when it answers.
func serveLasting(t *testing.T, dir string, port int, args ...string) *exec.Cmd {
	t.Helper()
	cmd := lastingRun(t, append([]string{"-serve", dir, "-port", strconv.Itoa(port)}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// A server that dies before the process has seen it ready is started again.
	line, err := bufio.NewReader(out).ReadString('\n')
	if want := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable\n", port); err != nil || line != want {
		t.Fatalf("it says %q, not %q: %v", line, want, err)
	}
	return cmd
}
