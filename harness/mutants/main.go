// Command mutants removes the guards of docs/safety.md from a copy of the repository, one
// at a time, and shows that a test fails for each.
//
//	go run ./harness/mutants [-only regexp]
//
// Run it in the repository's root. It changes nothing there: it copies the files that git
// tracks or would track into a temporary directory. It prints a line of JSON for each
// mutant, and a summary, on standard output.
//
// The exit status is 1 if a mutant survives, if the list does not match the code, or if
// the tests fail without a mutation.
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
	only := flag.String("only", "", "run only mutants whose name matches this regular expression")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// verdict is the JSON line of one mutant.
type verdict struct {
	Mutant  string `json:"mutant"`
	Rule    int    `json:"rule,omitempty"` // of docs/safety.md
	Takes   string `json:"takes"`          // the guard that it disables
	Killed  bool   `json:"killed"`
	By      string `json:"by,omitempty"` // the first test that failed
	Seconds int    `json:"seconds"`
	Error   string `json:"error,omitempty"` // why it could not be run
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
		return errors.New("-only matches no mutant")
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

// check returns an error unless every mutant's old text occurs exactly once in its file.
func check(root string, list []mutant) error {
	var wrong []error
	for _, m := range list {
		text, err := os.ReadFile(filepath.Join(root, m.file))
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", m.name, err))
			continue
		}
		if times := strings.Count(string(text), m.old); times != 1 {
			wrong = append(wrong, fmt.Errorf("%s: its text occurs %d times in %s, not once; adapt harness/mutants/list.go:\n%s", m.name, times, m.file, m.old))
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
			continue // removed on disk, but still in git's index
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

// green returns an error unless the tests exist and pass without a mutation.
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
			return fmt.Errorf("%s: the tests fail without a mutation: %s\n%s", pkg, result.failed, result.output)
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

// try mutates the copy, runs the tests, and restores the copy.
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
		err = fmt.Errorf("the run failed without a failed test: %s", result.output)
	}
	v.Seconds = int(time.Since(begun).Round(time.Second).Seconds())
	v.Killed, v.By = result.failed != "" && err == nil, result.failed
	if err != nil {
		v.Error = err.Error()
	}
	return v
}

// tested is the result of a run of tests.
type tested struct {
	passed bool     // the whole run
	failed string   // the first test that failed, or the test that ran when the run was aborted
	ran    []string // tests and subtests
	output string   // the end of the output, for people
}

// event is a line of `go test -json`.
type event struct {
	Action string
	Test   string
	Output string
}

// testTimeout bounds one run, because a mutant may make a test wait for ever.
const testTimeout = "3m"

// goTest runs tests of one package. If the code does not compile, the run fails without a
// failed test. -trimpath lets the next run, in another directory, use the build cache.
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
			if running[name] { // the last test that began is the deepest
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

// anchored converts "A|B/c" to a pattern for -run that matches these names exactly.
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

// maxOutput bounds the output that is shown of a run, in bytes.
const maxOutput = 4000

func tail(text string) string {
	if len(text) > maxOutput {
		text = "…" + text[len(text)-maxOutput:]
	}
	return text
}
