package commandline

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tarspay-payouts/orchestrator/config"
)

// word matches the shape of a command or flag. Only such words are repeated in errors.
var word = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

// UnknownCommand is the Args of a command that has others below it.
func UnknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return notKnown(cmd, "command", args)
}

// notKnown is the error for an unknown subcommand.
func notKnown(cmd *cobra.Command, what string, args []string) error {
	if len(args) == 0 || !word.MatchString(args[0]) {
		return Misused("there is no such command; %s --help lists them", cmd.CommandPath())
	}
	text := "there is no " + what + " " + args[0]
	if near := nearestCommand(cmd, args[0]); near != "" {
		return Misused("%s; did you mean %s?", text, near)
	}
	return Misused("%s; %s --help lists them", text, cmd.CommandPath())
}

func nearestCommand(cmd *cobra.Command, typed string) string {
	var names []string
	for _, child := range cmd.Commands() {
		if child.Hidden {
			continue
		}
		for _, other := range child.SuggestFor {
			if other == typed {
				return child.Name()
			}
		}
		names = append(names, child.Name())
	}
	return config.Nearest(typed, names)
}

// NoneOf says that a word is none of a list, which one was meant, and all of them. The word
// itself is not repeated, because it may be a misplaced value.
func NoneOf(what, typed string, words []string) string {
	text := what + " is one of " + strings.Join(words, ", ")
	if near := config.Nearest(typed, words); near != "" {
		text += "; did you mean " + near + "?"
	}
	return text
}

// NoArguments is for commands that take flags only.
func NoArguments(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case len(args) == 1:
		return Misused("unexpected argument: this command takes flags only; put quotes around a value that has spaces in it")
	}
	return Misused("%d unexpected arguments: this command takes flags only; put quotes around a value that has spaces in it", len(args))
}

// Exactly is for commands about things that are named in this order.
func Exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return Misused("give %s; %s", listed(names), given(len(args)))
	}
}

// AtMostOne is for commands about one thing or all of them.
func AtMostOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) <= 1 {
			return nil
		}
		return Misused("give one %s, or none for all; %s", name, given(len(args)))
	}
}

func listed(names []string) string {
	if len(names) == 1 {
		return "exactly one " + names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func given(n int) string {
	switch n {
	case 0:
		return "nothing was given"
	case 1:
		return "1 argument was given"
	}
	return strconv.Itoa(n) + " arguments were given"
}

// flagError says what is wrong with a flag in our words, because pflag's
// repeat the value.
func flagError(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		empty   *pflag.ValueRequiredError
		wrong   *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown) && word.MatchString(unknown.GetSpecifiedName()):
		return noSuchFlag(cmd, unknown)
	case errors.As(err, &empty):
		return Misused("--%s needs a value", empty.GetFlag().Name)
	case errors.As(err, &wrong):
		return Misused("--%s does not take that value; it is %s", wrong.GetFlag().Name, kindOf(wrong.GetFlag()))
	}
	return Misused("a flag cannot be read; flags are written --name value or --name=value")
}

func noSuchFlag(cmd *cobra.Command, unknown *pflag.NotExistError) error {
	if unknown.GetSpecifiedShortnames() != "" {
		return Misused("flags are written with two dashes")
	}
	var names []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			names = append(names, flag.Name)
		}
	})
	name := unknown.GetSpecifiedName()
	if near := config.Nearest(name, names); near != "" {
		return Misused("there is no flag --%s; did you mean --%s?", name, near)
	}
	return Misused("there is no flag --%s; %s --help lists them", name, cmd.CommandPath())
}

func kindOf(flag *pflag.Flag) string {
	switch flag.Value.Type() {
	case "duration":
		return "a duration such as 30s or 10m"
	case "int", "uint64":
		return "a whole number"
	case "bool":
		return "true or false"
	}
	return "a " + flag.Value.Type()
}
