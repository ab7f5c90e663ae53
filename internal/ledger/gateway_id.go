package ledger

import (
	"context"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/order"
)

// GatewayOrder is the order that one of the gateway's own orders belongs to.
// ErrNotFound if it belongs to none.
func (l *Ledger) GatewayOrder(ctx context.Context, merchant, gatewayID string) (order.Key, error) {
	key := order.Key{Merchant: merchant}
	err := l.db.Get(ctx, &key.Number, "SELECT number FROM orders WHERE merchant = ? AND gateway_id = ? AND gateway_id <> ''",
		fitKey(merchant), fitKey(gatewayID))
	if err != nil {
		return order.Key{}, fmt.Errorf("ledger: %w", missing(err, "gateway order %s of %s", gatewayID, merchant))
	}
	return key, nil
}

// ownerOf is the number of the other order that the gateway's belongs to; empty
// if there is none. An order that has an id of the gateway's is compared with
// that instead.
func (t tx) ownerOf(ctx context.Context, h *held, gatewayID string) (string, error) {
	if gatewayID == "" || h.GatewayID != "" {
		return "", nil
	}
	var numbers []string
	err := t.List(ctx, &numbers, "SELECT number FROM orders WHERE merchant = ? AND gateway_id = ? AND gateway_id <> '' AND id <> ?",
		h.Merchant, gatewayID, h.id)
	if err != nil || len(numbers) == 0 {
		return "", err
	}
	return numbers[0], nil
}

// share is about an order for which the gateway names an order of its own that
// belongs to another one of ours. What it says of that is no proof of this one:
// nothing is booked, what is reserved stays reserved, a discrepancy names both,
// and an order that may be at the gateway is handed to a person.
func (t tx) share(ctx context.Context, h *held, gatewayID, owner string) (Settlement, error) {
	reason := order.Reason{
		Code: order.DiscrepancyShared,
		Text: fmt.Sprintf("the gateway names its order %s for order %s, and that belongs to order %s", gatewayID, h.Number, owner),
	}
	settlement := Settlement{Discrepancy: reason.Code}
	if err := t.discrepancy(ctx, h, reason.Code, gatewayID, reason.Text); err != nil || !order.CanMove(h.Kind, h.State, order.InReview) {
		return settlement, err
	}
	h.Reason, settlement.Moved = reason, true
	return settlement, t.move(ctx, h, order.InReview, entry{action: ActionReview, source: FromReview, reason: reason})
}
