package commandline

import (
	"slices"

	"github.com/spf13/cobra"
)

// shells are those that completion can be made for.
var shells = []string{"bash", "fish", "powershell", "zsh"}

// completionCommand is cobra's in one command, with an error for a shell that
// it does not know.
func completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes commands in a shell",
		Long: `Prints a script for bash, fish, powershell or zsh, after which the shell completes
commands, flags and values. Have the shell read it when it starts: put one of these
lines, with the program's name, into its start file.

  bash  source <(PROGRAM completion bash), with the package bash-completion installed
  zsh   source <(PROGRAM completion zsh), after compinit
  fish  PROGRAM completion fish | source`,
		ValidArgs: shells,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := Exactly("shell")(cmd, args); err != nil {
				return err
			}
			if !slices.Contains(shells, args[0]) {
				return Misused("%s", NoneOf("the shell", args[0], shells))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return root.GenZshCompletion(out)
		},
	}
}
