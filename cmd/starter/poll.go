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
		Long: `Makes an order ask the gateway at once, instead of at its next time; one that waits
for funds looks for them. It answers where the order stands now; what the gateway
says shows in starter status.

An order that waits for an approval is refused with NOT_SUBMITTED, one that has ended
with ORDER_ENDED. One that no workflow drives is WORKFLOW_MISSING: nobody asks until
it is adopted.

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
	return s.act("asked now; what comes of it shows in: "+ask(payouts.UseStatus, key), func(service *payouts.Service) (payouts.Order, error) {
		return service.Poll(ctx, s.by(who), key)
	})
}
