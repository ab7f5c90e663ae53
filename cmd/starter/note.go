package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) noteCommand() *cobra.Command {
	var merchant, by string
	cmd := &cobra.Command{
		Use:   "note NUMBER TEXT",
		Short: "Add a remark to an order's audit",
		Long: `Adds a remark to an order's audit, in whatever state the order is. It stays there
for ever, so leave personal data out of it.

--json: {"order","source"}, as of starter status.`,
		Example:           `  starter note INV-1 "asked the gateway's support, ticket 4711" --by amina`,
		Args:              noteArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := s.deedKey(cmd.Context(), merchant, args[0], nil)
			if err != nil {
				return err
			}
			document, _, err := s.act(cmd.Context(), key, func(ctx context.Context, temporal orders, at target) (order.View, error) {
				return temporal.Act(ctx, key, order.Note{ID: once(), By: by, Text: args[1]})
			})
			if err != nil {
				return err
			}
			s.showDone("noted in the order's audit", document)
			return nil
		},
	}
	s.addMerchant(cmd, &merchant)
	s.addBy(cmd, &by)
	return cmd
}

func noteArguments(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return usage("give an order number and a remark, which is one word for the shell: put quotes around it")
	}
	return nil
}
