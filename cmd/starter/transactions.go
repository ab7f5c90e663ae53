package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// maxTransactions is the largest --limit: two thousand pages.
const maxTransactions = 100_000

func (s *starter) transactionsCommand() *cobra.Command {
	var flags transactionFlags
	cmd := &cobra.Command{
		Use:   "transactions",
		Short: "Ended transactions, from the gateway (" + payouts.Having(tarspay.OperationHistory) + ")",
		Long: `Reads the gateway's history: every transaction of a merchant that has ended, orders
of ours and others. It is read page by page up to --limit; --until is now unless it
is given, so that the pages stand still. Payers and beneficiaries are left out.

ORDERED is what was asked for; MOVED is what moved the balance: for a deposit
without the fee, for a payout without the fee that comes on top.

--csv writes the same as a table for spreadsheets, with a head and times in UTC.

--json: {"merchant","transactions":[{"kind","number","gateway_id","state",
"state_name","currency","ordered","moved","fee","way","way_type","created_at",
"succeeded_at"}],"more"}. Amounts are the gateway's text; state is its number, see
starter states; more means that there are more than the limit.` + callsGateway,
		Example: `  starter transactions --merchant M1700000003 --since 2026-05-01 --until 2026-06-01 --csv --limit 10000 > may.csv
  starter transactions --since 24h --kind withdrawal --json`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.transactions(cmd.Context(), flags) },
	}
	s.addCaller(cmd, &flags.from)
	flags.add(cmd)
	s.complete(cmd, "kind", func(*cobra.Command) []string { return payouts.HistoryKinds() })
	return cmd
}

// transactionFlags select records of the history.
type transactionFlags struct {
	from               callerFlags
	since, until, kind string
	limit              int
	csv                bool
}

func (f *transactionFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", "", "from then on: 2026-05-01, 2026-05-01T10:00:00Z, or 24h ago (days begin at midnight UTC)")
	flags.StringVar(&f.until, "until", "", "up to then, likewise (default: now)")
	flags.StringVar(&f.kind, "kind", "", "only "+strings.Join(payouts.HistoryKinds(), ", "))
	flags.IntVar(&f.limit, "limit", 100, fmt.Sprintf("at most so many, up to %d", maxTransactions))
	flags.BoolVar(&f.csv, "csv", false, "comma-separated values instead of a table")
}

// request checks the flags and returns the request.
func (f transactionFlags) request(now time.Time, json bool) (tarspay.HistoryRequest, problems) {
	var wrong problems
	request := tarspay.HistoryRequest{
		Kind: payouts.HistoryKind(f.kind), From: wrong.moment("since", f.since, now), To: wrong.moment("until", f.until, now),
	}
	if f.until == "" {
		request.To = now
	}
	if f.kind != "" && request.Kind == tarspay.HistoryAny {
		wrong.add(codeUsage, "kind", "%s", commandline.NoneOf("--kind", f.kind, payouts.HistoryKinds()))
	}
	if f.limit < 1 || f.limit > maxTransactions {
		wrong.add(codeUsage, "limit", "--limit is between 1 and %d", maxTransactions)
	}
	if !wrong.has("since") && !wrong.has("until") && !request.From.Before(request.To) {
		wrong.add(codeUsage, "since", "--since is not before --until")
	}
	if f.csv && json {
		wrong.add(codeUsage, "csv", "--csv and --json cannot be used together; choose one")
	}
	return request, wrong
}

// moment reads a day, a time or how long ago. It returns the zero time for "".
func (p *problems) moment(field, text string, now time.Time) time.Time {
	if text == "" {
		return time.Time{}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago)
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil && at.Unix() >= 0 { //nolint:gosmopolitan // a day is the user's, as in what is printed
			return at
		}
	}
	p.add(codeUsage, field, "--%s is a day such as 2026-05-01, a time such as 2026-05-01T10:00:00Z, or how long ago, such as 24h", field)
	return time.Time{}
}

func (s *starter) transactions(ctx context.Context, flags transactionFlags) error {
	request, wrong := flags.request(s.now(), s.json)
	c, err := s.caller(tarspay.OperationHistory, flags.from, wrong)
	if err != nil {
		return err
	}
	defer c.CloseIdle()
	document, err := c.Transactions(ctx, request, flags.limit)
	if err != nil {
		return err
	}
	if flags.csv {
		if document.More {
			s.note("there are more; raise --limit or narrow the time")
		}
		return writeCSV(s.out, document)
	}
	s.show(document, func(w io.Writer) { writeTransactions(w, document) })
	return nil
}

func writeTransactions(w io.Writer, document payouts.Transactions) {
	if len(document.Transactions) == 0 {
		printf(w, "no transactions\n")
		return
	}
	var rows [][]string
	for _, t := range document.Transactions {
		rows = append(rows, []string{
			moment(t.CreatedAt), t.Kind, t.Number, t.GatewayID, t.StateName, t.Ordered, t.Moved, t.Fee, t.Currency, t.Way,
		})
	}
	table(w, []string{"CREATED", "KIND", "NUMBER", "GATEWAY ID", "STATE", "ORDERED", "MOVED", "FEE", "CURRENCY", "WAY"}, rows)
	if document.More {
		printf(w, "there are more; raise --limit or narrow the time\n")
	}
}

// writeCSV writes the transactions as CSV, one line each.
func writeCSV(w io.Writer, document payouts.Transactions) error {
	lines := [][]string{{
		"merchant", "kind", "number", "gateway_id", "state", "state_name", "currency", "ordered", "moved", "fee", "way", "way_type",
		"created_at", "succeeded_at",
	}}
	for _, t := range document.Transactions {
		lines = append(lines, []string{
			document.Merchant, t.Kind, t.Number, t.GatewayID, strconv.Itoa(int(t.State)), t.StateName, t.Currency, t.Ordered, t.Moved, t.Fee,
			t.Way, t.WayType, timestamp(t.CreatedAt), timestamp(t.SucceededAt),
		})
	}
	for _, line := range lines[1:] {
		for i := range line {
			line[i] = harmless(line[i])
		}
	}
	out := csv.NewWriter(w)
	if err := out.WriteAll(lines); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// harmless returns a cell that no spreadsheet runs as a formula, because some of
// the text is not ours. Negative numbers stay unchanged.
func harmless(cell string) string {
	cell = printable(cell)
	if cell == "" || !strings.ContainsAny(cell[:1], "=+-@") {
		return cell
	}
	if rest := cell[1:]; cell[0] == '-' && rest != "" && strings.Trim(rest, "0123456789.") == "" {
		return cell
	}
	return "'" + cell
}

// timestamp returns a time for machines, "" for the zero time.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
