package workflows

import (
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Withdrawal pays money out: it reserves the funds, sends the order, finds out the
// result and settles it. It completes with the order's view in every business
// outcome, failure included.
func Withdrawal(ctx workflow.Context, raw, from converter.RawValue) (order.View, error) {
	p, no := start(ctx, order.Withdrawal, raw, from)
	if no != nil {
		return p.refuse(ctx, raw)
	}
	return p.run(ctx)
}
