package main

import (
	"errors"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Whatever stands on a command line may be a beneficiary's name or account
// that slipped out of its place, so no message here repeats what was typed
// unless it has the shape of a command or a flag.
var word = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

// flagError says what is wrong with a flag in our words, because pflag's
// repeat the value.
func flagError(_ *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		empty   *pflag.ValueRequiredError
		wrong   *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown) && word.MatchString(unknown.GetSpecifiedName()):
		if unknown.GetSpecifiedShortnames() != "" {
			return usage("flags are written with two dashes")
		}
		return usage("there is no flag --%s", unknown.GetSpecifiedName())
	case errors.As(err, &empty):
		return usage("--%s needs a value", empty.GetFlag().Name)
	case errors.As(err, &wrong):
		return usage("--%s does not take that value; it is %s", wrong.GetFlag().Name, kindOf(wrong.GetFlag()))
	}
	return usage("a flag cannot be read; flags are written --name value or --name=value")
}

func kindOf(flag *pflag.Flag) string {
	switch flag.Value.Type() {
	case "duration":
		return "a duration such as 30s or 10m"
	case "int":
		return "a whole number"
	case "bool":
		return "true or false"
	}
	return "a " + flag.Value.Type()
}

// noArguments is for commands that take flags only.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s that belongs to no flag; put quotes around values with blanks", count(len(args), "word stands there", "words stand there"))
	}
	return nil
}

// oneArgument is for commands about one thing, such as NUMBER.
func oneArgument(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("give exactly one %s; %s", name, count(len(args), "was given", "were given"))
		}
		return nil
	}
}

// atMostOne is for commands about one thing or all of them.
func atMostOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage("give one %s, or none for all; %s", name, count(len(args), "was given", "were given"))
		}
		return nil
	}
}

// unknownCommand is what the root says to a word that it does not know.
func unknownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !word.MatchString(args[0]) {
		return usage("there is no such command")
	}
	text := "there is no command " + args[0]
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage("%s", text)
}
