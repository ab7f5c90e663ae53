package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Limits of one step of a batch.
const (
	beginAtOnce = 25  // rows that are begun together; as many may still be started after a pause
	rowsPerStep = 500 // rows that one step starts
	// An order whose workflow has started is in the ledger within seconds if a worker
	// runs. After this, the workflow is asked whether it refused the order.
	unwrittenAge = 15 * time.Second
	unwrittenMax = 100
)

// StoreBatchPage stores some rows of a batch. It returns why they are refused, or nil.
func (b *Books) StoreBatchPage(ctx context.Context, page contract.BatchPage) (*order.Reason, error) {
	refusal, err := b.ledger.StoreBatchPage(ctx, page.Batch, page.Rows)
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		return &refusal.Reason, nil //nolint:nilerr // err is nil: a refusal is an answer
	}
	return nil, nil
}

// ReadyBatch lets a batch run if all of it is stored. It returns the batch's state.
func (b *Books) ReadyBatch(ctx context.Context, id string) (order.BatchState, error) {
	return b.ledger.MakeBatchReady(ctx, id, func() { activity.RecordHeartbeat(ctx) })
}

// starter is what a step needs of *client.Client.
type starter interface {
	Start(ctx context.Context, request order.Request) (client.Started, error)
	Find(ctx context.Context, key order.Key) (client.Row, error)
	Wait(ctx context.Context, key order.Key) (order.View, error)
}

// StepBatch starts the next rows of a batch. A row that is started again, after an
// attempt that was lost, is the same order.
func (b *Books) StepBatch(ctx context.Context, id string) (contract.BatchStep, error) {
	orders := client.New(activity.GetClient(ctx))
	if b.settings.Payloads != nil {
		orders = orders.Reading(b.settings.Payloads)
	}
	return b.stepBatch(ctx, orders, id, func() { activity.RecordHeartbeat(ctx) })
}

func (b *Books) stepBatch(ctx context.Context, orders starter, id string, beat func()) (contract.BatchStep, error) {
	var progress ledger.BatchProgress
	for started := 0; started < rowsPerStep; {
		begun, now, err := b.ledger.BeginBatchRows(ctx, id, b.settings.BatchWindow, beginAtOnce)
		if err != nil {
			return contract.BatchStep{}, err
		}
		if progress = now; len(begun) == 0 {
			break
		}
		if err := b.startRows(ctx, orders, id, begun, beat); err != nil {
			return contract.BatchStep{}, err
		}
		started += len(begun)
	}
	unwritten, err := b.settleUnwritten(ctx, orders, id, beat)
	return contract.BatchStep{State: progress.State, Left: progress.Waiting, Open: progress.Open, Unwritten: unwritten}, err
}

// startRows starts the orders of rows that were begun, and records what became of each.
// After an error the rest stays begun.
func (b *Books) startRows(ctx context.Context, orders starter, id string, begun []order.BatchRow, beat func()) error {
	var results []ledger.RowResult
	var failed error
	for _, row := range begun {
		beat()
		_, err := orders.Start(ctx, row.Request)
		if err != nil && !isAnswer(err) {
			failed = fmt.Errorf("start row %d of batch %s: %w", row.Seq, id, err)
			break
		}
		result := ledger.RowResult{Seq: row.Seq, Outcome: ledger.RowStarted}
		if err != nil {
			result.Outcome, result.Reason = ledger.RowRefused, reasonOf(err)
		}
		results = append(results, result)
	}
	if len(results) == 0 {
		return failed
	}
	return errors.Join(b.ledger.RecordBatchRows(ctx, id, results), failed)
}

// isAnswer reports whether the error of a start says that the order is refused. All
// else may be otherwise next time.
func isAnswer(err error) bool {
	code := order.CodeOf(err)
	again := []codes.Class{codes.ClassRetry, codes.ClassUnavailable, codes.ClassUnknown, codes.ClassInternal}
	return code != "" && code != client.CodeUnreadable && code != client.CodeTemporalRefused && !slices.Contains(again, codes.ClassOf(code))
}

// reasonOf returns the code and sentence of a refusal.
func reasonOf(err error) order.Reason {
	var invalid *order.Invalid
	var refusal *order.Refusal
	switch {
	case errors.As(err, &invalid):
		return order.Reason{Code: invalid.Problems[0].Code, Text: invalid.Error()}
	case errors.As(err, &refusal):
		return refusal.Reason
	}
	return order.Reason{Code: order.CodeInvalidRequest, Text: err.Error()}
}

// settleUnwritten asks the workflows of rows that the ledger does not have whether they
// refused the order, such as one above the worker's limit. It returns how many rows of
// the batch the ledger does not have.
func (b *Books) settleUnwritten(ctx context.Context, orders starter, id string, beat func()) (left int, err error) {
	old, err := b.ledger.UnwrittenBatchRows(ctx, id, unwrittenAge, unwrittenMax)
	if err != nil {
		return 0, err
	}
	var refused []ledger.RowResult
	for _, row := range old {
		beat()
		reason, is, err := refusedUnrecorded(ctx, orders, row.Request.Key())
		if err != nil {
			return 0, fmt.Errorf("ask for row %d of batch %s: %w", row.Seq, id, err)
		}
		if is {
			refused = append(refused, ledger.RowResult{Seq: row.Seq, Outcome: ledger.RowRefused, Reason: reason})
		}
	}
	if len(refused) > 0 {
		if err := b.ledger.RecordBatchRows(ctx, id, refused); err != nil {
			return 0, err
		}
	}
	all, err := b.ledger.UnwrittenBatchRows(ctx, id, 0, unwrittenMax)
	return len(all), err
}

// refusedUnrecorded returns why an order's workflow refused the order without recording
// it.
func refusedUnrecorded(ctx context.Context, orders starter, key order.Key) (reason order.Reason, is bool, err error) {
	found, err := orders.Find(ctx, key)
	if order.CodeOf(err) == order.CodeOrderNotFound {
		return order.Reason{}, false, nil
	}
	if err != nil || found.Open || found.State != order.Rejected || found.Squatted != "" {
		return order.Reason{}, false, err
	}
	view, err := orders.Wait(ctx, key)
	if err != nil {
		return order.Reason{}, false, err
	}
	return view.Reason, view.State == order.Rejected && (view.Unrecorded || rules.Unwritten(view.Standing)), nil
}
