package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/internal/statement"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (s *starter) statementCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "statement",
		Short: "Compare what was exported from the gateway's portal",
		Long: `Works with statements: files that a person exported from the gateway's portal, as CSV in
UTF-8 or UTF-16, or as a workbook of Excel (.xlsx); at most 1,000,000 lines of one
merchant. A profile says which column has what, and how times and amounts are written.
Every line is checked before anything is done, and everything that is wrong is told at
once. No personal data is read.

--json: {"statement":{…}} and others, as the commands below say.`,
		Example: `  starter statement check november.csv --merchant M1700000001
  starter statement import november.csv --merchant M1700000001 --wait`,
	}
	cmd.AddCommand(s.statementCheckCommand(), s.statementImportCommand(), s.statementListCommand(), s.statementShowCommand())
	return cmd
}

// statementFlags are the flags of a statement's file.
type statementFlags struct{ merchant, country, profile string }

func (f *statementFlags) add(s *starter, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.merchant, "merchant", "", "merchant number; not needed when PAYOUTS_MERCHANTS has one for the country")
	flags.StringVar(&f.country, "country", "", "two letters; not needed when PAYOUTS_MERCHANTS has the merchant")
	flags.StringVar(&f.profile, "profile", "gateway", "how the file is written: gateway, generic, or a file of your own that ends with .yaml")
	cmd.Args = commandline.Exactly("file")
	s.complete(cmd, "merchant", s.merchantNames)
	s.complete(cmd, "country", countryNames)
	s.complete(cmd, "profile", func(*cobra.Command) []string { return statement.Profiles() })
}

// options returns how a file is read. The error is an *order.Invalid or an *order.Refusal.
func (f *statementFlags) options(s *starter) (statement.Options, []byte, error) {
	settings, err := s.settings()
	if err != nil {
		return statement.Options{}, nil, err
	}
	var wrong problems
	o := statement.Options{Now: s.now()}
	merchant, country := orderFlags{merchant: f.merchant, country: f.country}.parties(settings.Merchants, &wrong)
	if len(wrong) > 0 {
		return o, nil, &order.Invalid{Problems: wrong}
	}
	o.Merchant = merchant
	o.Country, _ = tarspay.Country(country) // it was found before
	if ext := filepath.Ext(f.profile); ext != ".yaml" && ext != ".yml" {
		o.Profile, err = statement.BuiltIn(f.profile)
		return o, nil, err
	}
	file, err := os.Open(f.profile)
	if err != nil {
		return o, nil, usage("the profile cannot be read: %v", errors.Unwrap(err))
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, statement.MaxProfile+1))
	if err != nil {
		return o, nil, usage("the profile cannot be read: %v", err)
	}
	o.Profile, err = statement.ParseProfile(text)
	return o, text, err
}

// openStatement opens a file that can be read more than once. FILE - is standard input.
func (s *starter) openStatement(path string) (file *os.File, size int64, done func(), err error) {
	done = func() {}
	if path == "-" {
		if file, err = os.CreateTemp("", "statement-"); err != nil {
			return nil, 0, done, usage("standard input cannot be kept: %v", err)
		}
		done = func() { _, _ = file.Close(), os.Remove(file.Name()) }
		if _, err = io.Copy(file, io.LimitReader(s.in, statement.MaxBytes+1)); err != nil {
			done()
			return nil, 0, func() {}, usage("standard input cannot be kept: %v", err)
		}
	} else {
		if file, err = os.Open(path); err != nil {
			return nil, 0, done, usage("the file cannot be read: %v", errors.Unwrap(err))
		}
		done = func() { _ = file.Close() }
	}
	info, err := file.Stat()
	if err != nil || info.IsDir() {
		done()
		return nil, 0, func() {}, usage("the file cannot be read: it is no file")
	}
	return file, info.Size(), done, nil
}

func (s *starter) statementCheckCommand() *cobra.Command {
	var flags statementFlags
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a statement; nothing is compared",
		Long: `Checks every line of a statement and tells everything that is wrong with it, each with
its line, column, code and a sentence. FILE - is standard input. Nothing is sent, and no
server is asked. The exit code is 2 if something is wrong. A line that repeats an earlier
one is told, and taken once.

--json: {"statement":{"merchant","id","fingerprint","file","content","profile","lines",
"from","to"},"format","totals":[{"kind","lines","paid"}],"repeated":[{"line","code",
"message"}],"repeated_count"}, where file is its SHA-256 and totals count what was paid;
of a file that is wrong {"error","faults":[{"line","column","code","message"}],"count"},
where count is the number of all faults, of which at most 10,000 are in the list.`,
		Example: `  starter statement check november.csv --merchant M1700000001
  starter statement check november.xlsx --profile portal.yaml --json`,
		RunE: func(_ *cobra.Command, args []string) error {
			checked, _, done, err := s.readStatement(args[0], &flags)
			if err != nil {
				return s.fileFaults(err)
			}
			defer done()
			document := checkedStatementOf(checked)
			s.show(document, func(w io.Writer) { writeCheckedStatement(w, document) })
			return nil
		},
	}
	flags.add(s, cmd)
	return cmd
}

// readStatement reads and checks a file, which done closes. The error is a *sheet.Faults
// if it is wrong.
func (s *starter) readStatement(path string, flags *statementFlags) (c *statement.Checked, profile []byte, done func(), err error) {
	options, profile, err := flags.options(s)
	if err != nil {
		return nil, nil, nil, err
	}
	file, size, done, err := s.openStatement(path)
	if err != nil {
		return nil, nil, nil, err
	}
	if c, err = statement.Check(file, size, options); err != nil {
		done()
		return nil, nil, nil, err
	}
	return c, profile, done, nil
}

// checkedStatement is what a check found.
type checkedStatement struct {
	Statement     order.Statement   `json:"statement"`
	Format        sheet.Format      `json:"format"`
	Totals        []statement.Total `json:"totals"`
	Repeated      []sheet.Fault     `json:"repeated"`
	RepeatedCount int               `json:"repeated_count"`
}

func checkedStatementOf(c *statement.Checked) checkedStatement {
	return checkedStatement{c.Statement, c.Format, c.Totals, c.Repeated.Faults, c.Repeated.Count}
}

func writeCheckedStatement(w io.Writer, c checkedStatement) {
	printf(w, "the file is right; nothing was sent\n")
	facts := []fact{
		{"merchant", c.Statement.Merchant}, {"profile", c.Statement.Profile}, {"lines", strconv.Itoa(c.Statement.Lines)},
		{"from", moment(c.Statement.From)}, {"to", moment(c.Statement.To)},
	}
	for _, total := range c.Totals {
		facts = append(facts, fact{total.Kind + " paid", total.Paid.String() + " in " + count(total.Lines, "line", "lines")})
	}
	describe(w, "statement "+c.Statement.ID, facts)
	for _, repeated := range c.Repeated {
		printf(w, "%s\n", printable(repeated.String()))
	}
	if more := c.RepeatedCount - len(c.Repeated); more > 0 {
		printf(w, "and %d more\n", more)
	}
}
