package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) rejectCommand() *cobra.Command {
	return s.endingCommand("reject NUMBER --why WHY | --list FILE --fingerprint FINGERPRINT --why WHY", order.ActionReject, "rejected", &cobra.Command{
		Short: "End an order or many that wait for a second person",
		Long: `Ends an order that waits for a second person; nothing has been sent. Whoever
requested it may do so, too.
` + listHelp + `

--json: {"order","source"}, as of starter status.` + listHelpJSON,
		Example: `  starter reject INV-1 --why "not our supplier" --by amina`,
	}, useCases.Reject)
}

func (s *starter) cancelCommand() *cobra.Command {
	return s.endingCommand("cancel NUMBER --why WHY | --list FILE --fingerprint FINGERPRINT --why WHY", order.ActionCancel, "cancelled", &cobra.Command{
		Short: "Withdraw an order or many before anything is sent",
		Long: `Withdraws an order before anything is sent to the gateway; what it has reserved is
available again. Once it has been sent it is refused with ALREADY_SUBMITTED: the
gateway does not take back what it has accepted.
` + listHelp + `

--json: {"order","source"}, as of starter status.` + listHelpJSON,
		Example: `  starter cancel INV-1 --why "paid by hand"`,
	}, useCases.Cancel)
}

// endingCommand adds the flags and the action to a command that ends an order with
// a reason.
func (s *starter) endingCommand(
	use, name, done string, cmd *cobra.Command, end func(useCases, context.Context, payouts.Actor, order.Key, string) (payouts.Order, error),
) *cobra.Command {
	var merchant string
	var who actor
	var list many
	cmd.Use = use
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case list.given():
			return s.actOnList(cmd.Context(), &list, merchant, name, done, who)
		case list.root != "":
			return usage("--fingerprint is of a list: give it with --list or --waiting")
		}
		key, err := s.actionKey(cmd.Context(), merchant, args[0], nil)
		if err != nil {
			return err
		}
		return s.act(done, who, func(service useCases) (payouts.Order, error) {
			return end(service, cmd.Context(), s.by(who.by), key, who.why)
		})
	}
	s.addMerchant(cmd, &merchant)
	s.addActor(cmd, &who, "why, in a sentence")
	list.add(s, cmd)
	list.addRoot(s, cmd)
	return cmd
}
