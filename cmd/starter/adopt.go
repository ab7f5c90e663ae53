package main

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) adoptCommand() *cobra.Command {
	var merchant, by string
	cmd := &cobra.Command{
		Use:   "adopt NUMBER",
		Short: "Start a workflow for an open order that has none",
		Long: `Starts a workflow for an order that is open in the ledger and that no workflow
drives, because it was terminated or lost; starter queue lists such orders. The
workflow goes on from where the ledger says the order stands: what may have been
sent is asked about before anything is sent again.

An order that the ledger does not have (ORDER_NOT_IN_LEDGER) is written down from what
its workflow was started with, as one that may have been sent: the gateway is asked
before anything is sent. A workflow of it that runs goes on by itself.

An order that a workflow drives is refused with WORKFLOW_RUNNING, one that has
ended with ORDER_ENDED, and one whose workflow id is taken by a workflow that drives
no order with NUMBER_SQUATTED. The audit has who adopted it, or tried, and the discrepancies
that told of the missing workflow are closed.

--json: {"order","started":{"workflow_id","run_id","existing"},"closed"}, where order
is as of starter status, and closed lists the ids of discrepancies.`,
		Example:           `  starter adopt INV-1 --merchant M1700000001 --by amina`,
		Args:              commandline.Exactly("order number"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := s.actionKey(cmd.Context(), merchant, args[0], nil)
			if err != nil {
				return err
			}
			return s.adopt(cmd.Context(), key, by)
		},
	}
	s.addMerchant(cmd, &merchant)
	s.addBy(cmd, &by)
	return cmd
}

func (s *starter) adopt(ctx context.Context, key order.Key, who string) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	adopted, err := service.Adopt(ctx, s.by(who), key)
	if err != nil {
		return err
	}
	if adopted.Unrecorded {
		s.note("the order is adopted, but its audit entry is not confirmed: look with %s, and if it is not there, add it with: starter note %s %s",
			payouts.AskStarter(payouts.UseAudit, key), orderArguments(key), `"adopted"`)
	}
	if adopted.NotClosed {
		s.note("the order is adopted, but the discrepancy about the missing workflow could not be closed; close it with starter close-discrepancy")
	}
	s.show(adopted, func(w io.Writer) { writeAdopted(w, adopted) })
	return nil
}

func writeAdopted(w io.Writer, document payouts.Adopted) {
	writeOrder(w, orderDocument{Order: document.Order, Source: payouts.FromLedger})
	facts := []fact{{"run", document.Started.RunID}}
	var ids []string
	for _, id := range document.Closed {
		ids = append(ids, strconv.FormatInt(id, 10))
	}
	facts = append(facts, fact{"closed", strings.Join(ids, ", ")})
	describe(w, "adopted by workflow "+document.Started.WorkflowID, facts)
}
