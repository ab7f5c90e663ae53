// Package commandline holds what the command lines of all our programs share: help
// that fits 80 columns, --version, and one sentence with the nearest word for
// whatever is not known.
package commandline

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/version"
)

// Exit statuses of every program. The starter has more.
const (
	ExitFailed = 1
	ExitUsage  = 2 // the command line or a setting is wrong; nothing was done
)

// Misuse is a command line that cannot be read. Its text repeats nothing that was typed unless
// it has the shape of a command or a flag: an argument may be a beneficiary's name or account.
type Misuse struct{ text string }

func (m *Misuse) Error() string { return m.text }

// Misused makes a Misuse.
func Misused(format string, values ...any) error { return &Misuse{fmt.Sprintf(format, values...)} }

// Status is the exit status for an error.
func Status(err error) int {
	var misuse *Misuse
	var settings *config.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &misuse), errors.As(err, &settings):
		return ExitUsage
	}
	return ExitFailed
}

// Prepare finishes a program's root command: help, --version, completion, and errors for words
// and flags that are not known. Call it when all commands are there. say, if not nil, prints
// the version instead of the default line.
func Prepare(root *cobra.Command, say func(version.Build)) {
	root.SilenceUsage, root.SilenceErrors = true, true
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = readable
	root.SetHelpTemplate(helpTemplate)
	root.SetUsageTemplate(usageTemplate)
	addVersion(root, say)
	root.CompletionOptions.DisableDefaultCmd = true
	if root.HasSubCommands() {
		root.AddCommand(completionCommand())
		root.SetHelpCommand(helpCommand())
		root.InitDefaultHelpCmd()
	}
	for _, command := range append(all(root), root) {
		if !command.HasSubCommands() {
			continue
		}
		command.Args = UnknownCommand
		if !command.Runnable() {
			command.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

// all lists the commands below one.
func all(command *cobra.Command) []*cobra.Command {
	var found []*cobra.Command
	for _, child := range command.Commands() {
		found = append(append(found, child), all(child)...)
	}
	return found
}

func addVersion(root *cobra.Command, say func(version.Build)) {
	root.Flags().Bool("version", false, "print the version and exit")
	run := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if asked, err := cmd.Flags().GetBool("version"); err != nil || !asked {
			if run == nil {
				return errors.Join(err, cmd.Help())
			}
			return run(cmd, args)
		}
		build := version.Read(cmd.Name())
		if say == nil {
			say = func(b version.Build) { _, _ = io.WriteString(cmd.OutOrStdout(), b.String()+"\n") }
		}
		say(build)
		return nil
	}
}

// helpCommand is cobra's, with an error for what it does not know.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		Long:  "Explains a command, as its --help does.",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, child := range topic.Commands() {
				if !child.Hidden {
					names = append(names, child.Name()+"\t"+child.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				if topic == nil {
					topic, rest = cmd.Root(), args
				}
				return notKnown(topic, "help for", rest)
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}
