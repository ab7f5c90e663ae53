package activities

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/order"
)

// AwaitFunds goes on until a withdrawal's funds are set aside, one look per
// attempt; the server retries it, so that waiting adds nothing to the history.
func (b *Books) AwaitFunds(ctx context.Context, key order.Key) (order.Standing, error) {
	row, err := b.ledger.Reserve(ctx, key)
	if err != nil {
		return order.Standing{}, fmt.Errorf("reserve the funds of %s: %w", key, permanent(err))
	}
	if row.State == order.AwaitingFunds {
		wait := b.settings.PollLadder.Step(int(activity.GetInfo(ctx).Attempt))
		return order.Standing{}, later(ErrorPending, "the balance does not cover it yet", wait)
	}
	return row.Standing, nil
}

// FailFunds ends a withdrawal that waited for funds in vain.
func (b *Books) FailFunds(ctx context.Context, key order.Key) (order.Standing, error) {
	row, err := b.ledger.FailFunds(ctx, key)
	if err != nil {
		return order.Standing{}, fmt.Errorf("fail %s without funds: %w", key, permanent(err))
	}
	return row.Standing, nil
}

// RejectUnanswered ends an order that nobody approved in time.
func (b *Books) RejectUnanswered(ctx context.Context, key order.Key) (order.Standing, error) {
	row, err := b.ledger.RejectUnanswered(ctx, key)
	if err != nil {
		return order.Standing{}, fmt.Errorf("reject %s, which nobody approved: %w", key, permanent(err))
	}
	return row.Standing, nil
}
