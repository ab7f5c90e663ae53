package main

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/apiclient"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/statement"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Times of an import.
const (
	importTime    = 10 * time.Minute // until the ledger has all of it
	compareTime   = time.Hour        // --wait, unless --timeout says otherwise
	comparedPause = time.Second      // between two looks
)

// statementJSON says what --json of a statement is.
const statementJSON = `
--json: {"statement":{"merchant","id","fingerprint","file","content","profile","lines",
"from","to","paid_deposits","paid_withdrawals","imported_by","state","matched","compared",
"asked","unanswered","settled","absent","created_at","changed_at","existing"}}, where
state is storing, matching, matched or broken, matched is the last line that was compared,
compared counts lines whose order has ended, asked orders that the gateway was asked
about, absent paid orders that the statement does not have, and existing means that the
statement was there before.`

// statementDocument is {"statement":{…}}.
type statementDocument struct {
	Statement payouts.Statement `json:"statement"`
}

func (s *starter) statementImportCommand() *cobra.Command {
	var flags statementFlags
	var waiting waitFlags
	var by string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Compare a statement with the orders",
		Long: `Checks every line of a statement, as starter statement check does, stores it and has it
compared with the orders. If something is wrong, nothing is stored, and the exit code is
2. A line moves no money: an order that a line ends otherwise, and a paid order of its
time that the statement does not have, are asked about at the gateway. What differs is
listed by starter discrepancies.

The same file with the same profile is the same statement, and lines that an earlier
statement has find nothing twice: repeat the very same command when the answer does not
come. With --wait it waits until every line is compared.
` + statementJSON + ` Of a file that is wrong, as starter statement check.`,
		Example: `  starter statement import november.csv --merchant M1700000001 --wait`,
		RunE: func(cmd *cobra.Command, args []string) error {
			checked, profile, done, err := s.readStatement(args[0], &flags)
			if err != nil {
				return s.fileFaults(err)
			}
			defer done()
			return s.importStatement(cmd.Context(), checked, profile, flags, by, waiting)
		},
	}
	flags.add(s, cmd)
	cmd.Flags().BoolVar(&waiting.wait, "wait", false, "wait until every line is compared; exit code 7 if it takes longer")
	cmd.Flags().DurationVar(&waiting.timeout, "timeout", 0, "how long to wait; usually 1h")
	s.addNamed(cmd, "by", &by, "who imports it; for the record")
	s.complete(cmd, "timeout", func(*cobra.Command) []string { return nil })
	return cmd
}

func (s *starter) importStatement(ctx context.Context, checked *statement.Checked, profile []byte, flags statementFlags, by string, waiting waitFlags) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	for _, repeated := range checked.Repeated.Faults {
		s.note("%s", printable(repeated.String()))
	}
	imported, err := s.storeStatement(ctx, checked, profile, flags, by)
	if err != nil {
		return s.fileFaults(err)
	}
	if waiting.wait {
		if imported, err = s.awaitCompared(ctx, service, imported, waiting.or(compareTime)); err != nil {
			return err
		}
	}
	s.showStatement(imported)
	return nil
}

// storeStatement has a file stored: the api by the file itself, a worker by its lines.
func (s *starter) storeStatement(ctx context.Context, checked *statement.Checked, profile []byte, flags statementFlags, by string) (payouts.Statement, error) {
	if s.door != nil {
		return s.door.ImportStatement(ctx, s.by(by), apiclient.Export{
			Merchant: checked.Statement.Merchant, Country: checked.Country(), Profile: flags.profile, ProfileText: profile, Format: checked.Format, File: checked.File(), Size: checked.Size(),
		})
	}
	service, err := s.service()
	if err != nil {
		return payouts.Statement{}, err
	}
	return service.ImportStatement(ctx, s.by(by), checked.Statement, checked.Lines(), importTime)
}

// awaitCompared waits until every line of a statement is compared.
func (s *starter) awaitCompared(ctx context.Context, service useCases, imported payouts.Statement, patience time.Duration) (payouts.Statement, error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		found, err := service.Statement(ctx, s.self(), imported.ID)
		if err != nil {
			return found, err
		}
		if found.Existing = imported.Existing; found.State.Ended() {
			return found, nil
		}
		select {
		case <-waiting.Done():
			return found, order.Refuse(client.CodeNoAnswer, "statement %s is not compared after %s; it goes on. Look again with starter statement show %s", found.ID, short(patience), shellWord(found.ID))
		case <-time.After(comparedPause):
		}
	}
}

func (s *starter) statementShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "How far a statement is compared",
		Example: "  starter statement show 4be1c09d9f2c44d0",
		Long:    "Shows a statement, and how far it is compared.\n" + statementJSON,
		Args:    commandline.Exactly("statement"), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := s.useCases()
			if err != nil {
				return err
			}
			found, err := service.Statement(cmd.Context(), s.self(), args[0])
			if err != nil {
				return err
			}
			s.showStatement(found)
			return nil
		},
	}
}

func (s *starter) showStatement(found payouts.Statement) {
	s.show(statementDocument{found}, func(w io.Writer) {
		facts := []fact{
			{"state", string(found.State)}, {"merchant", found.Merchant}, {"profile", found.Profile}, {"from", moment(found.From)}, {"to", moment(found.To)},
			{"lines", strconv.Itoa(found.Lines)}, {"compared up to", strconv.Itoa(found.Matched)}, {"with ended orders", strconv.Itoa(found.Compared)},
			{"gateway asked", count(found.Asked, "order", "orders")}, {"without answer", strconv.Itoa(found.Unanswered)}, {"settled by it", strconv.Itoa(found.Settled)},
			{"paid and not in it", count(found.Absent, "order", "orders")}, {"imported by", found.ImportedBy}, {"imported", moment(found.CreatedAt)},
		}
		describe(w, "statement "+found.ID, facts)
		if found.State == order.StatementMatched {
			printf(w, "what differs: starter discrepancies --merchant %s\n", shellWord(found.Merchant))
		}
	})
}

func (s *starter) statementListCommand() *cobra.Command {
	var merchant string
	filter := payouts.StatementFilter{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Statements, the newest first",
		Long: `Lists statements, the newest first.

--json: {"statements":[{"merchant","id","fingerprint","file","content","profile","lines",
"from","to","paid_deposits","paid_withdrawals","imported_by","state","matched","compared",
"asked","unanswered","settled","absent","created_at","changed_at"}],"more"}, where more
means that there are more than the limit.`,
		Example: "  starter statement list --merchant M1700000001",
		Args:    commandline.NoArguments, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if filter.Limit < 1 || filter.Limit > payouts.MaxPage {
				return usage("--limit is between 1 and %d", payouts.MaxPage)
			}
			service, err := s.useCases()
			if err != nil {
				return err
			}
			if merchant != "" {
				filter.Merchants = []string{merchant}
			}
			found, err := service.Statements(cmd.Context(), s.self(), filter)
			if err != nil {
				return err
			}
			s.show(found, func(w io.Writer) { writeStatements(w, found) })
			return nil
		},
	}
	s.addMerchant(cmd, &merchant)
	cmd.Flags().IntVar(&filter.Limit, "limit", 20, "at most so many, up to "+strconv.Itoa(payouts.MaxPage))
	s.complete(cmd, "limit", func(*cobra.Command) []string { return nil })
	return cmd
}

func writeStatements(w io.Writer, found payouts.StatementList) {
	var rows [][]string
	for _, one := range found.Statements {
		rows = append(rows, []string{
			moment(one.CreatedAt), one.ID, one.Merchant, moment(one.From), moment(one.To), strconv.Itoa(one.Lines), string(one.State), one.ImportedBy,
		})
	}
	table(w, []string{"IMPORTED", "ID", "MERCHANT", "FROM", "TO", "LINES", "STATE", "BY"}, rows)
	if found.More {
		printf(w, "there are more; raise --limit\n")
	}
}
