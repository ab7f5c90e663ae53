package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/money"
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

With times, amounts, metadata or a batch the list is the ledger's alone. --from and --to
are when orders were created, --ended-from and --ended-to when they ended; a refund after
a payment ends an order anew. Amounts are in --currency, or that of --country or
--merchant. Name --from too, where there are many orders: each of that time is looked at.

--csv prints every order of the ledger that is selected, also more than --limit, with fee
and what was paid: times of UTC, amounts without separators of thousands.

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
  starter list --metadata payroll_run=2026-11
  starter list --from 2026-11-01 --to 2026-12-01 --kind withdrawal --csv > november.csv`,
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
	for _, flag := range []string{"batch", "from", "to", "ended-from", "ended-to", "currency", "amount-min", "amount-max"} {
		s.complete(cmd, flag, func(*cobra.Command) []string { return nil })
	}
	return cmd
}

// listFlags are the flags of list.
type listFlags struct {
	state, kind, country, merchant, batch string
	from, to, endedFrom, endedTo          string
	currency, amountMin, amountMax        string
	metadata                              []string
	needsReview, open, csv                bool
	limit                                 int
}

func (f *listFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.state, "state", "", "only this state: "+strings.Join(stateNames(order.States()), ", "))
	flags.StringVar(&f.kind, "kind", "", "only deposit or withdrawal")
	flags.StringVar(&f.country, "country", "", "only this country, two letters")
	flags.StringArrayVar(&f.metadata, "metadata", nil, "only orders with this metadata, as `key=value`; repeated: with all of it. Needs PAYOUTS_DATABASE_URL")
	flags.StringVar(&f.batch, "batch", "", "only orders that this batch started")
	flags.StringVar(&f.from, "from", "", "created then or later: 2026-05-01, 2026-05-01T10:00:00Z, or 24h ago")
	flags.StringVar(&f.to, "to", "", "created before then")
	flags.StringVar(&f.endedFrom, "ended-from", "", "ended then or later")
	flags.StringVar(&f.endedTo, "ended-to", "", "ended before then")
	flags.StringVar(&f.currency, "currency", "", "only amounts in this currency, three letters")
	flags.StringVar(&f.amountMin, "amount-min", "", "at least this amount")
	flags.StringVar(&f.amountMax, "amount-max", "", "at most this amount")
	flags.BoolVar(&f.csv, "csv", false, "print all of them as CSV, with fee and what was paid")
	flags.BoolVar(&f.needsReview, "needs-review", false, "only orders that wait for a person")
	flags.BoolVar(&f.open, "open", false, "only orders that have not ended")
	flags.IntVar(&f.limit, "limit", 20, fmt.Sprintf("at most so many, up to %d", payouts.MaxRows))
}

// filter checks the flags. The error is an *order.Invalid.
func (f listFlags) filter(merchants config.MerchantList, now time.Time) (payouts.Filter, error) {
	var wrong problems
	filter := payouts.Filter{
		Filter: client.Filter{
			Kind: order.Kind(f.kind), State: order.State(f.state), Country: strings.ToUpper(f.country), Merchant: f.merchant,
			NeedsReview: f.needsReview, Open: f.open, Limit: f.limit,
		},
		Ledger: payouts.OrderFilter{
			Metadata: metadataOf(f.metadata, &wrong), Batch: f.batch, Currency: strings.ToUpper(f.currency),
			Since: wrong.moment("from", f.from, now), Until: wrong.moment("to", f.to, now),
			EndedSince: wrong.moment("ended-from", f.endedFrom, now), EndedUntil: wrong.moment("ended-to", f.endedTo, now),
		},
	}
	currency := filter.Ledger.Currency
	if profile, known := tarspay.Country(cmp.Or(filter.Country, merchants.Countries()[f.merchant])); known && currency == "" {
		currency = profile.Currency
	}
	filter.Ledger.AmountMin = wrong.bound("amount-min", f.amountMin, currency)
	filter.Ledger.AmountMax = wrong.bound("amount-max", f.amountMax, currency)
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

// bound reads an amount that a list is filtered by. It returns the zero amount for "".
func (p *problems) bound(flag, text, currency string) money.Amount {
	if text == "" {
		return money.Amount{}
	}
	if currency == "" {
		p.add(payouts.CodeMissing, flag, "--%s needs --currency, --country, or the --merchant of a country", flag)
		return money.Amount{}
	}
	amount, err := money.Parse(text, currency)
	if err != nil {
		p.add(codeUsage, flag, "--%s is an amount of %s such as 1500.00: %v", flag, currency, err)
	}
	return amount
}

func (s *starter) list(ctx context.Context, flags listFlags) error {
	settings, err := s.settings()
	if err != nil {
		return err
	}
	filter, err := flags.filter(settings.Merchants, s.now())
	if err != nil {
		return err
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	if flags.csv && s.json {
		return usage("--csv and --json are two formats: give one of them")
	}
	if flags.csv {
		return batch.WriteOrders(s.out, func(yield func(batch.Listed, error) bool) {
			for row, err := range service.EachOrder(ctx, s.self(), filter.Orders()) {
				if !yield(batch.Listed(row), err) {
					return
				}
			}
		})
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
