// Command sandbox runs a gateway for development and tests in place of TarsPay's.
//
// It knows the gateway's protocol, and nothing else of ours.
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

// command is serving, and below it everything that steers a running sandbox.
func command() *cobra.Command {
	root := serveCommand("sandbox")
	root.Long = "A stand-in for the TarsPay gateway: it checks every signature, keeps a book of its own, and signs and " +
		"repeats its callbacks. What happens to an order is chosen by the create itself (see: sandbox scenarios), by a " +
		"seeded fault plan, or by the commands below, which steer a sandbox that runs with --control."
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
