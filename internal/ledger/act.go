package ledger

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Act does to an order what a person asks, or says why not; either is in the
// audit. Pending says that a resolution was proposed and waits for a second
// person: twoPersons is whether two decide.
func (l *Ledger) Act(ctx context.Context, key order.Key, action order.Action, twoPersons bool) (
	row order.Order, refusal *order.Refusal, pending bool, err error,
) {
	switch action := action.(type) {
	case order.Approval:
		row, refusal, err = l.Approve(ctx, key, action)
	case order.Rejection:
		row, refusal, err = l.Reject(ctx, key, action)
	case order.Cancellation:
		row, refusal, err = l.Cancel(ctx, key, action)
	case order.Resolution:
		return l.Resolve(ctx, key, action, twoPersons)
	case order.Note:
		row, refusal, err = l.Note(ctx, key, action)
	case order.Poll:
		row, refusal, err = l.Poll(ctx, key, action)
	case order.Adoption:
		row, refusal, err = l.Adopt(ctx, key, action)
	default:
		refusal = order.NoAction()
	}
	return row, refusal, false, err
}
