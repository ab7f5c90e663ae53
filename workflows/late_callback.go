package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/order"
)

// lateHorizon is how long the gateway is asked about an order that had ended
// when a callback came.
const lateHorizon = 24 * time.Hour

// LateCallback acts on a callback that came after its order had ended: a
// refund after success posts a reversal once the gateway confirms it, a
// contradiction opens a discrepancy, a repetition does nothing. A terminal
// state is never silently rewritten.
func LateCallback(ctx workflow.Context, input LateCallbackInput) (order.Standing, error) {
	var applied activities.Applied
	err := workflow.ExecuteLocalActivity(forLedger(ctx, "apply late callback"), books.ApplyCallback, input.Key, input.CallbackID).
		Get(ctx, &applied)
	if err != nil || !applied.Ask {
		return applied.Standing, err
	}
	asking := forGateway(ctx, "confirm with the gateway", balanceAttempt, lateHorizon)
	var finding order.Finding
	if err := workflow.ExecuteActivity(asking, gateway.Confirm, input.Key).Get(ctx, &finding); err != nil {
		noting := forLedger(ctx, "open a discrepancy")
		return applied.Standing, workflow.ExecuteLocalActivity(noting, books.Unconfirmed, input.Key, input.CallbackID).Get(ctx, nil)
	}
	standing := applied.Standing
	err = workflow.ExecuteLocalActivity(forLedger(ctx, "settle late callback"), books.Settle, input.Key, finding).
		Get(ctx, &standing)
	if err != nil {
		return standing, err
	}
	// Borne out now, so that it is done with.
	return standing, workflow.ExecuteLocalActivity(forLedger(ctx, "close late callback"), books.ApplyCallback, input.Key, input.CallbackID).
		Get(ctx, &applied)
}
