package main

import (
	"context"
	"io"

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

// steer does something to an open order and prints how it stands then.
func (s *starter) steer(ctx context.Context, key order.Key, do func(context.Context, orders, order.Kind, string) (order.View, error)) error {
	temporal, hangUp, err := s.temporal(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	row, err := s.find(ctx, temporal, key)
	if err != nil {
		return err
	}
	if !row.Open && row.Status != "Completed" {
		return order.Refuse(order.DiscrepancyOrphan, "no workflow drives order %s: %s; let one go on with it: starter adopt %s",
			key, listedState(row), orderArguments(key))
	}
	if !row.Open {
		return order.Refuse(order.CodeTerminal, "order %s has ended: %s", key, listedState(row))
	}
	steering, cancel := within(ctx, callTime)
	defer cancel()
	view, err := do(steering, temporal, row.Kind, row.Country)
	if err != nil {
		return late(steering, err, "order %s did not answer; it may still do as told: look with starter status. Does a worker run?", key)
	}
	document := orderDocument{Order: view, Source: sourceWorkflow}
	s.show(document, func(w io.Writer) { writeOrder(w, document) })
	return nil
}
