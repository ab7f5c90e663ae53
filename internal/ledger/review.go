package ledger

import (
	"context"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Review sets an order to in_review, so that a person resolves it. The reservation
// is kept. An order that is in review or has ended is returned unchanged.
//
// Errors: ErrNotFound; ErrState for an order that was never sent.
func (l *Ledger) Review(ctx context.Context, key order.Key, reason order.Reason) (order.Order, error) {
	reason.Text = sanitizeText(reason.Text)
	var result order.Order
	err := l.inTx(ctx, func(t tx) error {
		h, err := t.lockOrder(ctx, key)
		if err != nil {
			return err
		}
		if h.State != order.InReview && !h.State.Terminal() {
			h.Reason = reason
			err = t.move(ctx, &h, order.InReview, entry{action: ActionReview, source: FromReview, reason: reason})
		}
		result = h.Order
		return err
	})
	if err != nil {
		return order.Order{}, fmt.Errorf("ledger: review %s: %w", key, err)
	}
	return result, nil
}
