package main

import (
	"cmp"
	"context"
	"io"
	"iter"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/apiclient"
	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Times of a batch.
const (
	submitTime = 10 * time.Minute // until the ledger has all of it
	watchTime  = 24 * time.Hour   // --wait and watch, unless --timeout says otherwise
	watchPause = 2 * time.Second  // between two looks
)

// batchJSON says what --json of a batch is.
const batchJSON = `
--json: {"batch":{"merchant","id","fingerprint","name","columns","rows","totals",
"requested_by","state","created_at","changed_at","changed_by","hidden","counts":[{
"state","rows","amount"}],"existing"}}, where the counts' states are those of orders,
and waiting, starting, refused or not_started of rows without one, hidden is encrypted
if the name cannot be read, and existing means that the batch was there before.`

// batchDocument is {"batch":{…}}.
type batchDocument struct {
	Batch payouts.Batch `json:"batch"`
}

func (s *starter) batchSubmitCommand() *cobra.Command {
	var flags batchFlags
	var waiting waitFlags
	var by string
	cmd := &cobra.Command{
		Use:   "submit FILE",
		Short: "Pay out what a file lists",
		Long: `Checks every row of a file, as starter batch check does, stores it and lets it run. If
something is wrong, nothing is stored, and the exit code is 2. A worker stores the file
and starts its orders, some at a time. With a roster each row is signed with your key.

The same rows again are the same batch, and nothing is paid twice: repeat the very same
command when the answer does not come. With --wait it goes on as starter batch watch.
` + batchJSON + ` Of a file that is wrong, as starter batch check.`,
		Example: `  starter batch submit salaries.xlsx --rows 500 --total PKR=12345000 --wait`,
		RunE: func(cmd *cobra.Command, args []string) error {
			checked, err := s.readBatch(args[0], &flags)
			if err != nil {
				return s.fileFaults(err)
			}
			return s.submitBatch(cmd.Context(), checked, filepath.Base(args[0]), by, waiting)
		},
	}
	flags.add(s, cmd)
	cmd.Flags().BoolVar(&waiting.wait, "wait", false, "wait until every row has ended; exit code 4 if one ends without success, 7 if it takes longer")
	cmd.Flags().DurationVar(&waiting.timeout, "timeout", 0, "how long to wait; usually 24h")
	s.addNamed(cmd, "requested-by", &by, "who asks for it; for the record")
	s.complete(cmd, "timeout", func(*cobra.Command) []string { return nil })
	return cmd
}

func (s *starter) submitBatch(ctx context.Context, checked *batch.Checked, name, by string, waiting waitFlags) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	if err := s.requester(by); err != nil {
		return err
	}
	stored, err := s.store(ctx, checked, name, by)
	if err != nil {
		return s.fileFaults(err)
	}
	if waiting.wait {
		return s.watchBatch(ctx, service, stored.ID, waiting)
	}
	s.showBatch(stored)
	return nil
}

// store has a file stored: the api by the file itself, a worker by its rows.
func (s *starter) store(ctx context.Context, checked *batch.Checked, name, by string) (payouts.Batch, error) {
	if s.door != nil {
		content, err := io.ReadAll(io.NewSectionReader(checked.File(), 0, checked.Size()))
		if err != nil {
			return payouts.Batch{}, err // it is in memory
		}
		return s.door.UploadBatch(ctx, s.by(by), apiclient.Upload{
			Merchant: checked.Merchant, Country: checked.Country(), Name: name, Format: checked.Format, Content: content,
		})
	}
	service, err := s.service()
	if err != nil {
		return payouts.Batch{}, err
	}
	rows, done := s.counted(checked)
	defer done()
	return service.SubmitBatch(ctx, s.by(by), checked.Batch(name), rows, submitTime)
}

// counted counts the rows on a terminal as they are sent.
func (s *starter) counted(checked *batch.Checked) (rows iter.Seq2[order.BatchRow, error], done func()) {
	if s.columns == 0 {
		return checked.Numbered(), func() {}
	}
	bar := s.bar(checked.Count, "storing")
	return func(yield func(order.BatchRow, error) bool) {
		for row, err := range checked.Numbered() {
			_ = bar.Add(1)
			if !yield(row, err) {
				return
			}
		}
	}, func() { _ = bar.Clear() }
}

// bar returns a progress bar on standard error.
func (s *starter) bar(most int, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions(most, progressbar.OptionSetWriter(s.errs), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionSetWidth(barWidth), progressbar.OptionClearOnFinish())
}

// barWidth is the width of a progress bar, in characters.
const barWidth = 30

func (s *starter) batchWatchCommand() *cobra.Command {
	var waiting waitFlags
	cmd := &cobra.Command{
		Use:   "watch ID",
		Short: "Wait until every row of a batch has ended",
		Long: `Waits until every row of a batch has ended, and shows how far it is: on a terminal with a
bar, otherwise with a line when something has changed. The exit code is 4 if a row ended
without success, and 7 if it takes longer than --timeout. The batch goes on in any case.
` + batchJSON,
		Example: "  starter batch watch 4be1c09d9f2c44d0 --timeout 2h",
		Args:    commandline.Exactly("batch"), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := s.useCases()
			if err != nil {
				return err
			}
			return s.watchBatch(cmd.Context(), service, args[0], waiting)
		},
	}
	cmd.Flags().DurationVar(&waiting.timeout, "timeout", 0, "how long to wait; usually 24h")
	s.complete(cmd, "timeout", func(*cobra.Command) []string { return nil })
	return cmd
}

// watchBatch waits until every row of a batch has ended, and prints the batch.
func (s *starter) watchBatch(ctx context.Context, service useCases, id string, waiting waitFlags) error {
	patience := waiting.or(watchTime)
	watching, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var bar *progressbar.ProgressBar
	told := ""
	for {
		found, err := service.Batch(ctx, s.self(), id)
		if err != nil {
			return err
		}
		ended, all := found.Ended()
		switch what := string(found.State); {
		case s.columns > 0 && bar == nil:
			bar = s.bar(all, what)
			fallthrough
		case bar != nil:
			bar.Describe(what)
			_ = bar.Set(ended)
		default:
			if line := what + ": " + strconv.Itoa(ended) + " of " + count(all, "row has ended", "rows have ended"); line != told {
				s.note("%s", line)
				told = line
			}
		}
		if ended == all && found.State.Ended() {
			if bar != nil {
				_ = bar.Clear()
			}
			s.showBatch(found)
			return endOfBatch(found)
		}
		select {
		case <-watching.Done():
			return order.Refuse(client.CodeNoAnswer, "batch %s has not ended after %s; it goes on. Look again with starter batch show %s", id, short(patience), shellWord(id))
		case <-time.After(watchPause):
		}
	}
}

// endOfBatch returns the exit code of a batch of which every row has ended.
func endOfBatch(b payouts.Batch) error {
	for _, c := range b.Counts {
		if order.State(c.State) != order.Succeeded {
			return outcome(exitOtherwise)
		}
	}
	return nil
}

func (s *starter) batchShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "How a batch stands",
		Example: "  starter batch show 4be1c09d9f2c44d0",
		Long:    "Shows a batch, and how many of its rows are in which state.\n" + batchJSON,
		Args:    commandline.Exactly("batch"), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := s.useCases()
			if err != nil {
				return err
			}
			found, err := service.Batch(cmd.Context(), s.self(), args[0])
			if err != nil {
				return err
			}
			s.showBatch(found)
			return nil
		},
	}
}

func (s *starter) showBatch(b payouts.Batch) {
	s.show(batchDocument{b}, func(w io.Writer) {
		facts := []fact{{"state", string(b.State)}, {"merchant", b.Merchant}, {"file", cmp.Or(b.Name, b.Hidden)}, {"rows", strconv.Itoa(b.Rows)}}
		for _, total := range b.Totals {
			facts = append(facts, fact{"total", total.String()})
		}
		facts = append(facts, fact{"requested by", b.RequestedBy}, fact{"created", moment(b.CreatedAt)}, fact{"changed by", b.ChangedBy})
		describe(w, "batch "+b.ID, facts)
		var rows [][]string
		for _, c := range b.Counts {
			rows = append(rows, []string{string(c.State), strconv.Itoa(c.Rows), c.Amount.String()})
		}
		table(w, []string{"STATE", "ROWS", "AMOUNT"}, rows)
	})
}

func (s *starter) batchListCommand() *cobra.Command {
	var merchant string
	filter := payouts.BatchFilter{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Batches, the newest first",
		Long: `Lists batches, the newest first.

--json: {"batches":[{"merchant","id","fingerprint","name","columns","rows","totals",
"requested_by","state","created_at","changed_at","changed_by","hidden"}],"more"}, where
more means that there are more than the limit.`,
		Example: "  starter batch list --merchant M1700000001",
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
			found, err := service.Batches(cmd.Context(), s.self(), filter)
			if err != nil {
				return err
			}
			s.show(found, func(w io.Writer) {
				var rows [][]string
				for _, b := range found.Batches {
					rows = append(rows, []string{moment(b.CreatedAt), b.ID, b.Merchant, strconv.Itoa(b.Rows), string(b.State), cmp.Or(b.Name, b.Hidden)})
				}
				table(w, []string{"CREATED", "ID", "MERCHANT", "ROWS", "STATE", "FILE"}, rows)
				if found.More {
					printf(w, "there are more; raise --limit\n")
				}
			})
			return nil
		},
	}
	s.addMerchant(cmd, &merchant)
	cmd.Flags().IntVar(&filter.Limit, "limit", 20, "at most so many, up to "+strconv.Itoa(payouts.MaxPage))
	s.complete(cmd, "limit", func(*cobra.Command) []string { return nil })
	return cmd
}

func (s *starter) batchRowsCommand() *cobra.Command {
	var states []string
	var after, limit int
	cmd := &cobra.Command{
		Use:   "rows ID",
		Short: "The rows of a batch, with what became of each",
		Long: `Lists rows of a batch, in the sequence of the file, with whom they pay masked.

--json: {"rows":[{"seq","line","kind","merchant","number","country","way","payee",
"requested_by","amount","fingerprint","hidden","state","gateway_id","paid","fee",
"fee_text","expected_fee","reason","ended_at"}],"more"}, where line is that of the file. --after goes
on after a seq.`,
		Example: `  starter batch rows 4be1c09d9f2c44d0 --state failed,refused`,
		Args:    commandline.Exactly("batch"), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wanted []payouts.RowState
			for _, state := range states {
				if !payouts.KnownRowState(payouts.RowState(state)) {
					return usage("--state has no such state; starter states lists those of orders, and rows without one are waiting, starting, refused or not_started")
				}
				wanted = append(wanted, payouts.RowState(state))
			}
			if limit < 1 || limit > payouts.MaxPage || after < 0 {
				return usage("--limit is between 1 and %d, and --after is a seq", payouts.MaxPage)
			}
			service, err := s.useCases()
			if err != nil {
				return err
			}
			found, err := service.BatchRows(cmd.Context(), s.self(), args[0], wanted, after, limit)
			if err != nil {
				return err
			}
			s.show(found, func(w io.Writer) { writeRows(w, found) })
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only these states")
	cmd.Flags().IntVar(&after, "after", 0, "after the row with this seq")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many, up to "+strconv.Itoa(payouts.MaxPage))
	for _, flag := range []string{"state", "after", "limit"} {
		s.complete(cmd, flag, func(*cobra.Command) []string { return nil })
	}
	return cmd
}

func writeRows(w io.Writer, page payouts.BatchRowPage) {
	var rows [][]string
	for _, r := range page.Rows {
		rows = append(rows, []string{strconv.Itoa(r.Line), r.Number, cmp.Or(r.Payee, r.Hidden), r.Amount.Short(), string(r.State), strings.TrimSpace(r.Reason.Code)})
	}
	table(w, []string{"LINE", "NUMBER", "PAYEE", "AMOUNT", "STATE", "CODE"}, rows)
	if page.More {
		printf(w, "there are more; go on with --after %d\n", page.Rows[len(page.Rows)-1].Seq)
	}
}

func (s *starter) batchResultCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "result ID -o FILE",
		Short: "Write the file of results",
		Long: `Writes the file with what became of each row: the same columns and rows, with state,
code, reason, gateway_id, fee, paid and ended_at added. FILE ends with .csv or .xlsx. It
has whom each row pays; without the ledger's data keys that is "encrypted". A cell that
would begin a formula has an apostrophe before it.

--json: {"batch","file","rows"}.`,
		Example: `  starter batch result 4be1c09d9f2c44d0 -o results.xlsx`,
		Args:    commandline.Exactly("batch"), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			format := batch.Format(strings.TrimPrefix(strings.ToLower(filepath.Ext(file)), "."))
			if format != batch.CSV && format != batch.XLSX {
				return usage("--output is needed: a file that ends with .csv or .xlsx")
			}
			service, err := s.useCases()
			if err != nil {
				return err
			}
			found, err := service.Batch(cmd.Context(), s.self(), args[0])
			if err != nil {
				return err
			}
			err = writeNew(file, func(w io.Writer) error { return s.writeResult(cmd.Context(), w, found, format) })
			if err != nil {
				return err
			}
			document := resultDocument{found.ID, file, found.Rows}
			s.show(document, func(w io.Writer) {
				printf(w, "the results of %s are in %s\n", count(found.Rows, "row", "rows"), printable(file))
			})
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "the file to write, .csv or .xlsx; a file that exists is not overwritten")
	return cmd
}

// writeResult writes the file of results of a batch.
func (s *starter) writeResult(ctx context.Context, w io.Writer, b payouts.Batch, format batch.Format) error {
	if s.door != nil {
		return s.door.WriteBatchResult(ctx, s.self(), b.ID, format, w)
	}
	service, err := s.service()
	if err != nil {
		return err
	}
	return batch.WriteResult(w, format, b.Columns, resultsOf(service.BatchResults(ctx, s.self(), b.ID)))
}

type resultDocument struct {
	Batch string `json:"batch"`
	File  string `json:"file"`
	Rows  int    `json:"rows"`
}

// resultsOf returns rows as the file of results has them.
func resultsOf(rows iter.Seq2[payouts.BatchRow, error]) iter.Seq2[batch.Result, error] {
	return func(yield func(batch.Result, error) bool) {
		for row, err := range rows {
			if !yield(batch.Result{Request: row.Request, Hidden: row.Hidden, Standing: row.Final(), EndedAt: row.EndedAt}, err) {
				return
			}
		}
	}
}

// batchChange is a command that pauses, resumes or cancels a batch.
func (s *starter) batchChange(
	cmd *cobra.Command, done string, change func(useCases, context.Context, payouts.Actor, string, string) (payouts.Batch, error),
) *cobra.Command {
	var who actor
	started := false
	cmd.Long += "\n" + batchJSON
	cmd.Args, cmd.ValidArgsFunction = commandline.Exactly("batch"), cobra.NoFileCompletions
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		service, err := s.useCases()
		if err != nil {
			return err
		}
		changed, err := change(service, cmd.Context(), s.by(who.by), args[0], who.why)
		if err != nil {
			return err
		}
		if started {
			if err := s.cancelStarted(cmd.Context(), args[0], who); err != nil {
				return err
			}
			if changed, err = service.Batch(cmd.Context(), s.self(), args[0]); err != nil {
				return err
			}
		}
		if !s.json {
			s.writeDone(s.out, done, who)
		}
		s.showBatch(changed)
		return nil
	}
	s.addActor(cmd, &who, "why, in a sentence")
	if cmd.Name() == "cancel" {
		cmd.Flags().BoolVar(&started, "started-too", false, "also cancel the orders of the batch that were not sent")
	}
	return cmd
}

// cancelStarted cancels the orders of a batch that were started and not sent.
func (s *starter) cancelStarted(ctx context.Context, id string, who actor) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	unsent, found, err := service.PickUnsent(ctx, s.self(), id)
	if err != nil || !found {
		return err
	}
	report, err := service.ActOnList(ctx, s.by(who.by), unsent, payouts.ListAction{Name: order.ActionCancel, Root: unsent.List.Root, Why: who.why}, func(one payouts.ListOutcome) {
		if !s.json {
			s.tellOutcome(one)
		}
	})
	if err == nil && report.Problem != nil && report.Counts[payouts.ListUnknown]+report.Counts[payouts.ListUnsent] > 0 {
		return order.Refuse(report.Problem.Code, "%s. The batch is cancelled; repeat the command for the orders that are left", report.Problem.Message)
	}
	return err
}

func (s *starter) batchChanges() []*cobra.Command {
	return []*cobra.Command{
		s.batchChange(&cobra.Command{
			Use: "pause ID --why WHY", Example: `  starter batch pause 4be1c09d9f2c44d0 --why "the totals look wrong" --by amina`, Short: "Start no further row until the batch is resumed",
			Long: `Starts no further row of a batch. A row that was begun at this moment is started. Orders
that were started go on; to hold back what was not sent, use starter stop.`,
		}, "paused", useCases.PauseBatch),
		s.batchChange(&cobra.Command{
			Use: "resume ID --why WHY", Example: `  starter batch resume 4be1c09d9f2c44d0 --why "they are right" --by amina`, Short: "Start rows of a paused batch again",
			Long: `Starts rows of a paused batch again. It also has a batch driven that no workflow drives.`,
		}, "resumed", useCases.ResumeBatch),
		s.batchChange(&cobra.Command{
			Use: "cancel ID --why WHY", Example: `  starter batch cancel 4be1c09d9f2c44d0 --why "the wrong month" --by amina`, Short: "Start no further row of a batch, for ever",
			Long: `Starts no further row of a batch, for ever. Orders that were started go on; with
--started-too those that were not sent are cancelled, with one decision over the list.`,
		}, "cancelled", useCases.CancelBatch),
	}
}
