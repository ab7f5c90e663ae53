// Command sandbox runs a stand-in for TarsPay's gateway, for development and
// tests.
//
// It uses the packages tarspay and harness/sandbox, and nothing of the
// orchestrator.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	os.Exit(commandline.Report(os.Stderr, "sandbox", err))
}

// command returns the command that serves, with subcommands that control a running
// sandbox.
func command() *cobra.Command {
	root := serveCommand("sandbox")
	root.Long = "Runs a stand-in for the TarsPay gateway. It checks every signature, keeps its own records, and signs and " +
		"repeats its callbacks. The scenario of an order is selected by the create (see: sandbox scenarios), by a " +
		"seeded fault plan, or by the commands below. They need a sandbox that runs with --control."
	root.AddCommand(serveCommand("serve"), keygenCommand(), scenariosCommand())
	for _, steer := range []func(*controls) *cobra.Command{
		infoCommand, bookCommand, ordersCommand, auditCommand, callbacksCommand, callbackCommand, scenarioCommand,
		moveCommand, fundCommand, switchCommand, keyCommand, faultsCommand, advanceCommand,
	} {
		root.AddCommand(withControls(steer))
	}
	commandline.Prepare(root, nil)
	return root
}
