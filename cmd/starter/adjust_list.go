package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) adjustListCommand() *cobra.Command {
	filter := ledger.AdjustmentFilter{Limit: 100}
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
	flags.IntVar(&filter.Limit, "limit", filter.Limit, fmt.Sprintf("at most so many, up to %d", ledger.MaxPage-1))
	s.complete(cmd, "merchant", s.merchantNames)
	return cmd
}

// adjustmentsDocument is {"adjustments":[…],"more":…}.
type adjustmentsDocument struct {
	Adjustments []ledger.AdjustmentRecord `json:"adjustments"`
	More        bool                      `json:"more"` // there are more than the limit
}

func (s *starter) adjustments(ctx context.Context, filter ledger.AdjustmentFilter) error {
	var wrong problems
	if wrong.limit(filter.Limit); len(wrong) > 0 {
		return &order.Invalid{Problems: wrong}
	}
	return s.inLedger(ctx, func(ctx context.Context, l books) error {
		rows, more, err := page(filter.Limit, func(limit int) ([]ledger.AdjustmentRecord, error) {
			filter.Limit = limit
			return l.Adjustments(ctx, filter)
		})
		if err != nil {
			return err
		}
		document := adjustmentsDocument{rows, more}
		s.show(document, func(w io.Writer) { writeAdjustments(w, document) })
		return nil
	})
}

func writeAdjustments(w io.Writer, document adjustmentsDocument) {
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
