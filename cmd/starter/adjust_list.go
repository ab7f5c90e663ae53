package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

func (s *starter) adjustListCommand() *cobra.Command {
	filter := payouts.AdjustmentFilter{Limit: 100}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Adjustments, the newest first",
		Long: `Lists adjustments from the ledger, the newest first, with who proposed and who decided
them.

--json: {"adjustments":[…],"more"}, each as of starter adjust propose; more means that
there are more than the limit.`,
		Example: `  starter adjust list --open
  starter adjust list --merchant M1700000001 --json`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.adjustments(cmd.Context(), filter) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&filter.Open, "open", false, "only those that wait for a second person")
	flags.StringVar(&filter.Merchant, "merchant", "", "only of this merchant number")
	flags.IntVar(&filter.Limit, "limit", filter.Limit, fmt.Sprintf("at most so many, up to %d", payouts.MaxPage))
	s.complete(cmd, "merchant", s.merchantNames)
	return cmd
}

func (s *starter) adjustments(ctx context.Context, filter payouts.AdjustmentFilter) error {
	if err := pageLimit(filter.Limit); err != nil {
		return err
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	found, err := service.Adjustments(ctx, s.self(), filter)
	if err != nil {
		return err
	}
	s.show(found, func(w io.Writer) { writeAdjustments(w, found) })
	return nil
}

func writeAdjustments(w io.Writer, document payouts.AdjustmentPage) {
	if len(document.Adjustments) == 0 {
		printf(w, "no adjustments\n")
		return
	}
	var rows [][]string
	for _, a := range document.Adjustments {
		decided := ""
		if a.DecidedBy != "" {
			decided = "by " + a.DecidedBy
		}
		if a.DecidedWhy != "" {
			decided += ": " + a.DecidedWhy
		}
		rows = append(rows, []string{
			moment(a.ProposedAt), a.Merchant, a.Ref, string(a.Kind), amountText(a.Amount), string(a.State), a.By, a.Why, a.Evidence, decided,
		})
	}
	table(w, []string{"PROPOSED", "MERCHANT", "REF", "KIND", "AMOUNT", "STATE", "BY", "WHY", "EVIDENCE", "DECIDED"}, rows)
	if document.More {
		printf(w, "there are more; raise --limit or narrow the filter\n")
	}
}
