package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/cmd/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) listCommand() *cobra.Command {
	var flags listFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Orders, the newest first",
		Long: `Lists orders as Temporal's list has them, the newest first; when there are more
than --limit, open ones go before ended ones.

The list is written when a state matters to somebody: an order that goes its
usual way is "created" there until it ends. starter status asks the order itself.

"(workflow terminated)" after a state means that the order's workflow was ended from
outside and no other drives the order, wherever it may stand by now; "(workflow
failed)" and "(workflow timedout)" likewise. Unless the order has ended it is to be
adopted: starter queue says so. An order that was adopted shows as its new run.
"(number squatted)" means that the order's workflow id is taken by a workflow that
drives no order; starter status says by which.

--json: {"orders":[{"kind","merchant","number","country","amount","state",
"needs_review","gateway_id","open","status","workflow_id","run_id","started_at",
"ended_at","squatted"}],"more"}, where status is the workflow's, squatted says what has
the order's id if it drives no order, and more means that there are more than the
limit.`,
		Example: `  starter list --needs-review
  starter list --open --country PK
  starter list --state failed --kind withdrawal --limit 100 --json`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.list(cmd.Context(), flags) },
	}
	flags.add(cmd)
	s.addMerchant(cmd, &flags.merchant)
	s.complete(cmd, "state", func(*cobra.Command) []string { return stateNames(listedStates()) })
	s.complete(cmd, "kind", func(*cobra.Command) []string { return kindNames() })
	s.complete(cmd, "country", countryNames)
	return cmd
}

// listFlags are the flags of list.
type listFlags struct {
	state, kind, country, merchant string
	needsReview, open              bool
	limit                          int
}

func (f *listFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.state, "state", "", "only this state: "+strings.Join(stateNames(listedStates()), ", "))
	flags.StringVar(&f.kind, "kind", "", "only deposit or withdrawal")
	flags.StringVar(&f.country, "country", "", "only this country, two letters")
	flags.BoolVar(&f.needsReview, "needs-review", false, "only those that wait for a person")
	flags.BoolVar(&f.open, "open", false, "only those that have not ended")
	flags.IntVar(&f.limit, "limit", 20, fmt.Sprintf("at most so many, up to %d", client.MaxRows-1))
}

// filter checks the flags. The error is an *order.Invalid.
func (f listFlags) filter() (client.Filter, error) {
	var wrong problems
	filter := client.Filter{
		Kind: order.Kind(f.kind), State: order.State(f.state), Country: strings.ToUpper(f.country), Merchant: f.merchant,
		NeedsReview: f.needsReview, Open: f.open, Limit: f.limit,
	}
	if f.kind != "" && !slices.Contains(kindNames(), f.kind) {
		wrong.add(codeUsage, "kind", "%s", commandline.NoneOf("--kind", f.kind, kindNames()))
	}
	if f.state != "" && !slices.Contains(listedStates(), filter.State) {
		wrong.add(codeUsage, "state", "%s", commandline.NoneOf("--state", f.state, stateNames(listedStates())))
	}
	if f.limit < 1 || f.limit >= client.MaxRows {
		wrong.add(codeUsage, "limit", "--limit is between 1 and %d", client.MaxRows-1)
	}
	if len(wrong) > 0 {
		return client.Filter{}, &order.Invalid{Problems: wrong}
	}
	return filter, nil
}

// listedStates are the states that the list may hold: the others never last
// long enough to be written there.
func listedStates() []order.State {
	return slices.DeleteFunc(order.States(), func(state order.State) bool {
		return state == order.Reserved || state == order.Submitted
	})
}

// listDocument is {"orders":[…],"more":…}.
type listDocument struct {
	Orders []client.Row `json:"orders"`
	More   bool         `json:"more"` // there are more than the limit
}

func (s *starter) list(ctx context.Context, flags listFlags) error {
	filter, err := flags.filter()
	if err != nil {
		return err
	}
	temporal, hangUp, err := s.temporal(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	listing, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	filter.Limit++ // one more than is shown tells whether there are more
	rows, err := temporal.List(listing, filter)
	if err != nil {
		return err
	}
	document := listDocument{Orders: []client.Row{}, More: len(rows) > flags.limit}
	document.Orders = append(document.Orders, rows[:min(len(rows), flags.limit)]...)
	s.show(document, func(w io.Writer) { writeList(w, document) })
	return nil
}

func writeList(w io.Writer, document listDocument) {
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

// listedState adds how the workflow ended when it did not end by itself.
func listedState(row client.Row) string {
	if row.Squatted != "" {
		return string(row.State) + " (number squatted)"
	}
	if row.Open || row.Status == "Completed" {
		return string(row.State)
	}
	return string(row.State) + " (workflow " + strings.ToLower(row.Status) + ")"
}
