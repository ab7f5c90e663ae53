package workflows

import (
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Withdrawal pays money out: reserve, send, find out, settle. It completes
// with the order's view in every business outcome, failure included.
func Withdrawal(ctx workflow.Context, request order.Request, from converter.RawValue) (order.View, error) {
	request.Kind = order.Withdrawal
	p := newPayout(ctx, request)
	p.takeOver(ctx, from)
	return p.run(ctx)
}
