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

	// Going is set by the workflow itself when it continues as a new run.
	Going *TransactionsGoing `json:"going,omitempty"`
}

// TransactionsGoing is how far a comparison has come.
type TransactionsGoing struct {
	Left   []activities.TransactionSpan `json:"left"` // the first one is under way
	Report []MerchantTransactions       `json:"report"`
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
func ReconcileTransactions(ctx workflow.Context, input ReconcileTransactionsInput) (ReconcileTransactionsResult, error) {
	going := input.Going
	if going == nil {
		plan := activities.TransactionsPlan{Merchants: input.Merchants, From: input.From, To: input.To}
		going = &TransactionsGoing{}
		err := workflow.ExecuteLocalActivity(forLedger(ctx, "plan"), books.PlanTransactions, plan).Get(ctx, &going.Left)
		if err != nil {
			return ReconcileTransactionsResult{}, err
		}
	}
	r := reconciliation{TransactionsGoing: going, continuing: input.From.IsZero()}
	for len(r.Left) > 0 {
		full, err := r.merchant(ctx)
		if err != nil {
			return ReconcileTransactionsResult{Merchants: r.Report}, err
		}
		if full {
			input.Going = r.TransactionsGoing
			return ReconcileTransactionsResult{}, workflow.NewContinueAsNewError(ctx, ReconcileTransactionsType, input)
		}
	}
	workflow.SetCurrentDetails(ctx, describeTransactions(r.Report))
	return ReconcileTransactionsResult{Merchants: r.Report}, nil
}

// reconciliation is the comparison while it goes on.
type reconciliation struct {
	*TransactionsGoing
	continuing bool // from where each merchant was left: days that are done are remembered
	windows    int  // done in this run
}

// merchant compares the first merchant that is left to its end, or until the
// run is full.
func (r *reconciliation) merchant(ctx workflow.Context) (full bool, err error) {
	span := &r.Left[0]
	if len(r.Report) == 0 || r.Report[len(r.Report)-1].Merchant != span.Merchant {
		r.Report = append(r.Report, begun(*span))
	}
	report := &r.Report[len(r.Report)-1]
	if span.Problem == "" {
		full, err = r.compare(ctx, span, report)
	}
	if temporal.IsCanceledError(err) || full {
		return full, err
	}
	if err != nil {
		workflow.GetLogger(ctx).Error("Transactions could not be compared", "merchant", span.Merchant, "error", err)
		report.Problem = sayProblem(err)
	}
	if err := r.close(ctx, span, report); err != nil {
		return false, err
	}
	r.Left = r.Left[1:]
	return false, nil
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
func (r *reconciliation) compare(ctx workflow.Context, span *activities.TransactionSpan, report *MerchantTransactions) (full bool, err error) {
	for span.From.Before(span.To) {
		if r.windows >= windowsPerRun {
			return true, nil
		}
		window := activities.TransactionWindow{Merchant: span.Merchant, From: span.From, To: earlier(span.From.Add(transactionWindow), span.To)}
		if err := r.window(ctx, span, window, report); err != nil {
			return false, err
		}
		r.windows++
		report.Windows++
		span.From, report.To = window.To, window.To
		workflow.SetCurrentDetails(ctx, describeTransactions(r.Report))
	}
	if !span.Again.Before(report.From) {
		return false, nil
	}
	again := activities.TransactionWindow{Merchant: span.Merchant, From: span.Again, To: report.From, Again: true}
	return false, r.ask(ctx, again, report)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// window compares one window: first what the gateway lists, then order by order.
func (r *reconciliation) window(ctx workflow.Context, span *activities.TransactionSpan, window activities.TransactionWindow, report *MerchantTransactions) error {
	if span.History {
		var counts activities.TransactionCounts
		reading := forTransactions(ctx, "history of "+describeWindow(window))
		err := workflow.ExecuteActivity(reading, gateway.ReadHistory, window).Get(ctx, &counts)
		if isError(err, activities.ErrorNoHistory) {
			span.History, report.History = false, HistoryNone
		} else if err != nil {
			return err
		} else {
			report.History = HistoryRead
			report.Add(counts)
		}
	}
	if err := r.ask(ctx, window, report); err != nil {
		return err
	}
	if !r.continuing {
		return nil
	}
	return workflow.ExecuteLocalActivity(forLedger(ctx, "done"), books.MarkTransactions, window, span.First).Get(ctx, nil)
}

func (r *reconciliation) ask(ctx workflow.Context, window activities.TransactionWindow, report *MerchantTransactions) error {
	var counts activities.TransactionCounts
	asking := forTransactions(ctx, "orders of "+describeWindow(window))
	if err := workflow.ExecuteActivity(asking, gateway.AskAboutEnded, window).Get(ctx, &counts); err != nil {
		return err
	}
	report.Add(counts)
	return nil
}

// close looks for callbacks that nobody waits for, and counts what was found.
func (r *reconciliation) close(ctx workflow.Context, span *activities.TransactionSpan, report *MerchantTransactions) error {
	unmatched := forBooks(ctx, "unmatched callbacks of "+span.Merchant, orphanSearch)
	if err := workflow.ExecuteActivity(unmatched, books.ReportUnmatched, span.Merchant).Get(ctx, nil); err != nil {
		return err
	}
	return workflow.ExecuteLocalActivity(forLedger(ctx, "count"), books.CountFindings, span.Merchant, span.Began).Get(ctx, &report.Findings)
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

func describeTransactions(report []MerchantTransactions) string {
	text := "| merchant | until | windows | history | rows | compared | asked | booked | found |\n|---|---|---|---|---|---|---|---|---|\n"
	for _, m := range report {
		found := m.Problem
		for _, f := range m.Findings {
			found += fmt.Sprintf(" %s: %d", f.Code, f.Open)
		}
		text += fmt.Sprintf("| %s | %s | %d | %s | %d | %d | %d | %d | %s |\n", m.Merchant, m.To.UTC().Format("2006-01-02 15:04"),
			m.Windows, m.History, m.Rows, m.Compared, m.Asked, m.Settled, strings.ReplaceAll(strings.TrimSpace(found), "|", "/"))
	}
	return text + "\n\u00a0" // the pane is a line too low for its text
}
