package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// A fault of every call of a merchant (its key, address, signature or account) is
// no fault of an order. It opens the merchant's circuit breaker: no create is
// sent, queries continue, and the queue shows it to a person. One worker at a time
// probes: with a query that moves no money and, if that is answered, with the create of
// one order, because a gateway may refuse creates only. A create that is not refused in
// the same way closes the breaker. Until then the breaker stays open, so that its time is
// that of the first refusal.

// heldBack returns why no create of the order is sent, and when to check again. The
// reason is empty if nothing holds it back; probe is as of breakerOpen.
func (g *Gateway) heldBack(ctx context.Context, row order.Order) (reason order.Reason, wait time.Duration, probe bool, err error) {
	stop, breaker, err := g.ledger.HeldBack(ctx, row.Key())
	switch {
	case err != nil:
		return order.Reason{}, 0, false, fmt.Errorf("find out whether %s is held back: %w", row.Key(), err)
	case stop != nil && stop.Unproven != "":
		return order.Reason{Code: codes.StopUnproven, Text: stop.Text()}, g.settings.BreakerProbe, false, g.tellUnproven(ctx, row.Merchant, *stop)
	case stop != nil:
		return order.Reason{Code: codes.WithdrawalsStopped, Text: stop.Text()}, g.settings.BreakerProbe, false, nil
	case breaker:
		return g.breakerOpen(ctx, row.Merchant)
	}
	return order.Reason{}, 0, false, nil
}

// tellUnproven opens a discrepancy of the merchant for a stop whose end is not proved. A process
// does so once.
func (g *Gateway) tellUnproven(ctx context.Context, merchant string, stop ledger.Stop) error {
	told := [2]string{merchant, stop.UnprovenEnd()}
	if _, before := g.told.LoadOrStore(told, true); before {
		return nil
	}
	activity.GetLogger(ctx).Error("A stop has ended in its row only: withdrawals are held back as before", "stop", stop.ID, "why", stop.Unproven)
	if err := g.ledger.OpenDiscrepancy(ctx, order.Key{Merchant: merchant}, codes.StopUnproven, stop.UnprovenEnd()); err != nil {
		g.told.Delete(told)
		return fmt.Errorf("tell that the end of stop %d is not proved: %w", stop.ID, err)
	}
	return nil
}

// breakerOpen returns the reason if the merchant's breaker is open, and when to
// check again. If a probe is due and the query is answered, it returns no reason, and
// probe is true: the caller sends one create, and calls probed with the outcome.
func (g *Gateway) breakerOpen(ctx context.Context, merchant string) (reason order.Reason, wait time.Duration, probe bool, err error) {
	breaker, open, err := g.ledger.Breaker(ctx, merchant)
	if err != nil || !open {
		return order.Reason{}, 0, false, err
	}
	reason = order.Reason{Code: order.CodeGatewayPaused, Text: breaker.Reason.Text}
	claimed, wait, err := g.ledger.ClaimProbe(ctx, merchant, g.settings.BreakerProbe)
	if err != nil || !claimed {
		return reason, wait, false, err
	}
	client, configured := g.clients[merchant]
	if !configured || !answers(ctx, client) {
		return reason, g.settings.BreakerProbe, false, nil
	}
	return order.Reason{}, 0, true, nil
}

// probed closes the breaker after the create of a probe, unless the outcome says nothing
// about whether the gateway takes creates again.
func (g *Gateway) probed(ctx context.Context, merchant string, outcome ledger.Outcome) error {
	if outcome == ledger.Paused || outcome == ledger.Unsent {
		return nil
	}
	if err := g.ledger.Reset(ctx, merchant); err != nil {
		return fmt.Errorf("close the breaker of %s: %w", merchant, err)
	}
	activity.GetLogger(ctx).Info("The gateway accepts the merchant's calls again: orders are sent", "merchant", merchant)
	return nil
}

// answers queries the balance: the cheapest call that uses the same key, address and
// signature as a create. It reports whether the gateway answered.
func answers(ctx context.Context, client *tarspay.Client) bool {
	_, err := client.Balance(ctx)
	return err == nil
}

// trip opens the merchant's breaker.
func (g *Gateway) trip(ctx context.Context, merchant string, reason order.Reason) error {
	activity.GetLogger(ctx).Error("The gateway refuses every call of a merchant: no order is sent", "merchant", merchant, "reason", reason.Text)
	if err := g.ledger.Trip(ctx, merchant, reason, g.settings.BreakerProbe); err != nil {
		return fmt.Errorf("open the breaker of %s: %w", merchant, err)
	}
	return nil
}
