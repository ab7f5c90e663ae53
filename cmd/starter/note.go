package main

import (
	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

func (s *starter) noteCommand() *cobra.Command {
	var merchant, who string
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
			key, err := s.actionKey(cmd.Context(), merchant, args[0], nil)
			if err != nil {
				return err
			}
			return s.act("noted in the order's audit", actor{who, args[1]}, func(service useCases) (payouts.Order, error) {
				return service.Note(cmd.Context(), s.by(who), key, args[1])
			})
		},
	}
	s.addMerchant(cmd, &merchant)
	s.addBy(cmd, &who)
	return cmd
}

func noteArguments(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return usage("give an order number and a remark, which is one word for the shell: put quotes around it")
	}
	return nil
}
