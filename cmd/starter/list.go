package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (s *starter) listCommand() *cobra.Command {
	var flags listFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Orders, the newest first",
		Long: `Lists orders, the newest first. States come from the ledger (PAYOUTS_DATABASE_URL), if
the ledger has the order. Temporal adds which workflow drives it, and orders that the
ledger does not have.

Without a ledger this is Temporal's list. It is updated only when an order ends, waits
for somebody, or is unknown. Until then an order is "created" there. If there are more
orders than --limit, open orders are listed before ended ones.

If nothing drives an order, the reason follows its state: "(no workflow)" or "(workflow
terminated)": adopt the order; "(number squatted)": a workflow that drives no order has
its workflow id; "(not in the ledger)": only Temporal has the order. starter status
says more, and starter queue says what to do.

If Temporal cannot be asked, orders that only Temporal has are missing. Of an order that
was rejected before the ledger had it, there are only the merchant, the number and the
time, and only without --kind and --country.

--json: {"orders":[{"kind","merchant","number","country","amount","state",
"needs_review","gateway_id","open","status","workflow_id","run_id","started_at",
"ended_at","squatted","problem"}],"more","source","problem":{"code","text"}}, where
status is the workflow's, squatted says what has the order's id if it drives no order,
an order's problem is WORKFLOW_MISSING, NUMBER_SQUATTED or ORDER_NOT_IN_LEDGER, more
means that there are more than the limit, source is ledger or list, and the list's
problem is that the other one cannot be asked: then the exit code is 6.`,
		Example: `  starter list --needs-review
  starter list --open --country PK
  starter list --state failed --kind withdrawal --limit 100 --json
  starter list --metadata payroll_run=2026-11`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.list(cmd.Context(), flags) },
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&flags.merchant, "merchant", "", "only of this merchant number")
	s.complete(cmd, "merchant", s.merchantNames)
	s.complete(cmd, "state", func(*cobra.Command) []string { return stateNames(order.States()) })
	s.complete(cmd, "kind", func(*cobra.Command) []string { return kindNames() })
	s.complete(cmd, "country", countryNames)
	return cmd
}

// listFlags are the flags of list.
type listFlags struct {
	state, kind, country, merchant string
	metadata                       []string
	needsReview, open              bool
	limit                          int
}

func (f *listFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.state, "state", "", "only this state: "+strings.Join(stateNames(order.States()), ", "))
	flags.StringVar(&f.kind, "kind", "", "only deposit or withdrawal")
	flags.StringVar(&f.country, "country", "", "only this country, two letters")
	flags.StringArrayVar(&f.metadata, "metadata", nil, "only orders with this metadata, as `key=value`; repeated: with all of it. Needs PAYOUTS_DATABASE_URL")
	flags.BoolVar(&f.needsReview, "needs-review", false, "only orders that wait for a person")
	flags.BoolVar(&f.open, "open", false, "only orders that have not ended")
	flags.IntVar(&f.limit, "limit", 20, fmt.Sprintf("at most so many, up to %d", payouts.MaxRows))
}

// filter checks the flags. The error is an *order.Invalid.
func (f listFlags) filter() (payouts.Filter, error) {
	var wrong problems
	filter := payouts.Filter{
		Filter: client.Filter{
			Kind: order.Kind(f.kind), State: order.State(f.state), Country: strings.ToUpper(f.country), Merchant: f.merchant,
			NeedsReview: f.needsReview, Open: f.open, Limit: f.limit,
		},
		Metadata: metadataOf(f.metadata, &wrong),
	}
	if f.kind != "" && !slices.Contains(kindNames(), f.kind) {
		wrong.add(codeUsage, "kind", "%s", commandline.NoneOf("--kind", f.kind, kindNames()))
	}
	if f.state != "" && !slices.Contains(order.States(), filter.State) {
		wrong.add(codeUsage, "state", "%s", commandline.NoneOf("--state", f.state, stateNames(order.States())))
	}
	if _, known := tarspay.Country(filter.Country); f.country != "" && !known {
		wrong.add(order.ProblemCountry, "country", "%s", payouts.NoSuchCountry(f.country))
	}
	if f.limit < 1 || f.limit > payouts.MaxRows {
		wrong.add(codeUsage, "limit", "--limit is between 1 and %d", payouts.MaxRows)
	}
	if len(wrong) > 0 {
		return payouts.Filter{}, &order.Invalid{Problems: wrong}
	}
	return filter, nil
}

func (s *starter) list(ctx context.Context, flags listFlags) error {
	filter, err := flags.filter()
	if err != nil {
		return err
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	list, err := service.List(ctx, s.self(), filter)
	if err != nil {
		return err
	}
	if list.Problem != nil {
		s.note("warning: %s", list.Problem.Text)
	}
	s.show(list, func(w io.Writer) { writeList(w, list) })
	if list.Problem != nil {
		return outcome(exitUnreachable)
	}
	return nil
}

func writeList(w io.Writer, document payouts.List) {
	if len(document.Orders) == 0 {
		printf(w, "no orders\n")
		return
	}
	var rows [][]string
	for _, o := range document.Orders {
		rows = append(rows, []string{
			moment(o.StartedAt), string(o.Kind), o.Merchant, o.Number, o.Country, amountText(o.Amount), listedState(o), yes(o.NeedsReview),
		})
	}
	table(w, []string{"STARTED", "KIND", "MERCHANT", "NUMBER", "COUNTRY", "AMOUNT", "STATE", "REVIEW"}, rows)
	if document.More {
		printf(w, "there are more; raise --limit or narrow the filter\n")
	}
}

// listedState returns an order's state, and why no workflow drives it.
func listedState(o payouts.Listed) string {
	why := ""
	switch {
	case o.Problem == order.CodeNumberSquatted:
		why = " (number squatted)"
	case o.Problem == codes.DiscrepancyNotInLedger:
		why = " (not in the ledger)"
	case o.Problem == codes.DiscrepancyOrphan && o.Status == "":
		why = " (no workflow)"
	case o.Problem == codes.DiscrepancyOrphan:
		why = " (workflow " + strings.ToLower(o.Status) + ")"
	}
	return string(o.State) + why
}
