package workflows

import (
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/order"
)

// lateHorizon is how long an answer of the gateway that bears a late callback
// out is waited for. A gateway that gives no answer is asked for longer.
const lateHorizon = 24 * time.Hour

// LateCallback acts on a callback that came after its order had ended: a refund
// of what was paid posts a reversal, and a payment after expiry a credit, once the
// gateway confirms it; a contradiction opens a discrepancy, a repetition does
// nothing. A terminal state is never silently rewritten.
//
// The gateway may confirm something else than the callback says, a late payment
// where it says returned: then that is booked, and the gateway is asked again.
//
// An input that names no callback of an order is ignored, and the audit says so.
func LateCallback(ctx workflow.Context, raw converter.RawValue) (order.Standing, error) {
	mustDecrypt(raw)
	again := func() error { return workflow.NewContinueAsNewError(ctx, contract.LateCallbackType, raw) }
	var input contract.LateCallbackInput
	if err := read(raw, &input); err != nil || !input.Key.WellFormed() || !inboxID(input.CallbackID) {
		reason := order.Reason{Code: order.CodeInvalidRequest, Text: "a late callback's input does not name an order and a callback of the inbox"}
		return order.Standing{Reason: reason}, persist(ctx, "note what is ignored", again, nil, books.Ignore, order.Key{}, reason)
	}
	return lateCallback(ctx, input, again)
}

func lateCallback(ctx workflow.Context, input contract.LateCallbackInput, again func() error) (order.Standing, error) {
	for {
		var applied activities.Applied
		err := persist(ctx, "apply late callback", again, &applied, books.ApplyCallback, input.Key, input.CallbackID)
		if err != nil || !applied.Ask {
			return applied.Standing, err
		}
		answer, err := confirm(ctx, input.Key, again)
		if err != nil {
			return applied.Standing, err
		}
		if !answer.Confirmed {
			return applied.Standing, persist(ctx, "open a discrepancy", again, nil, books.Unconfirmed, input.Key, input.CallbackID)
		}
		if err := persist(ctx, "settle late callback", again, nil, books.Settle, input.Key, answer.Finding); err != nil {
			return applied.Standing, err
		}
	}
}

// confirm asks the gateway for as long as its answer may still bear the callback
// out, and then once more for its last word.
func confirm(ctx workflow.Context, key order.Key, again func() error) (activities.Confirmed, error) {
	var answer activities.Confirmed
	asking := forGateway(ctx, "confirm with the gateway", balanceAttempt, lateHorizon)
	err := workflow.ExecuteActivity(asking, gateway.Confirm, activities.ConfirmInput{Key: key}).Get(ctx, &answer)
	if err == nil || temporal.IsCanceledError(err) {
		return answer, err
	}
	return retried[activities.Confirmed](ctx, again, func() workflow.Future {
		asking := forGateway(ctx, "hear the gateway's last word", balanceAttempt, 0)
		return workflow.ExecuteActivity(asking, gateway.Confirm, activities.ConfirmInput{Key: key, Last: true})
	})
}
