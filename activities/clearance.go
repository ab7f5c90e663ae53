package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/ledger"
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
	Left    time.Duration `json:"left,omitempty"`
	Unasked bool          `json:"unasked,omitempty"` // it is not ended before the gateway was asked
}

func expired(row order.Order, standing order.Standing, left time.Duration) Expired {
	return Expired{Standing: standing, Left: left, Unasked: left <= 0 && row.Unasked()}
}

// AskFirst goes on until it is known whether the gateway has an order that waits
// for an approval or for funds, although what is on record may be older than what
// was done. An order that the gateway has goes on from there. The server retries it.
func (g *Gateway) AskFirst(ctx context.Context, key order.Key) (Sending, error) {
	row, earlier, err := g.read(ctx, key)
	if err != nil || !row.Unasked() {
		return Sending{Standing: row.Standing, Sent: ledger.Sent(earlier)}, err
	}
	if err := g.lacks(ctx, row.Merchant, row.Country); err != nil {
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
		text := "it is not known yet whether the gateway has the order"
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

// FailFunds ends a withdrawal that waited for funds in vain.
func (b *Books) FailFunds(ctx context.Context, key order.Key) (Expired, error) {
	row, left, err := b.ledger.FailFunds(ctx, key, b.settings.FundsDeadline)
	standing, err := b.stands(ctx, key, "fail without funds", row, err)
	return expired(row, standing, left), err
}

// RejectUnanswered ends an order that nobody approved in time.
func (b *Books) RejectUnanswered(ctx context.Context, key order.Key) (Expired, error) {
	row, left, err := b.ledger.RejectUnanswered(ctx, key)
	standing, err := b.stands(ctx, key, "reject without an approval", row, err)
	return expired(row, standing, left), err
}
