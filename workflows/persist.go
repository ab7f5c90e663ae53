package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
)

// No answer and no failure of the ledger or the gateway ends an order's workflow.
// A failed step is retried without a limit, with pauses, and the order's details
// show the cause.

// write executes a ledger activity and retries it until it succeeds. Its only
// error is errFull.
func (p *payout) write(ctx workflow.Context, summary string, result, activity any, args ...any) error {
	for {
		err := workflow.ExecuteLocalActivity(forLedger(ctx, summary), activity, args...).Get(ctx, result)
		if err == nil {
			p.retryReason = order.Reason{}
			return nil
		}
		if err := p.pause(ctx, err); err != nil {
			return err
		}
	}
}

// pause shows the cause of an error and waits before the retry. An operator's
// message ends the wait. Its only error is errFull.
func (p *payout) pause(ctx workflow.Context, cause error) error {
	p.retryReason = troubleOf(cause)
	p.show(ctx, "The order waits: "+p.retryReason.Text)
	waiting, stop := workflow.WithCancel(ctx)
	defer stop()
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(workflow.NewTimerWithOptions(waiting, troublePause, workflow.TimerOptions{Summary: "pause before the retry"}),
		func(workflow.Future) {})
	selector.AddReceive(p.wake, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	selector.Select(ctx)
	return p.full(ctx)
}

// troubleOf returns the reason that people see for an activity's error.
func troubleOf(err error) order.Reason {
	if temporal.IsPanicError(err) {
		return order.Reason{
			Code: codes.Fault, Text: "an internal error; the worker's log has the details. It is retried automatically.",
		}
	}
	var known *temporal.ApplicationError
	if errors.As(err, &known) {
		switch known.Type() {
		case codes.RowMissing:
			return order.Reason{Code: known.Type(), Text: "the ledger has no row of the order. The order continues automatically when the row is back."}
		case codes.DiscrepancyBalance, order.CodeUnknownMerchant:
			return order.Reason{Code: known.Type(), Text: known.Message() + ". The order continues automatically when that is corrected."}
		}
	}
	return order.Reason{
		Code: codes.LedgerAway, Text: "the ledger does not answer, or reports an error; the worker's log has the details. It is retried automatically.",
	}
}

// persist is write for a workflow that drives no order. When the history has
// become long it returns again(), which is the workflow's continue-as-new error.
func persist(ctx workflow.Context, summary string, again func() error, result, activity any, args ...any) error {
	return persistIn(forLedger(ctx, summary), again, result, activity, args...)
}

// persistIn is persist with other options of the local activity, in the context.
func persistIn(ctx workflow.Context, again func() error, result, activity any, args ...any) error {
	for {
		err := workflow.ExecuteLocalActivity(ctx, activity, args...).Get(ctx, result)
		if err == nil {
			return nil
		}
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("Waiting: %s", troubleOf(err).Text))
		if err := tryLater(ctx, again); err != nil {
			return err
		}
	}
}

// tryLater pauses before a retry in a workflow that drives no order.
func tryLater(ctx workflow.Context, again func() error) error {
	if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
		return again()
	}
	return workflow.Sleep(ctx, troublePause)
}

// retried repeats a gateway activity until it returns a result, in a workflow that
// drives no order.
func retried[T any](ctx workflow.Context, again func() error, ask func() workflow.Future) (T, error) {
	for {
		var answer T
		err := ask().Get(ctx, &answer)
		if err == nil || temporal.IsCanceledError(err) {
			return answer, err
		}
		if err := tryLater(ctx, again); err != nil {
			return answer, err
		}
	}
}

// saysNothing reports whether a query ended for a reason that says nothing about
// the order: its row is missing, it was cancelled, or there is a programming
// error.
func saysNothing(err error) bool {
	var known *temporal.ApplicationError
	ours := errors.As(err, &known) && known.NonRetryable() && known.Type() != activities.ErrorMismatch && known.Type() != activities.ErrorBehind
	return ours || temporal.IsCanceledError(err) || temporal.IsPanicError(err)
}

// troublePause is the pause before a failed step is retried. Each retry costs a
// handful of history events. An operator who has removed the cause can end the
// pause (poll_now).
const troublePause = 5 * time.Minute
