package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
)

// ReconcileTransactionsInput says whose transactions to compare, and which
// span. Everything is optional: all merchants, from where each was left, until
// a lag ago.
type ReconcileTransactionsInput struct {
	Merchants []string  `json:"merchants,omitempty"`
	From      time.Time `json:"from,omitzero"`
	To        time.Time `json:"to,omitzero"`

	// Going is set by the workflow itself: it makes a run the comparison of that
	// one merchant, from there on.
	Going *TransactionsGoing `json:"going,omitempty"`
}

// TransactionsGoing is how far the comparison of a merchant has come.
type TransactionsGoing struct {
	Left   activities.TransactionSpan `json:"left"`
	Report MerchantTransactions       `json:"report"`
}

// ReconcileTransactionsResult is the report, a part per merchant.
type ReconcileTransactionsResult struct {
	Merchants []MerchantTransactions `json:"merchants"`
}

// MerchantTransactions is the report on one merchant.
type MerchantTransactions struct {
	Merchant string    `json:"merchant"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`      // as far as it came
	Windows  int       `json:"windows"` // of a day at most, that are done
	History  string    `json:"history"` // one of the constants below
	activities.TransactionCounts
	Findings []activities.Finding `json:"findings"`          // open discrepancies that were met with, by code; each once
	Problem  string               `json:"problem,omitempty"` // why it did not come to its end
}

// What is known of a merchant's history at the gateway.
const (
	HistoryRead   = "read"
	HistoryNone   = "none"   // the gateway has none in the merchant's country: orders were asked about one by one
	HistoryUnread = "unread" // nothing was compared, or it could not be read
)

const (
	transactionWindow = 24 * time.Hour
	// A run ends after so many windows and another one goes on: a window takes
	// thirteen events, however many orders it has, so a history stays below a
	// thousand.
	windowsPerRun = 50
)

// ReconcileTransactions compares what the gateway says of every transaction
// with the orders, and opens a discrepancy wherever they differ. It runs on a
// schedule and on demand. A day that is done is remembered; a day that was
// missed is caught up.
//
// Each merchant is compared by a child workflow, which begins a new run now and
// then: it waits for no other merchant, and none waits for it.
func ReconcileTransactions(ctx workflow.Context, input ReconcileTransactionsInput) (ReconcileTransactionsResult, error) {
	if input.Going != nil {
		return reconcileMerchant(ctx, input)
	}
	plan := activities.TransactionsPlan{Merchants: input.Merchants, From: input.From, To: input.To}
	var spans []activities.TransactionSpan
	if err := workflow.ExecuteLocalActivity(forLedger(ctx, "plan"), books.PlanTransactions, plan).Get(ctx, &spans); err != nil {
		return ReconcileTransactionsResult{}, err
	}
	report, underWay := make([]MerchantTransactions, len(spans)), make([]bool, len(spans))
	for i, span := range spans {
		report[i], underWay[i] = begun(span), true
	}
	err := sideBySide(ctx, len(spans), func(ctx workflow.Context, i int) error {
		going := TransactionsGoing{Left: spans[i], Report: report[i]}
		var done ReconcileTransactionsResult
		err := workflow.ExecuteChildWorkflow(forMerchant(ctx, spans[i]), ReconcileTransactionsType, ReconcileTransactionsInput{
			Merchants: []string{spans[i].Merchant}, From: input.From, To: input.To, Going: &going,
		}).Get(ctx, &done)
		if err == nil {
			report[i] = done.Merchants[0]
		} else {
			workflow.GetLogger(ctx).Error("Transactions could not be compared", "merchant", spans[i].Merchant, "error", err)
			report[i].Problem = sayProblem(err)
		}
		underWay[i] = false
		workflow.SetCurrentDetails(ctx, describeTransactions(report, underWay))
		return err
	})
	return ReconcileTransactionsResult{Merchants: report}, err
}

// forMerchant are the options of the child workflow that compares a merchant.
func forMerchant(ctx workflow.Context, span activities.TransactionSpan) workflow.Context {
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:    workflow.GetInfo(ctx).WorkflowExecution.ID + ":" + span.Merchant,
		StaticSummary: "transactions of " + span.Merchant,
	})
}

// reconciliation is the comparison of one merchant while it goes on.
type reconciliation struct {
	*TransactionsGoing
	continuing bool // from where the merchant was left: days that are done are remembered
	windows    int  // done in this run
}

// reconcileMerchant compares one merchant to the end, or until the run is full.
func reconcileMerchant(ctx workflow.Context, input ReconcileTransactionsInput) (ReconcileTransactionsResult, error) {
	r := reconciliation{TransactionsGoing: input.Going, continuing: input.From.IsZero()}
	if r.Left.Problem == "" {
		full, err := r.compare(ctx)
		if temporal.IsCanceledError(err) {
			return ReconcileTransactionsResult{}, err
		}
		if full {
			return ReconcileTransactionsResult{}, workflow.NewContinueAsNewError(ctx, ReconcileTransactionsType, input)
		}
		if err != nil {
			workflow.GetLogger(ctx).Error("Transactions could not be compared", "merchant", r.Left.Merchant, "error", err)
			r.Report.Problem = sayProblem(err)
		}
	}
	err := r.close(ctx)
	r.describe(ctx)
	return ReconcileTransactionsResult{Merchants: []MerchantTransactions{r.Report}}, err
}

func (r *reconciliation) describe(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, describeTransactions([]MerchantTransactions{r.Report}, nil))
}

func begun(span activities.TransactionSpan) MerchantTransactions {
	report := MerchantTransactions{Merchant: span.Merchant, From: span.From, To: span.From, History: HistoryNone, Problem: span.Problem}
	if span.History {
		report.History = HistoryUnread
	}
	return report
}

// compare goes through a span window by window, and then asks again about what
// ended before it.
func (r *reconciliation) compare(ctx workflow.Context) (full bool, err error) {
	span := &r.Left
	for span.From.Before(span.To) {
		if r.windows >= windowsPerRun {
			return true, nil
		}
		window := activities.TransactionWindow{Merchant: span.Merchant, From: span.From, To: earlier(span.From.Add(transactionWindow), span.To)}
		if err := r.window(ctx, window); err != nil {
			return false, err
		}
		r.windows++
		r.Report.Windows++
		span.From, r.Report.To = window.To, window.To
		r.describe(ctx)
	}
	if !span.Again.Before(r.Report.From) {
		return false, nil
	}
	return false, r.ask(ctx, activities.TransactionWindow{Merchant: span.Merchant, From: span.Again, To: r.Report.From, Again: true})
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// window compares one window: first what the gateway lists, then order by order.
func (r *reconciliation) window(ctx workflow.Context, window activities.TransactionWindow) error {
	if r.Left.History {
		var counts activities.TransactionCounts
		reading := forTransactions(ctx, "history of "+describeWindow(window))
		err := workflow.ExecuteActivity(reading, gateway.ReadHistory, window).Get(ctx, &counts)
		if isError(err, activities.ErrorNoHistory) {
			r.Left.History, r.Report.History = false, HistoryNone
		} else if err != nil {
			return err
		} else {
			r.Report.History = HistoryRead
			r.Report.Add(counts)
		}
	}
	if err := r.ask(ctx, window); err != nil {
		return err
	}
	if !r.continuing {
		return nil
	}
	return workflow.ExecuteLocalActivity(forLedger(ctx, "done"), books.MarkTransactions, window, r.Left.First).Get(ctx, nil)
}

func (r *reconciliation) ask(ctx workflow.Context, window activities.TransactionWindow) error {
	var counts activities.TransactionCounts
	asking := forTransactions(ctx, "orders of "+describeWindow(window))
	if err := workflow.ExecuteActivity(asking, gateway.AskAboutEnded, window).Get(ctx, &counts); err != nil {
		return err
	}
	r.Report.Add(counts)
	return nil
}

// close looks for callbacks that nobody waits for, and counts what was found.
func (r *reconciliation) close(ctx workflow.Context) error {
	unmatched := forBooks(ctx, "unmatched callbacks of "+r.Left.Merchant, orphanSearch)
	if err := workflow.ExecuteActivity(unmatched, books.ReportUnmatched, r.Left.Merchant).Get(ctx, nil); err != nil {
		return err
	}
	return workflow.ExecuteLocalActivity(forLedger(ctx, "count"), books.CountFindings, r.Left.Merchant, r.Left.Began).Get(ctx, &r.Report.Findings)
}

func isError(err error, errorType string) bool {
	var failed *temporal.ApplicationError
	return errors.As(err, &failed) && failed.Type() == errorType
}

// sayProblem is why a merchant's comparison has ended early: a code and a
// sentence.
func sayProblem(err error) string {
	var failed *temporal.ApplicationError
	if errors.As(err, &failed) && failed.Type() != "" {
		return failed.Type() + ": " + failed.Message()
	}
	return err.Error()
}

func describeWindow(w activities.TransactionWindow) string {
	const minute = "2006-01-02 15:04"
	return fmt.Sprintf("%s, %s to %s", w.Merchant, w.From.UTC().Format(minute), w.To.UTC().Format(minute))
}

// describeTransactions shows a report; of those under way, their own workflow
// tells more.
func describeTransactions(report []MerchantTransactions, underWay []bool) string {
	text := "| merchant | until | windows | history | rows | compared | asked | booked | found |\n|---|---|---|---|---|---|---|---|---|\n"
	for i, m := range report {
		found := m.Problem
		if len(underWay) > 0 && underWay[i] {
			found = "under way"
		}
		for _, f := range m.Findings {
			found += fmt.Sprintf(" %s: %d", f.Code, f.Open)
		}
		text += fmt.Sprintf("| %s | %s | %d | %s | %d | %d | %d | %d | %s |\n", m.Merchant, m.To.UTC().Format("2006-01-02 15:04"),
			m.Windows, m.History, m.Rows, m.Compared, m.Asked, m.Settled, strings.ReplaceAll(strings.TrimSpace(found), "|", "/"))
	}
	return text + "\n\u00a0" // the pane is a line too low for its text
}
