package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Nothing that the ledger or the gateway says, and nothing that they cannot say,
// ends an order's workflow. What fails is tried again for as long as it takes,
// slowly, and the order tells what it waits for.

// write has the ledger do something, and goes on until it is done. Its only
// error is errFull.
func (p *payout) write(ctx workflow.Context, summary string, result, activity any, args ...any) error {
	for {
		err := workflow.ExecuteLocalActivity(forLedger(ctx, summary), activity, args...).Get(ctx, result)
		if err == nil {
			p.trouble = order.Reason{}
			return nil
		}
		if err := p.pause(ctx, err); err != nil {
			return err
		}
	}
}

// pause waits before something is tried again that ended in an error, and tells
// of what. An operator's message ends the wait. Its only error is errFull.
func (p *payout) pause(ctx workflow.Context, cause error) error {
	p.trouble = troubleOf(cause)
	p.show(ctx, "The order waits: "+p.trouble.Text)
	waiting, stop := workflow.WithCancel(ctx)
	defer stop()
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(workflow.NewTimerWithOptions(waiting, troublePause, workflow.TimerOptions{Summary: "wait before it is tried again"}),
		func(workflow.Future) {})
	selector.AddReceive(p.wake, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	selector.Select(ctx)
	return p.full(ctx)
}

// troubleOf says what an activity that ended in an error met, for people.
func troubleOf(err error) order.Reason {
	if temporal.IsPanicError(err) {
		return order.Reason{
			Code: order.CodeFault, Text: "something failed that should not; the worker's log says what. It is tried again by itself.",
		}
	}
	var known *temporal.ApplicationError
	if errors.As(err, &known) {
		switch known.Type() {
		case order.CodeRowMissing:
			return order.Reason{Code: known.Type(), Text: "the ledger has no row of it. It goes on by itself once the row is there again."}
		case order.DiscrepancyBalance, order.CodeUnknownMerchant:
			return order.Reason{Code: known.Type(), Text: known.Message() + ". It goes on by itself once that is mended."}
		}
	}
	return order.Reason{
		Code: order.CodeLedgerAway, Text: "the ledger does not answer, or cannot do it; the worker's log says why. It is tried again by itself.",
	}
}

// persist does the same in a short workflow that drives no order. When its
// history has become long, again says with what the workflow begins anew.
func persist(ctx workflow.Context, summary string, again func() error, result, activity any, args ...any) error {
	for {
		err := workflow.ExecuteLocalActivity(forLedger(ctx, summary), activity, args...).Get(ctx, result)
		if err == nil {
			return nil
		}
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("It waits: %s", troubleOf(err).Text))
		if err := tryLater(ctx, again); err != nil {
			return err
		}
	}
}

// tryLater waits before a short workflow tries something again.
func tryLater(ctx workflow.Context, again func() error) error {
	if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
		return again()
	}
	return workflow.Sleep(ctx, troublePause)
}

// retried has a gateway's activity answer in a short workflow, whatever it takes.
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

// astray reports whether a question to the gateway ended for a reason that says
// nothing of the order: its row is missing, or a mistake of ours.
func astray(err error) bool {
	var known *temporal.ApplicationError
	ours := errors.As(err, &known) && known.NonRetryable() && known.Type() != activities.ErrorMismatch && known.Type() != activities.ErrorBehind
	return ours || temporal.IsCanceledError(err) || temporal.IsPanicError(err)
}

// troublePause is the wait before something is tried again that ended in an
// error: each is a handful of events, and whoever mends it can have the order
// look at once (poll_now).
const troublePause = 5 * time.Minute
