package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/order"
)

// AwaitFunds goes on until a withdrawal's funds are set aside, one look per
// attempt; the server retries it, so that waiting adds nothing to the history.
func (b *Books) AwaitFunds(ctx context.Context, key order.Key) (order.Standing, error) {
	row, err := b.ledger.Reserve(ctx, key)
	standing, err := b.stands(ctx, key, "reserve the funds of", row, err)
	if err == nil && standing.State == order.AwaitingFunds {
		wait := b.settings.PollLadder.Step(int(activity.GetInfo(ctx).Attempt))
		return order.Standing{}, later(ErrorPending, "the balance does not cover it yet", wait)
	}
	return standing, err
}

// Expired is where an order stands at a deadline, and what is left when the
// ledger's clock has not reached the deadline on record.
type Expired struct {
	order.Standing
	Left time.Duration `json:"left,omitempty"`
}

// FailFunds ends a withdrawal that waited for funds in vain.
func (b *Books) FailFunds(ctx context.Context, key order.Key) (Expired, error) {
	row, left, err := b.ledger.FailFunds(ctx, key, b.settings.FundsDeadline)
	standing, err := b.stands(ctx, key, "fail without funds", row, err)
	return Expired{Standing: standing, Left: left}, err
}

// RejectUnanswered ends an order that nobody approved in time.
func (b *Books) RejectUnanswered(ctx context.Context, key order.Key) (Expired, error) {
	row, left, err := b.ledger.RejectUnanswered(ctx, key)
	standing, err := b.stands(ctx, key, "reject without an approval", row, err)
	return Expired{Standing: standing, Left: left}, err
}
