package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) pollCommand() *cobra.Command {
	var merchant, by string
	cmd := &cobra.Command{
		Use:   "poll NUMBER",
		Short: "Ask the gateway about an order at once",
		Long: `Makes an order query the gateway now, and not at its next time. An order that waits
for funds checks now whether they are there. The output is the order's state before the
gateway answers; starter status shows the answer.

The codes of refusals: NOT_SUBMITTED if the order waits for an approval, ORDER_ENDED if
it has ended, WORKFLOW_MISSING if no workflow drives it: adopt it first.

--json: {"order","source"}, as of starter status.`,
		Example:           `  starter poll INV-1 --merchant M1700000001 --by amina`,
		Args:              commandline.Exactly("order number"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := s.actionKey(cmd.Context(), merchant, args[0], nil)
			if err != nil {
				return err
			}
			return s.poll(cmd.Context(), key, by)
		},
	}
	s.addMerchant(cmd, &merchant)
	s.addBy(cmd, &by)
	return cmd
}

func (s *starter) poll(ctx context.Context, key order.Key, who string) error {
	return s.act("asked now", actor{by: who}, func(service useCases) (payouts.Order, error) {
		return service.Poll(ctx, s.by(who), key)
	}, "what comes of it shows in: "+payouts.AskStarter(payouts.UseStatus, key))
}
