package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Pauses between the steps of a batch.
const (
	batchPause    = 2 * time.Second // after a step that has changed something; it doubles after others
	batchMaxPause = 5 * time.Minute
	// A run ends after so many steps and continues as a new one. A step takes about a
	// dozen events.
	stepsPerRun = 300
)

// Batch starts the orders of a batch, some at a time, until every order has ended or
// the batch is cancelled. How the batch stands is in the ledger, so a run that is lost
// is continued by the next. It returns the last state.
func Batch(ctx workflow.Context, raw converter.RawValue) (contract.BatchStep, error) {
	mustDecrypt(raw)
	var b order.Batch
	if err := read(raw, &b); err != nil {
		return contract.BatchStep{State: order.BatchBroken}, nil //nolint:nilerr // nothing from outside fails a workflow
	}
	changed := workflow.GetSignalChannel(ctx, contract.BatchSignal)
	again := func() error { return workflow.NewContinueAsNewError(ctx, contract.BatchType, raw) }
	var last contract.BatchStep
	pause := batchPause
	for range stepsPerRun {
		step, err := batchStep(ctx, b.ID, last.State)
		if err != nil {
			return step, err
		}
		if step.State.Ended() && step.Unwritten == 0 {
			return step, nil
		}
		if pause = min(2*pause, batchMaxPause); step != last {
			pause = batchPause
		}
		if last = step; step.State == order.BatchPaused {
			pause = batchMaxPause
		}
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("The batch is %s. Rows that wait: %d, orders that have not ended: %d.", step.State, step.Left, step.Open))
		waiting, stop := workflow.WithCancel(ctx)
		selector := workflow.NewSelector(ctx)
		selector.AddFuture(workflow.NewTimerWithOptions(waiting, pause, workflow.TimerOptions{Summary: "until the next step"}), func(workflow.Future) {})
		selector.AddReceive(changed, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
		selector.Select(ctx)
		stop()
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			break
		}
	}
	return last, again()
}

// batchStep starts the batch's next rows. Before the first, it makes the batch ready.
func batchStep(ctx workflow.Context, id string, last order.BatchState) (step contract.BatchStep, err error) {
	if last == "" || last == order.BatchStoring {
		err = workflow.ExecuteActivity(forBatch(ctx, "is everything stored"), books.ReadyBatch, id).Get(ctx, &step.State)
		if err != nil || step.State == order.BatchStoring || step.State == order.BatchBroken {
			return step, err
		}
	}
	err = workflow.ExecuteActivity(forBatch(ctx, "start the next rows"), books.StepBatch, id).Get(ctx, &step)
	return step, err
}

// BatchPage stores some rows of a batch, or returns why they are refused.
func BatchPage(ctx workflow.Context, raw converter.RawValue) (*order.Reason, error) {
	return storePage[contract.BatchPage](ctx, raw, contract.BatchPageType, "store rows of a batch", books.StoreBatchPage)
}

// storePage stores a page of a file by an activity. It returns why the page is refused.
func storePage[Page any](ctx workflow.Context, raw converter.RawValue, workflowType, summary string, store any) (*order.Reason, error) {
	mustDecrypt(raw)
	ctx, _ = workflow.NewDisconnectedContext(ctx) // a cancellation does not leave a file without rows
	var page Page
	if err := read(raw, &page); err != nil {
		return &order.Reason{Code: order.CodeInvalidRequest, Text: err.Error()}, nil //nolint:nilerr // nothing from outside fails a workflow
	}
	var refusal *order.Reason
	again := func() error { return workflow.NewContinueAsNewError(ctx, workflowType, raw) }
	err := persist(ctx, summary, again, &refusal, store, page)
	return refusal, err
}
