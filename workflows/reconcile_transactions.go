package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
)

const (
	transactionWindow = 24 * time.Hour
	// A run ends after windowsPerRun windows and continues as a new one. A window
	// takes thirteen events, however many orders it has, so a history stays below
	// a thousand events.
	windowsPerRun = 50
)

// ReconcileTransactions compares the gateway's transactions with the orders, and
// opens a discrepancy for each difference. It runs on a schedule and on demand. It
// records the days that are compared; a day that was missed is compared in the
// next run.
//
// A child workflow compares each merchant, so that no merchant waits for another.
// The child continues as a new run when its history has become long.
func ReconcileTransactions(ctx workflow.Context, input contract.ReconcileTransactionsInput) (contract.ReconcileTransactionsResult, error) {
	if input.Going != nil {
		return reconcileMerchant(ctx, input)
	}
	plan := activities.TransactionsPlan{Merchants: input.Merchants, From: input.From, To: input.To}
	var spans []contract.TransactionSpan
	if err := workflow.ExecuteLocalActivity(forLedger(ctx, "plan"), books.PlanTransactions, plan).Get(ctx, &spans); err != nil {
		return contract.ReconcileTransactionsResult{}, err
	}
	report, underWay := make([]contract.MerchantTransactions, len(spans)), make([]bool, len(spans))
	for i, span := range spans {
		report[i], underWay[i] = begun(span), true
	}
	err := forEachParallel(ctx, len(spans), func(ctx workflow.Context, i int) error {
		going := contract.TransactionsGoing{Left: spans[i], Report: report[i]}
		var done contract.ReconcileTransactionsResult
		err := workflow.ExecuteChildWorkflow(forMerchant(ctx, spans[i]), contract.ReconcileTransactionsType, contract.ReconcileTransactionsInput{
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
	return contract.ReconcileTransactionsResult{Merchants: report}, err
}

// forMerchant sets the options of the child workflow that compares a merchant.
func forMerchant(ctx workflow.Context, span contract.TransactionSpan) workflow.Context {
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:    workflow.GetInfo(ctx).WorkflowExecution.ID + ":" + span.Merchant,
		StaticSummary: "transactions of " + span.Merchant,
	})
}

// reconciliation is the comparison of one merchant in progress.
type reconciliation struct {
	*contract.TransactionsGoing
	continuing bool // it started after the last recorded day, and records each day compared
	windows    int  // compared in this run
}

// reconcileMerchant compares one merchant, to the end of its span or until the run
// is full.
func reconcileMerchant(ctx workflow.Context, input contract.ReconcileTransactionsInput) (contract.ReconcileTransactionsResult, error) {
	r := reconciliation{TransactionsGoing: input.Going, continuing: input.From.IsZero()}
	if r.Left.Problem == "" {
		full, err := r.compare(ctx)
		if temporal.IsCanceledError(err) {
			return contract.ReconcileTransactionsResult{}, err
		}
		if full {
			return contract.ReconcileTransactionsResult{}, workflow.NewContinueAsNewError(ctx, contract.ReconcileTransactionsType, input)
		}
		if err != nil {
			workflow.GetLogger(ctx).Error("Transactions could not be compared", "merchant", r.Left.Merchant, "error", err)
			r.Report.Problem = sayProblem(err)
		}
	}
	err := r.close(ctx)
	r.describe(ctx)
	return contract.ReconcileTransactionsResult{Merchants: []contract.MerchantTransactions{r.Report}}, err
}

func (r *reconciliation) describe(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, describeTransactions([]contract.MerchantTransactions{r.Report}, nil))
}

func begun(span contract.TransactionSpan) contract.MerchantTransactions {
	report := contract.MerchantTransactions{Merchant: span.Merchant, From: span.From, To: span.From, History: contract.HistoryNone, Problem: span.Problem}
	if span.History {
		report.History = contract.HistoryUnread
	}
	return report
}

// compare compares a span window by window. Then it queries the orders again that
// ended shortly before the span.
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

// window compares one window: first the gateway's list of transactions, then order
// by order.
func (r *reconciliation) window(ctx workflow.Context, window activities.TransactionWindow) error {
	if r.Left.History {
		var counts contract.TransactionCounts
		reading := forTransactions(ctx, "history of "+describeWindow(window))
		err := workflow.ExecuteActivity(reading, gateway.ReadHistory, window).Get(ctx, &counts)
		if isError(err, activities.ErrorNoHistory) {
			r.Left.History, r.Report.History = false, contract.HistoryNone
		} else if err != nil {
			return err
		} else {
			r.Report.History = contract.HistoryRead
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
	var counts contract.TransactionCounts
	asking := forTransactions(ctx, "orders of "+describeWindow(window))
	if err := workflow.ExecuteActivity(asking, gateway.AskAboutEnded, window).Get(ctx, &counts); err != nil {
		return err
	}
	r.Report.Add(counts)
	return nil
}

// close reports callbacks that belong to no order, and counts the open
// discrepancies.
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

// sayProblem returns why a merchant's comparison has ended early: a code and a
// text.
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

// describeTransactions formats a report as a table. A merchant under way has no
// findings yet; its child workflow shows more.
func describeTransactions(report []contract.MerchantTransactions, underWay []bool) string {
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
	return text + "\n\u00a0" // the UI cuts off the last line of the pane
}
