package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// A fault that hits every call of a merchant (its key, its address, its
// signature, its account) is not an order's fault. It trips the merchant's
// breaker: nothing more is submitted, queries go on, a person is told. One
// worker at a time probes with a question that moves no money; the first that
// is answered closes the breaker.

// held says whether submitting is held back, why, and when to look again.
func (g *Gateway) held(ctx context.Context, merchant string) (reason order.Reason, wait time.Duration, err error) {
	breaker, open, err := g.ledger.Breaker(ctx, merchant)
	if err != nil || !open {
		return order.Reason{}, 0, err
	}
	reason = order.Reason{Code: order.CodeGatewayPaused, Text: breaker.Reason.Text}
	claimed, wait, err := g.ledger.ClaimProbe(ctx, merchant, g.settings.BreakerProbe)
	if err != nil || !claimed {
		return reason, wait, err
	}
	client, configured := g.clients[merchant]
	if !configured {
		return reason, g.settings.BreakerProbe, nil
	}
	if !answered(ctx, client) {
		return reason, g.settings.BreakerProbe, nil
	}
	if err := g.ledger.Reset(ctx, merchant); err != nil {
		return reason, g.settings.BreakerProbe, fmt.Errorf("close the breaker of %s: %w", merchant, err)
	}
	activity.GetLogger(ctx).Info("The gateway takes the merchant's calls again: submitting goes on", "merchant", merchant)
	return order.Reason{}, 0, nil
}

// answered asks for the balance: the cheapest question that needs everything
// that a create needs, and moves nothing.
func answered(ctx context.Context, client *tarspay.Client) bool {
	_, err := client.Balance(ctx)
	return err == nil
}

// trip opens the merchant's breaker.
func (g *Gateway) trip(ctx context.Context, merchant string, reason order.Reason) error {
	activity.GetLogger(ctx).Error("The gateway refuses every call of a merchant: submitting is held back", "merchant", merchant, "reason", reason.Text)
	if err := g.ledger.Trip(ctx, merchant, reason, g.settings.BreakerProbe); err != nil {
		return fmt.Errorf("open the breaker of %s: %w", merchant, err)
	}
	return nil
}
