package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Withdrawal pays money out: reserve, send, find out, settle. It completes
// with the order's view in every business outcome, failure included.
func Withdrawal(ctx workflow.Context, request order.Request) (order.View, error) {
	request.Kind = order.Withdrawal
	p, err := newPayout(ctx, request)
	if err != nil {
		return order.View{}, err
	}
	return p.run(ctx)
}
