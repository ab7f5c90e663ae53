package main

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/report"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The forms of a report that are not files.
const (
	formatTable = "table"
	formatJSON  = "json"
)

// reportFormats are the values of --format.
func reportFormats() []string {
	formats := []string{formatTable, formatJSON}
	for _, format := range report.Formats() {
		formats = append(formats, string(format))
	}
	return formats
}

// reportFlags are the flags of a report.
type reportFlags struct {
	day, currency, format, output string
	merchants                     []string
	soFar                         bool
}

func (s *starter) reportCommand() *cobra.Command {
	var flags reportFlags
	cmd := &cobra.Command{
		Use:   "report --day YYYY-MM-DD",
		Short: "A merchant's day in figures",
		Long: `Prints the day of each merchant: the opening balance, what moved, by kind and reason,
fees, corrections of earlier days, the closing balance, the gateway's balance at the
merchant's midnight, and the discrepancies that were open then. Every figure is a sum of
the ledger's transfers. docs/reports.md explains each.

A day begins and ends at midnight of the merchant's country, or of the time zone that
PAYOUTS_MERCHANTS gives the merchant. A day that is not over is refused with
DAY_NOT_OVER; --so-far gives the figures until now. The report of a closed day shows the
figures that were closed, and whether the transfers still give them.

--json: {"days":[{"merchant","currency","day","zone","from","to","until","opening",
"closing","movements":[{"kind","reason","from","to","count","amount","effect"}],
"accounts":[{"account","opening","in","out","closing"}],"fees":{"count","amount"},
"late_fees","fees_back","adjustments","corrections":[{"kind","reason","count","amount",
"effect","oldest"}],"gateway":{"at","snapshot","balance","between","closing",
"difference","unexplained","sent_withdrawals","sent_deposits"},"gateway_unknown",
"discrepancies":[{"code","open"}],"previous","hash","closed":{"by","at","proof",
"changed"}}],"without","not_over","file"}, where until is there if the day is
not over, gateway_unknown says why there is no gateway, without lists merchants that had
no books, not_over those whose day has not ended (of no day at all that is an
error), and file is that of --output.`,
		Example: `  starter report --day 2026-11-29
  starter report --day 2026-11-29 --merchant M1700000001 -o day.html
  starter report --day 2026-11-29 --format csv`,
		Args:              commandline.NoArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return s.report(cmd.Context(), flags) },
	}
	flags.add(s, cmd)
	cmd.AddCommand(s.reportCloseCommand())
	return cmd
}

func (f *reportFlags) add(s *starter, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.day, "day", "", "the day, as `YYYY-MM-DD`")
	s.addMerchants(cmd, &f.merchants)
	flags.StringVar(&f.currency, "currency", "", "the currency, when it is not that of the merchant's country")
	flags.BoolVar(&f.soFar, "so-far", false, "of a day that is not over, the figures until now")
	flags.StringVar(&f.format, "format", "", "one of "+strings.Join(reportFormats(), ", ")+"; by default as the name of --output ends, else "+formatTable)
	flags.StringVarP(&f.output, "output", "o", "", "the file to write; a file that exists is not overwritten")
	s.complete(cmd, "format", func(*cobra.Command) []string { return reportFormats() })
	for _, flag := range []string{"day", "currency"} {
		s.complete(cmd, flag, func(*cobra.Command) []string { return nil })
	}
}

// query returns what is asked for, and the format. The error is an *order.Invalid with
// every problem.
func (f *reportFlags) query() (payouts.DayQuery, string, error) {
	var wrong problems
	wrong.need("day", f.day, "--day is needed: the day, as YYYY-MM-DD")
	query := payouts.DayQuery{Merchants: f.merchants, Currency: strings.ToUpper(f.currency), SoFar: f.soFar}
	if f.day != "" {
		day, refusal := order.ParseDate(f.day)
		if refusal != nil {
			wrong.add(refusal.Code, "day", "--day: %s", refusal.Text)
		}
		query.Day = day
	}
	format := f.format
	if ending := strings.TrimPrefix(filepath.Ext(f.output), "."); format == "" && slices.Contains(reportFormats(), ending) {
		format = ending
	}
	if format == "" {
		format = formatTable
	}
	if !slices.Contains(reportFormats(), format) {
		wrong.add(codeUsage, "format", "%s", commandline.NoneOf("--format", format, reportFormats()))
	}
	if format == string(report.XLSX) && f.output == "" {
		wrong.add(codeUsage, "output", "a workbook is no text: name a file for it with --output")
	}
	if len(wrong) > 0 {
		return payouts.DayQuery{}, "", &order.Invalid{Problems: wrong}
	}
	return query, format, nil
}

// reportDocument is {"days":[…]}.
type reportDocument struct {
	payouts.DayReports
	File string `json:"file,omitempty"`
}

func (s *starter) report(ctx context.Context, flags reportFlags) error {
	query, format, err := flags.query()
	if err != nil {
		return err
	}
	service, err := s.useCases()
	if err != nil {
		return err
	}
	found, err := service.DayReports(ctx, s.self(), query)
	if err != nil {
		return flagged(err)
	}
	for _, merchant := range found.Without {
		s.note("%s had no books on the day", printable(merchant))
	}
	for _, merchant := range found.NotOver {
		s.note("the day of %s is not over; with --so-far it is read until now", printable(merchant))
	}
	document := reportDocument{found, flags.output}
	if flags.output == "" {
		return s.printReport(document, format)
	}
	if err := writeNew(flags.output, func(w io.Writer) error { return writeReport(w, document, format) }); err != nil {
		return err
	}
	s.show(document, func(w io.Writer) { printf(w, "the report is in %s\n", printable(flags.output)) })
	return nil
}

// printReport prints the report to standard output.
func (s *starter) printReport(document reportDocument, format string) error {
	if s.json || format == formatJSON {
		s.write(document)
		return nil
	}
	return writeReport(s.out, document, format)
}

// writeReport writes the report in a format.
func writeReport(w io.Writer, document reportDocument, format string) error {
	switch format {
	case formatTable:
		writeDays(w, document.Days)
		return nil
	case formatJSON:
		return commandline.WriteJSON(w, document, "")
	}
	return report.Write(w, report.Format(format), document.Days)
}

func writeDays(w io.Writer, days []payouts.DayReport) {
	if len(days) == 0 {
		printf(w, "no books\n")
	}
	for i, day := range days {
		if i > 0 {
			printf(w, "\n")
		}
		printf(w, "%s\n%s\n", printable(report.Title(day)), printable(report.Frame(day)))
		for _, section := range report.Sections(day) {
			printf(w, "\n")
			writeSection(w, section)
		}
	}
}

// writeSection prints a table of a report. Figures end in the same column.
func writeSection(w io.Writer, section report.Section) {
	head := []string{section.Title}
	for _, column := range section.Columns {
		head = append(head, column.Title)
	}
	if len(section.Rows) == 0 {
		printf(w, "%s\n  %s\n", section.Title, section.Empty)
		return
	}
	rows := [][]string{head}
	for _, row := range section.Rows {
		line := []string{"  " + row.Title}
		for _, cell := range row.Cells {
			line = append(line, cell.Shown())
		}
		rows = append(rows, line)
	}
	alignRight(rows)
	align(w, rows)
}

// alignRight fills up the cells after the first column with blanks before them.
func alignRight(rows [][]string) {
	for n := 1; n < len(rows[0]); n++ {
		width := 0
		for _, row := range rows {
			width = max(width, len(row[n]))
		}
		for _, row := range rows {
			row[n] = strings.Repeat(" ", width-len(row[n])) + row[n]
		}
	}
}
