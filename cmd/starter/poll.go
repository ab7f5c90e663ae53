package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) pollCommand() *cobra.Command {
	var merchant string
	cmd := &cobra.Command{
		Use:   "poll NUMBER",
		Short: "Ask the gateway about an order at once",
		Long: `Makes an order ask the gateway at once, instead of at its next time. It answers
where the order stands now; what the gateway says shows in starter status.

--json: {"order","source"}, as of starter status.`,
		Example:           `  starter poll INV-1 --merchant M1700000001`,
		Args:              oneArgument("order number"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := s.key(merchant, args[0])
			if err != nil {
				return err
			}
			return s.steer(cmd.Context(), key, func(ctx context.Context, temporal orders, kind order.Kind, _ string) (order.View, error) {
				return temporal.PollNow(ctx, kind, key)
			})
		},
	}
	s.addMerchant(cmd, &merchant)
	return cmd
}
