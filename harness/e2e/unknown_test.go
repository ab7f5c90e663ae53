package e2e

import (
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/migrations"
)

// TestUnknownWordsOfEveryProgram gives every program an unknown word, flag and
// setting. The program must do nothing, print one sentence with a code and the
// nearest known word, and end with status 2.
func TestUnknownWordsOfEveryProgram(t *testing.T) {
	t.Parallel()
	const serves = "unexpected argument: this command takes flags only; put quotes around a value that has spaces in it"
	for program, want := range map[string]struct{ word, says, flag, flagSays string }{
		"worker":   {"now", "there is no command now; worker --help lists them", "--hepl", "there is no flag --hepl; did you mean --help?"},
		"receiver": {"now", serves, "--hepl", "there is no flag --hepl; did you mean --help?"},
		"codec":    {"now", serves, "--vresion", "there is no flag --vresion; did you mean --version?"},
		"sandbox":  {"scenarois", "there is no command scenarois; did you mean scenarios?", "--contrl", "there is no flag --contrl; did you mean --control?"},
		"dev":      {"dmeo", "there is no command dmeo; did you mean demo?", "--versio", "there is no flag --versio; did you mean --version?"},
		"starter":  {"withdrow", "there is no command withdrow; did you mean withdraw?", "--jsn", "there is no flag --jsn; did you mean --json?"},
	} {
		name := program
		if program == "starter" {
			name = "error"
		}
		for argument, says := range map[string]string{want.word: want.says, want.flag: want.flagSays} {
			r := run(t, nil, program, argument)
			require.Equal(t, exitUsage, r.exit, "%s %s", program, argument)
			require.Empty(t, r.out, "%s %s", program, argument)
			first, _, _ := strings.Cut(r.err, "\n")
			require.Equal(t, name+": "+says+" (USAGE)", first, "%s %s", program, argument)
		}
		if program == "sandbox" || program == "dev" {
			continue // they have no settings
		}
		environment := []string{"PAYOUTS_LOG_LEEVL=debug"}
		for name, value := range sound(t) {
			environment = append(environment, name+"="+value)
		}
		args := []string{}
		if program == "starter" {
			args = append(args, "list")
		}
		r := run(t, environment, program, args...)
		require.Equal(t, exitUsage, r.exit, program)
		require.Contains(t, r.err, name+": PAYOUTS_LOG_LEEVL is not a setting; did you mean PAYOUTS_LOG_LEVEL? (SETTING_UNKNOWN)\n", program)
	}
}

// TestVersionOfEveryProgram asks every program what it was built from. It needs no setting
// for that, and a word beside the flag is refused.
func TestVersionOfEveryProgram(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"worker", "receiver", "api", "codec", "starter", "sandbox", "dev"} {
		r := run(t, nil, program, "--version")
		require.Zero(t, r.exit, "%s: %s", program, r.err)
		require.Empty(t, r.err, program)
		said := regexp.MustCompile(`^` + program + ` (\(devel\)|v\S+)( \(commit [0-9a-f]{12} of \S+Z(, with changes)?\))? schema (\d+) (go\S+) (\S+)\n$`).FindStringSubmatch(r.out)
		require.NotNil(t, said, "%s says %q", program, r.out)
		require.Equal(t, []string{strconv.FormatInt(migrations.Version(), 10), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}, said[4:], program)

		r = run(t, nil, program, "--version", "1.2.3")
		require.Equal(t, exitUsage, r.exit, program)
		require.Empty(t, r.out, program)
	}
}
