package commandline

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/version"
)

// run runs a program with a command below it.
func run(args ...string) (out string, err error) {
	root := &cobra.Command{Use: "program", Short: "Show how it is done"}
	show := &cobra.Command{Use: "show THING", Short: "Show a thing", Args: Exactly("thing"), RunE: func(*cobra.Command, []string) error { return nil }}
	show.Flags().Int("limit", 1, "at most so many")
	show.Flags().String("note", "", "a remark")
	show.Flags().StringArray("field", nil, "a member")
	root.AddCommand(show)
	Prepare(root, nil)
	var text bytes.Buffer
	root.SetArgs(args)
	root.SetOut(&text)
	root.SetErr(&text)
	err = root.Execute()
	return text.String(), err
}

func TestWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	for line, message := range map[string]string{
		"sow":              "there is no command sow; did you mean show?",
		"everything":       "there is no command everything; program --help lists them",
		"0300":             "there is no such command; program --help lists them",
		"show":             "give exactly one thing; nothing was given",
		"show a b":         "give exactly one thing; 2 arguments were given",
		"show --limt 2":    "there is no flag --limt; did you mean --limit?",
		"show --x 2":       "there is no flag --x; program show --help lists them",
		"show --limit two": "--limit does not take that value; it is a whole number",
		"show --limit":     "--limit needs a value",
		"show -limit":      "flags are written with two dashes",
		"help shw":         "there is no help for shw; did you mean show?",
		"completion zhs":   "the shell is one of bash, fish, powershell, zsh; did you mean zsh?",
	} {
		out, err := run(strings.Fields(line)...)
		require.EqualError(t, err, message, line)
		require.Equal(t, ExitUsage, Status(err), line)
		require.Empty(t, out, line)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	require.Equal(t, 0, Status(nil))
	require.Equal(t, ExitFailed, Status(errors.New("boom")))
	require.Equal(t, ExitUsage, Status(fmt.Errorf("start: %w", Misused("no"))))
	require.Equal(t, ExitUsage, Status(fmt.Errorf("start: %w", &config.Error{})))
}

func TestHelpOfAPart(t *testing.T) {
	t.Parallel()
	bare, err := run()
	require.NoError(t, err)
	for _, args := range [][]string{{"--help"}, {"help"}} {
		out, err := run(args...)
		require.NoError(t, err)
		require.Equal(t, bare, out)
	}
	require.Contains(t, bare, "  show        Show a thing\n")
	of, err := run("help", "show")
	require.NoError(t, err)
	require.Contains(t, of, "--limit int")
	completed, err := run("__complete", "help", "")
	require.NoError(t, err)
	require.Contains(t, completed, "show\tShow a thing\n")
}

func TestVersionOfABuild(t *testing.T) {
	t.Parallel()
	out, err := run("--version")
	require.NoError(t, err)
	require.Regexp(t, fmt.Sprintf(`^program \(devel\) schema %d go1\.\S+ \w+/\w+\n$`, version.Read("").Schema), out)
	_, err = run("--version", "more")
	require.Equal(t, ExitUsage, Status(err))
}

// Long lines are broken where a reader expects it: a paragraph is filled anew, a
// row goes on under its text, and what fits stays as it is.
func TestWrap(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 30)
	text := "short\nlines stay\n\n" + long + "\nnext\n\n  4  " + long + "\n      " + long
	wrapped := Wrap(text, 80)
	for line := range strings.Lines(wrapped) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 80)
	}
	require.Equal(t, strings.Fields(text), strings.Fields(wrapped))
	require.True(t, strings.HasPrefix(wrapped, "short\nlines stay\n\nword word"))
	require.Contains(t, wrapped, "\n  4  word word")
	require.Contains(t, wrapped, "\n     word word")
	require.Contains(t, wrapped, "word next\n")
	require.Contains(t, wrapped, "\n      word word")
}
