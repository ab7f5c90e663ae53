// Command mutants takes the guards of docs/safety.md out of a copy of the
// repository, one at a time, and shows that a test goes red for each.
//
//	go run ./harness/mutants [-only regexp]
//
// It is run in the repository's root and changes nothing there: the files that
// git knows, as they are on disk, are copied into a temporary directory. One
// line of JSON per mutant and one for all of them go to standard output.
//
// The exit status is 1 when a mutant survives, when the list does not fit the
// code any more, or when the tests are red without any mutation.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	only := flag.String("only", "", "mutants whose name matches; all if empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// verdict is the line of one mutant.
type verdict struct {
	Mutant  string `json:"mutant"`
	Rule    int    `json:"rule,omitempty"` // of docs/safety.md
	Takes   string `json:"takes"`          // what is taken out
	Killed  bool   `json:"killed"`
	By      string `json:"by,omitempty"` // the first test that went red
	Seconds int    `json:"seconds"`
	Error   string `json:"error,omitempty"` // it could not be tried
}

// summary is the last line.
type summary struct {
	Mutants  string `json:"mutants"`
	Total    int    `json:"total"`
	Killed   int    `json:"killed"`
	Survived int    `json:"survived"`
	Seconds  int    `json:"seconds"`
}

func run(ctx context.Context, out io.Writer, only string) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	chosen := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !pattern.MatchString(m.name) })
	if len(chosen) == 0 {
		return errors.New("no mutant has such a name")
	}
	if err := check(".", chosen); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	copied, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = copied.Close() }()
	if err := copyTree(ctx, copied); err != nil {
		return fmt.Errorf("copy the repository: %w", err)
	}
	begun := time.Now()
	if err := green(ctx, copied, chosen); err != nil {
		return err
	}
	write := json.NewEncoder(out)
	total := summary{Mutants: "summary", Total: len(chosen)}
	for _, m := range chosen {
		v := m.try(ctx, copied)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if v.Killed {
			total.Killed++
		}
		if err := write.Encode(v); err != nil {
			return err
		}
	}
	total.Survived = total.Total - total.Killed
	total.Seconds = int(time.Since(begun).Seconds())
	if err := write.Encode(total); err != nil {
		return err
	}
	if total.Survived > 0 {
		return fmt.Errorf("%d of %d survived", total.Survived, total.Total)
	}
	return nil
}

// check demands that every mutant's old text stands in its file exactly once.
func check(root string, list []mutant) error {
	var wrong []error
	for _, m := range list {
		text, err := os.ReadFile(filepath.Join(root, m.file))
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", m.name, err))
			continue
		}
		if times := strings.Count(string(text), m.old); times != 1 {
			wrong = append(wrong, fmt.Errorf("%s: its text stands %d times in %s and should once; make the list fit the code:\n%s", m.name, times, m.file, m.old))
		}
	}
	return errors.Join(wrong...)
}

// copyTree copies the files that git tracks or would track.
func copyTree(ctx context.Context, to *os.Root) error {
	listed, err := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(listed), "\x00"), "\x00") {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // removed, and git does not know yet
		}
		if err != nil {
			return err
		}
		if err := to.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := to.WriteFile(name, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// green demands that the tests are there and pass without any mutation.
func green(ctx context.Context, dir *os.Root, list []mutant) error {
	wanted := make(map[string][]string) // by package
	for _, m := range list {
		if !slices.Contains(wanted[m.pkg], m.run) {
			wanted[m.pkg] = append(wanted[m.pkg], m.run)
		}
	}
	for pkg, runs := range wanted {
		result, err := goTest(ctx, dir, pkg, strings.Join(runs, "|"))
		switch {
		case err != nil:
			return err
		case result.failed != "" || !result.passed:
			return fmt.Errorf("%s: the tests are red without any mutation: %s\n%s", pkg, result.failed, result.output)
		}
		for _, m := range list {
			for name := range strings.SplitSeq(m.run, "|") {
				if m.pkg == pkg && !slices.Contains(result.ran, name) {
					return fmt.Errorf("%s: %s did not run", m.name, name)
				}
			}
		}
	}
	return nil
}

// try mutates the copy, runs the tests, and puts the copy right again.
func (m mutant) try(ctx context.Context, dir *os.Root) verdict {
	v := verdict{Mutant: m.name, Rule: m.rule, Takes: m.takes}
	begun := time.Now()
	text, err := dir.ReadFile(m.file)
	if err == nil {
		err = dir.WriteFile(m.file, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o600)
	}
	var result tested
	if err == nil {
		result, err = goTest(ctx, dir, m.pkg, m.run)
		err = errors.Join(err, dir.WriteFile(m.file, text, 0o600))
	}
	if err == nil && !result.passed && result.failed == "" {
		err = fmt.Errorf("no test has failed, and the run has: %s", result.output)
	}
	v.Seconds = int(time.Since(begun).Round(time.Second).Seconds())
	v.Killed, v.By = result.failed != "" && err == nil, result.failed
	if err != nil {
		v.Error = err.Error()
	}
	return v
}

// tested is what came of a run of tests.
type tested struct {
	passed bool     // the whole run
	failed string   // the first test that failed, or the one that was under way when the run broke off
	ran    []string // tests and subtests
	output string   // the end of what was printed, for people
}

// event is a line of `go test -json`.
type event struct {
	Action string
	Test   string
	Output string
}

// testTimeout bounds one run: a guard taken out may leave a test waiting for
// ever.
const testTimeout = "3m"

// goTest runs tests of one package. Code that does not compile is a run that
// failed without a failed test. Paths are left out of what is compiled, so that
// the next run, in another directory, finds it in the cache.
func goTest(ctx context.Context, dir *os.Root, pkg, pattern string) (tested, error) {
	arguments := []string{"test", "-json", "-trimpath", "-vet=off", "-ldflags=-w", "-count=1", "-failfast", "-timeout", testTimeout, "-run", anchored(pattern), pkg}
	command := exec.CommandContext(ctx, "go", arguments...) //nolint:gosec // all of it is this program's own
	command.Dir = dir.Name()
	command.WaitDelay = 10 * time.Second
	printed, err := command.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return tested{}, fmt.Errorf("go test: %w", err)
	}
	result := tested{passed: err == nil}
	var output strings.Builder
	running := make(map[string]bool)
	for line := range strings.Lines(string(printed)) {
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			output.WriteString(line)
			continue
		}
		output.WriteString(e.Output)
		if e.Test == "" {
			continue
		}
		switch e.Action {
		case "run":
			result.ran = append(result.ran, e.Test)
			running[e.Test] = true
		case "fail":
			if result.failed == "" {
				result.failed = e.Test
			}
			delete(running, e.Test)
		case "pass", "skip":
			delete(running, e.Test)
		}
	}
	if result.failed == "" && !result.passed {
		for _, name := range result.ran {
			if running[name] { // the last one that began is the deepest
				result.failed = name
			}
		}
	}
	result.output = tail(output.String())
	if exit != nil {
		result.output += tail(string(exit.Stderr))
	}
	return result, ctx.Err()
}

// anchored makes a list of whole names of tests a pattern for -run.
func anchored(names string) string {
	alternatives := strings.Split(names, "|")
	for i, name := range alternatives {
		levels := strings.Split(name, "/")
		for j, level := range levels {
			levels[j] = "^" + regexp.QuoteMeta(level) + "$"
		}
		alternatives[i] = strings.Join(levels, "/")
	}
	return strings.Join(alternatives, "|")
}

// maxOutput bounds what is shown of a run, in bytes.
const maxOutput = 4000

func tail(text string) string {
	if len(text) > maxOutput {
		text = "…" + text[len(text)-maxOutput:]
	}
	return text
}
