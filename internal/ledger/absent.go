package ledger

import (
	"context"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// RefuseAbsent fails an order and releases its reservation. The gateway refused
// the order's create with an answer that proves nothing by itself, and a later
// query proved that the gateway does not have the order. asked is the number of
// attempts that the query covers.
//
// Errors: ErrNotFound; ErrState when the order has more attempts than asked, or is
// no longer in a state in which it may be sent.
func (l *Ledger) RefuseAbsent(ctx context.Context, key order.Key, asked int, reason order.Reason) (order.Order, error) {
	reason.Text = sanitizeText(reason.Text)
	return l.change(ctx, key, func(t tx, h *held) error {
		if h.attempts != asked {
			return fmt.Errorf("%w: %d attempts are on record, and %d were asked about", ErrState, h.attempts, asked)
		}
		if !rules.Sendable(h.State) {
			return fmt.Errorf("%w: order %s is %s", ErrState, h.Key(), h.State)
		}
		_, err := t.settle(ctx, h, rules.Finding{
			Source: rules.FromQuery, Verdict: rules.Unpaid, Evidence: "not found after the grace", Reason: reason,
		}, "", "")
		return err
	})
}
