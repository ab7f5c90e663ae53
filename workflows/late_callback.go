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

// lateHorizon is how long the gateway is queried for an answer that confirms a
// late callback. If it gave no answer at all, it is queried for longer.
const lateHorizon = 24 * time.Hour

// LateCallback applies a callback that came after its order had ended:
//
//   - a refund of what was paid posts a reversal, once the gateway confirms it;
//   - a payment after expiry posts a credit, once the gateway confirms it;
//   - a contradiction opens a discrepancy;
//   - a repetition changes nothing.
//
// It never rewrites a terminal state without a booking.
//
// The gateway may report something else than the callback: a late payment, where
// the callback says that the money was returned. Then the payment is booked, and
// the gateway is queried again.
//
// An input that does not name a callback of an order is ignored, and audited.
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

// confirm queries the gateway until an answer confirms the callback, or until
// lateHorizon has passed. Then it queries once more, and that answer counts.
func confirm(ctx workflow.Context, key order.Key, again func() error) (activities.Confirmed, error) {
	var answer activities.Confirmed
	asking := forGateway(ctx, "confirm with the gateway", balanceAttempt, lateHorizon)
	err := workflow.ExecuteActivity(asking, gateway.Confirm, activities.ConfirmInput{Key: key}).Get(ctx, &answer)
	if err == nil || temporal.IsCanceledError(err) {
		return answer, err
	}
	return retried[activities.Confirmed](ctx, again, func() workflow.Future {
		asking := forGateway(ctx, "last query of the gateway", balanceAttempt, 0)
		return workflow.ExecuteActivity(asking, gateway.Confirm, activities.ConfirmInput{Key: key, Last: true})
	})
}
