package ledger

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Act performs a person's action on an order, or refuses it. Both are audited.
// twoPersons says whether a resolution needs two persons. pending is true if a
// resolution was stored as a proposal and now waits for the second person.
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
