package ledger

import (
	"context"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// ownerByGatewayID is the query for the number of the order that has a merchant's gateway id.
const ownerByGatewayID = "SELECT o.number FROM gateway_ids i JOIN orders o ON o.id = i.order_id WHERE i.merchant = ? AND i.gateway_id = ?"

// GatewayOrder returns the key of the order that has the gateway id. ErrNotFound
// if there is none.
func (l *Ledger) GatewayOrder(ctx context.Context, merchant, gatewayID string) (order.Key, error) {
	key := order.Key{Merchant: merchant}
	err := l.db.Get(ctx, &key.Number, ownerByGatewayID,
		sanitizeKey(merchant), sanitizeKey(gatewayID))
	if err != nil {
		return order.Key{}, fmt.Errorf("ledger: %w", missing(err, "gateway order %s of %s", gatewayID, merchant))
	}
	return key, nil
}

// ownerOf returns the number of another order that has the gateway id, or "". It
// also returns "" if h has a gateway id: then mismatch compares the two ids.
func (t tx) ownerOf(ctx context.Context, h *held, gatewayID string) (string, error) {
	if gatewayID == "" || h.GatewayID != "" {
		return "", nil
	}
	var numbers []string
	var err error
	switch {
	case gatewayID != h.asked:
		err = t.List(ctx, &numbers, ownerByGatewayID+" AND o.id <> ?", h.Merchant, gatewayID, h.id)
	case h.owner != "":
		numbers = []string{h.owner}
	}
	if err != nil || len(numbers) == 0 {
		return "", err
	}
	return numbers[0], nil
}

// reviewSharedID handles a finding whose gateway id another order has. Such a finding
// proves nothing about this order: nothing is booked, and the reservation is kept.
// It opens a discrepancy that names both orders. An order that may be at the
// gateway becomes in_review.
func (t tx) reviewSharedID(ctx context.Context, h *held, gatewayID, owner string) (Settlement, error) {
	reason := order.Reason{
		Code: codes.DiscrepancyShared,
		Text: fmt.Sprintf("the gateway names its order %s for order %s, and that belongs to order %s", gatewayID, h.Number, owner),
	}
	settlement := Settlement{Discrepancy: reason.Code}
	if err := t.discrepancy(ctx, h, reason.Code, gatewayID, reason.Text); err != nil || !rules.CanMove(h.Kind, h.State, order.InReview) {
		return settlement, err
	}
	h.Reason, settlement.Moved = reason, true
	return settlement, t.move(ctx, h, order.InReview, entry{action: ActionReview, source: FromReview, reason: reason})
}
