package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// AwaitFunds tries once per attempt to reserve a withdrawal's funds. Temporal
// retries it until the balance covers the order, so that waiting adds no history
// events.
func (b *Books) AwaitFunds(ctx context.Context, key order.Key) (order.Standing, error) {
	row, err := b.ledger.Reserve(ctx, key)
	standing, err := b.standingAfter(ctx, key, "reserve the funds of", row, err)
	if err == nil && standing.State == order.AwaitingFunds {
		wait := b.settings.PollLadder.Step(int(activity.GetInfo(ctx).Attempt))
		return order.Standing{}, later(ErrorPending, "the balance does not cover it yet", wait)
	}
	return standing, err
}

// Expired holds the order's standing at a deadline. Left is the time until the
// recorded deadline, if the ledger's clock has not reached it.
type Expired struct {
	order.Standing
	Left    time.Duration `json:"left,omitempty"`
	Unasked bool          `json:"unasked,omitempty"` // the gateway must be queried before the order is ended
}

func expired(row order.Order, standing order.Standing, left time.Duration) Expired {
	return Expired{Standing: standing, Left: left, Unasked: left <= 0 && rules.Unasked(row)}
}

// AskFirst finds out whether the gateway has an order that waits for an approval
// or for funds. It is used when the ledger may be a restored copy that is older
// than a create. If the gateway has the order, it is booked as sent. Temporal
// retries AskFirst until the answer is certain.
func (g *Gateway) AskFirst(ctx context.Context, key order.Key) (Sending, error) {
	row, earlier, err := g.read(ctx, key)
	if err != nil || !rules.Unasked(row) {
		return Sending{Standing: row.Standing, Sent: ledger.Sent(earlier)}, err
	}
	if err := g.checkConfigured(ctx, row.Merchant, row.Country); err != nil {
		return Sending{}, err
	}
	looked, err := g.lookUp(ctx, row, earlier)
	switch {
	case err != nil:
		return Sending{}, err
	case looked.found:
		return Sending{Standing: looked.standing, Sent: true}, nil
	case !looked.absent:
		wait := max(looked.wait, g.settings.RetryLadder.Step(int(activity.GetInfo(ctx).Attempt)))
		text := "it is not yet known whether the gateway has the order"
		if why := looked.standing.Reason.Text; why != "" {
			text += ": " + why
		}
		return Sending{}, later(ErrorPending, text, wait)
	}
	row, err = g.ledger.RecordAbsent(ctx, key, row.AskFirst)
	if err != nil {
		return Sending{}, fmt.Errorf("record that the gateway does not have %s: %w", key, err)
	}
	return Sending{Standing: row.Standing}, nil
}

// Release releases a scheduled order whose time has come, by the ledger's clock, and
// returns what Look returns. Before that time the plan has the time left.
func (b *Books) Release(ctx context.Context, key order.Key) (Opened, error) {
	row, _, err := b.ledger.Release(ctx, key, b.settings.Policy)
	if errors.Is(err, ledger.ErrState) {
		activity.GetLogger(ctx).Error("The order's state does not allow its release", "order", key.String(), "error", err)
		return b.Look(ctx, key)
	}
	if err != nil {
		return Opened{}, fmt.Errorf("release %s: %w", key, permanent(err))
	}
	return b.look(ctx, row)
}

// FailFunds fails a withdrawal whose funds did not come by its deadline.
func (b *Books) FailFunds(ctx context.Context, key order.Key) (Expired, error) {
	row, left, err := b.ledger.FailFunds(ctx, key, b.settings.FundsDeadline)
	standing, err := b.standingAfter(ctx, key, "fail without funds", row, err)
	return expired(row, standing, left), err
}

// RejectUnanswered rejects an order that nobody approved by its deadline.
func (b *Books) RejectUnanswered(ctx context.Context, key order.Key) (Expired, error) {
	row, left, err := b.ledger.RejectUnanswered(ctx, key)
	standing, err := b.standingAfter(ctx, key, "reject without an approval", row, err)
	return expired(row, standing, left), err
}
