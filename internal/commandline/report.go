package commandline

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tarspay-payouts/orchestrator/config"
)

// CodeUsage is the code of a Misuse. It is stable.
const CodeUsage = "USAGE"

// Report ends a program: it says what went wrong, a sentence a line, with a code
// where the command line or a setting is to blame, and returns the exit status.
func Report(w io.Writer, program string, err error) int {
	var misuse *Misuse
	var settings *config.Error
	switch {
	case err == nil:
	case errors.As(err, &settings):
		for _, p := range settings.Problems {
			fmt.Fprintf(w, "%s: %s %s (%s)\n", program, p.Variable, p.Text, cmp.Or(p.Code, config.CodeInvalid))
		}
	case errors.As(err, &misuse):
		fmt.Fprintf(w, "%s: %s (%s)\n", program, misuse, CodeUsage)
	default:
		fmt.Fprintf(w, "%s: %s\n", program, strings.TrimPrefix(err.Error(), program+": "))
	}
	return Status(err)
}

// NotOneOf is the error for a word that is not in a list; it names the command that prints the
// list. Like a Misuse it repeats a word only if it has the shape of one.
func NotOneOf(what, typed string, words []string, where string) error {
	if !word.MatchString(typed) {
		return Misused("there is no such %s; %s lists them", what, where)
	}
	if near := config.Nearest(typed, words); near != "" {
		return Misused("there is no %s %s; did you mean %s?", what, typed, near)
	}
	return Misused("there is no %s %s; %s lists them", what, typed, where)
}
