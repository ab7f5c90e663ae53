package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) batchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "batch",
		Short: "Pay out what a file lists",
		Long: `Works with files of payouts: CSV in UTF-8 with comma, semicolon or tab, a workbook of
Excel (.xlsx), or JSON. A file has a header with the names of the country's template, and
a payout in each row; at most 100,000 rows of one merchant. Every row is checked before
anything is done, and everything that is wrong is told at once. A value that a
spreadsheet has mangled is refused and never repaired.

--json: {"batch":{…}} and others, as the commands below say.`,
		Example: `  starter batch template PK --xlsx -o salaries.xlsx
  starter batch check salaries.xlsx --rows 500 --total PKR=12345000
  starter batch submit salaries.xlsx --rows 500 --total PKR=12345000 --wait
  starter batch result 4be1c09d9f2c44d0 -o results.xlsx`,
	}
	cmd.AddCommand(s.batchTemplateCommand(), s.batchCheckCommand(), s.batchSubmitCommand(), s.batchWatchCommand(), s.batchListCommand(),
		s.batchShowCommand(), s.batchRowsCommand(), s.batchResultCommand())
	cmd.AddCommand(s.batchChanges()...)
	return cmd
}

func (s *starter) batchTemplateCommand() *cobra.Command {
	var country countryFlag
	var workbook bool
	var file string
	cmd := &cobra.Command{
		Use:   "template COUNTRY",
		Short: "The header of a country's file of payouts",
		Long: `Prints the header that a file of payouts has in a country, as CSV; with --xlsx it writes a
workbook in which Excel keeps what is typed as text, with a sheet that explains the
columns.

--json: {"country","columns","file"}, where file is that of --output.`,
		Example: `  starter batch template PK
  starter batch template PK --xlsx -o salaries.xlsx`,
		RunE: func(_ *cobra.Command, args []string) error {
			profile, err := country.profile(args)
			if err != nil {
				return err
			}
			format := batch.CSV
			if workbook {
				format = batch.XLSX
			}
			if file == "" && workbook {
				return usage("a workbook is no text: name a file for it with --output")
			}
			if file == "" && !s.json {
				return batch.WriteTemplate(s.out, profile, format)
			}
			if file != "" {
				if err := writeNew(file, func(w io.Writer) error { return batch.WriteTemplate(w, profile, format) }); err != nil {
					return err
				}
			}
			document := templateDocument{profile.Code, batch.Columns(profile), file}
			s.show(document, func(w io.Writer) { printf(w, "the template is in %s\n", printable(file)) })
			return nil
		},
	}
	country.add(s, cmd)
	cmd.Flags().BoolVar(&workbook, "xlsx", false, "a workbook of Excel")
	cmd.Flags().StringVarP(&file, "output", "o", "", "the file to write; a file that exists is not overwritten")
	return cmd
}

type templateDocument struct {
	Country string   `json:"country"`
	Columns []string `json:"columns"`
	File    string   `json:"file,omitempty"`
}

// writeNew writes a file that only the user can read. It does not overwrite one.
func writeNew(path string, write func(io.Writer) error) error {
	const private = 0o600
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, private)
	if errors.Is(err, os.ErrExist) {
		return order.Refuse(codeFileExists, "the file is there already and is not overwritten; name another one")
	}
	if err != nil {
		return usage("the file cannot be written: %v", errors.Unwrap(err))
	}
	err = write(file)
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(path)
	}
	return err
}

// batchFlags are the flags of a file of payouts.
type batchFlags struct {
	merchant, country string
	totals            []string
	rows              int
}

func (f *batchFlags) add(s *starter, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.merchant, "merchant", "", "merchant number; not needed when PAYOUTS_MERCHANTS has one for the country")
	flags.StringVar(&f.country, "country", "", "two letters; not needed when PAYOUTS_MERCHANTS has the merchant")
	flags.StringArrayVar(&f.totals, "total", nil, "a control total, as `PKR=12345.00`: the file is refused if it sums up to something else")
	flags.IntVar(&f.rows, "rows", 0, "a control count: the file is refused if it has another number of rows")
	cmd.Args = commandline.Exactly("file")
	s.complete(cmd, "merchant", s.merchantNames)
	s.complete(cmd, "country", countryNames)
	for _, flag := range []string{"total", "rows"} {
		s.complete(cmd, flag, func(*cobra.Command) []string { return nil })
	}
}

// options returns what a file is checked for. The error is an *order.Invalid.
func (f *batchFlags) options(s *starter) (batch.Options, error) {
	settings, err := s.settings()
	if err != nil {
		return batch.Options{}, err
	}
	var wrong problems
	o := batch.Options{Limits: order.Limits(settings.MaxAmount), Rows: f.rows}
	o.Merchant, o.Country = orderFlags{merchant: f.merchant, country: f.country}.parties(settings.Merchants, &wrong)
	if f.rows < 0 {
		wrong.add(codeUsage, "rows", "--rows is a number of rows")
	}
	for _, text := range f.totals {
		total, err := batch.ParseTotal(text)
		if err != nil {
			wrong.add(codeUsage, "total", "--total is written as PKR=12345.00: the currency, and digits without separators")
			continue
		}
		o.Totals = append(o.Totals, total)
	}
	if len(wrong) > 0 {
		return batch.Options{}, &order.Invalid{Problems: wrong}
	}
	return o, nil
}

func (s *starter) batchCheckCommand() *cobra.Command {
	var flags batchFlags
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a file of payouts; nothing is sent",
		Long: `Checks every row of a file and tells everything that is wrong with it, each with its
line, column, code and a sentence. FILE - is standard input. Nothing is sent, and no
server is asked. The exit code is 2 if something is wrong.

--json: {"batch":{"id","merchant","country","format","columns","rows","totals",
"fingerprint"}}; of a file that is wrong {"error","faults":[{"line","column","code",
"message"}],"count"}, where count is the number of all faults, of which at most 10,000
are in the list.`,
		Example: `  starter batch check salaries.csv --merchant M1700000001
  starter batch check salaries.xlsx --rows 500 --total PKR=12345000`,
		RunE: func(_ *cobra.Command, args []string) error {
			checked, err := s.readBatch(args[0], &flags)
			if err != nil {
				return s.fileFaults(err)
			}
			document := checkedDocument{checkedBatchOf(checked)}
			s.show(document, func(w io.Writer) { writeChecked(w, "the file is right; nothing was sent", document.Batch) })
			return nil
		},
	}
	flags.add(s, cmd)
	return cmd
}

// readBatch reads and checks a file. The error is a *batch.Faults if it is wrong.
func (s *starter) readBatch(path string, flags *batchFlags) (*batch.Checked, error) {
	options, err := flags.options(s)
	if err != nil {
		return nil, err
	}
	from := s.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, usage("the file cannot be read: %v", errors.Unwrap(err))
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	content, err := io.ReadAll(io.LimitReader(from, batch.MaxBytes+1))
	if err != nil {
		return nil, usage("the file cannot be read: %v", err)
	}
	return batch.Check(bytes.NewReader(content), int64(len(content)), options)
}

// checkedDocument is {"batch":{…}}.
type checkedDocument struct {
	Batch checkedBatch `json:"batch"`
}

type checkedBatch struct {
	ID          string         `json:"id"`
	Merchant    string         `json:"merchant"`
	Format      batch.Format   `json:"format"`
	Columns     []string       `json:"columns"`
	Rows        int            `json:"rows"`
	Totals      []money.Amount `json:"totals"`
	Fingerprint string         `json:"fingerprint"`
}

func checkedBatchOf(c *batch.Checked) checkedBatch {
	return checkedBatch{c.ID(), c.Merchant, c.Format, c.Columns, c.Count, c.Totals, c.Fingerprint}
}

func writeChecked(w io.Writer, done string, b checkedBatch) {
	printf(w, "%s\n", done)
	facts := []fact{{"merchant", b.Merchant}, {"rows", strconv.Itoa(b.Rows)}}
	for _, total := range b.Totals {
		facts = append(facts, fact{"total", total.String()})
	}
	describe(w, "batch "+b.ID, facts)
}
