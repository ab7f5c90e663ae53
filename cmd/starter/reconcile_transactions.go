package main

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/worklist"
	"github.com/tarspay-payouts/orchestrator/order"
)

const transactionsHelp = `
--transactions compares every single transaction instead: the gateway's history with
the orders, and every order that has ended with the gateway's answer to a query. It
begins where it was left the last time, or at --from, and ends a while ago. It moves
no money, but books refunds and late payments that the gateway confirms on being
asked. What differs is a discrepancy: starter discrepancies. A call for each order
takes its time; the comparison goes on when the time to wait is over.

ROWS are records of the history, COMPARED those of orders that have ended here, ASKED
orders that the gateway was asked about, BOOKED those whose answer was news. Where
HISTORY is none, the gateway lists no transactions in the merchant's country; where it
is unread, nothing was compared yet, or it could not be read. An order that a person
resolved and that the gateway has not decided is no finding. Findings are exit code 4;
a merchant that could not be compared to the end is exit code 6.

--json: {"merchants":[{"merchant","from","to","windows","history","rows","compared",
"asked","unanswered","settled","findings":[{"code","open"}],"problem"}],
"unreachable":[…],"without_history":[…]}, where problem is left out unless there is
one, and the last two have merchant numbers.`

// transactionsFlags select the transactions.
type transactionsFlags struct {
	on       bool
	from, to string
}

func (f *transactionsFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.on, "transactions", false, "compare every transaction, not the balances")
	flags.StringVar(&f.from, "from", "", "transactions from then on: 2026-05-01, 2026-05-01T10:00:00Z, or 24h ago (default: where it was left)")
	flags.StringVar(&f.to, "to", "", "transactions up to then, likewise (default: as late as can be compared)")
}

// input checks the flags and returns the span.
func (f *transactionsFlags) input(merchants []string, now time.Time) (payouts.TransactionSpan, error) {
	var wrong problems
	input := payouts.TransactionSpan{
		Merchants: merchants, From: wrong.moment("from", f.from, now), To: wrong.moment("to", f.to, now),
	}
	if !f.on && f.from+f.to != "" {
		wrong.add(codeUsage, "transactions", "--from and --to need --transactions: balances are of now")
	}
	if !input.From.IsZero() && !input.To.IsZero() && !input.From.Before(input.To) {
		wrong.add(codeUsage, "from", "--from is not before --to")
	}
	if len(wrong) > 0 {
		return input, &order.Invalid{Problems: wrong}
	}
	return input, nil
}

func (s *starter) reconcileTransactions(ctx context.Context, input payouts.TransactionSpan, timeout time.Duration) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	defer s.tellWaiting(constantly("comparing transactions"), timeout)()
	report, err := service.ReconcileTransactions(ctx, s.self(), input, timeout)
	if err != nil {
		return err
	}
	s.show(report, func(w io.Writer) { writeTransactionsReport(w, report) })
	switch {
	case report.Differs():
		return outcome(exitOtherwise)
	case len(report.Unreachable) > 0:
		return outcome(exitUnreachable)
	}
	return nil
}

func writeTransactionsReport(w io.Writer, report payouts.TransactionReport) {
	if len(report.Merchants) == 0 {
		printf(w, "no merchants\n")
		return
	}
	var rows [][]string
	for _, m := range report.Merchants {
		row := []string{m.Merchant, moment(m.From), moment(m.To), m.History}
		for _, n := range []int{m.Windows, m.Rows, m.Compared, m.Asked, m.Unanswered, m.Settled} {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, row)
	}
	table(w, []string{"MERCHANT", "FROM", "TO", "HISTORY", "WINDOWS", "ROWS", "COMPARED", "ASKED", "UNANSWERED", "BOOKED"}, rows)
	rows = nil
	for _, m := range report.Merchants {
		for _, f := range m.Findings {
			rows = append(rows, []string{m.Merchant, f.Code, strconv.Itoa(f.Open), worklist.Explain(f.Code).Means})
		}
	}
	if len(rows) > 0 {
		printf(w, "\n")
		table(w, []string{"MERCHANT", "FOUND", "OPEN", "WHAT IT MEANS"}, rows)
	} else {
		printf(w, "\nnothing differs in what was compared\n")
	}
	for _, m := range report.Merchants {
		if m.Problem != "" {
			printf(w, "%s was not compared to the end: %s\n", printable(m.Merchant), printable(m.Problem))
		}
	}
}
