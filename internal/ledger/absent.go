package ledger

import (
	"context"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/order"
)

// RefuseAbsent ends an order whose create was refused in words that are no
// proof by themselves, now that the gateway was asked about so many attempts
// and is proved not to have it: it becomes failed, and what it has reserved is
// released.
//
// Errors: ErrNotFound; ErrState when there has been another attempt since,
// which nobody has asked about, or when the order has moved on.
func (l *Ledger) RefuseAbsent(ctx context.Context, key order.Key, asked int, reason order.Reason) (order.Order, error) {
	reason.Text = fit(reason.Text)
	return l.change(ctx, key, func(t tx, h *held) error {
		if h.attempts != asked {
			return fmt.Errorf("%w: %d attempts are on record, and %d were asked about", ErrState, h.attempts, asked)
		}
		if !h.State.Sendable() {
			return fmt.Errorf("%w: order %s is %s", ErrState, h.Key(), h.State)
		}
		_, err := t.settle(ctx, h, order.Finding{
			Source: order.FromQuery, Verdict: order.Unpaid, Evidence: "not found after the grace", Reason: reason,
		}, "")
		return err
	})
}
