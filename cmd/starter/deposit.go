package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) depositCommand() *cobra.Command {
	var flags orderFlags
	var waiting waitFlags
	cmd := &cobra.Command{
		Use:   "deposit --number NUMBER --country CC --way WAY --amount AMOUNT",
		Short: "Take money in from a payer",
		Long: `Starts a deposit and prints how the payer pays: the payment page or the account,
and until when. With --wait it then waits until the payer has paid.

Choose the order number once per payment and keep it: the same command again
gives the same instructions and never a second order.

--json: {"order","source","started"}, as of starter status and starter withdraw;
order.instructions says how the payer pays, and started.existing is true when the
order was there already. With --wait it comes at the end.`,
		Example: `  starter deposit --country PK --way jazzcash --number CART-1 --amount 900 --phone "$PHONE"
  starter deposit --country BD --way EWALLET_BKASH --number CART-2 --amount 500 --phone "$PHONE" \
    --return-url https://shop.example.com/thanks --json`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.deposit(cmd.Context(), flags, waiting)
		},
	}
	flags.add(s, cmd, order.Deposit)
	waiting.add(cmd, "30s for the instructions, with --wait 10m for the end")
	s.completeOrder(cmd, order.Deposit)
	return cmd
}

func (s *starter) deposit(ctx context.Context, flags orderFlags, waiting waitFlags) error {
	request, err := s.request(ctx, order.Deposit, flags)
	if err != nil {
		return err
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	s.warnOfWay(request)
	patience := instructionsTime
	if !waiting.wait {
		patience = waiting.or(instructionsTime)
	}
	if err := s.requester(flags.requestedBy); err != nil {
		return err
	}
	document, err := service.StartDeposit(ctx, s.by(flags.requestedBy), request, patience)
	if err != nil {
		return err
	}
	if !s.json || waiting.wait {
		s.tellStarted(request, *document.Started)
	}
	if !waiting.wait || document.Order.State.Terminal() {
		return s.ended(document)
	}
	if !s.json { // the payer needs them now; a machine gets one document, at the end
		s.warnAway(document)
		s.show(document, func(w io.Writer) { writeOrder(w, document) })
	}
	return s.await(ctx, service.Await, request.Key(), waiting, document.Started)
}
