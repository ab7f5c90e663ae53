package activities

import (
	"context"
	"fmt"
	"slices"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Merchants lists the merchants that this installation serves, in order.
func (b *Books) Merchants(context.Context) ([]string, error) {
	merchants := make([]string, 0, len(b.settings.Merchants))
	for merchant := range b.settings.Merchants {
		merchants = append(merchants, merchant)
	}
	slices.Sort(merchants)
	return merchants, nil
}

// TakeSnapshot queries a merchant's balance at the gateway, compares it with the
// ledger's and stores both. It books an opening balance first if there is none. A
// booking during the query may or may not be in the gateway's answer; such a
// comparison proves nothing.
func (g *Gateway) TakeSnapshot(ctx context.Context, merchant string) (order.Snapshot, error) {
	if err := g.checkKnown(ctx, merchant); err != nil {
		return order.Snapshot{}, err
	}
	before, err := g.booked(ctx, merchant)
	if err != nil {
		return order.Snapshot{}, err
	}
	available, frozen, err := g.balance(ctx, merchant)
	if refused, is := refusesMerchant(err); is { // asking again changes nothing: a person must
		return order.Snapshot{}, nonRetryable(order.CodeGatewayPaused, refused)
	}
	if err != nil {
		return order.Snapshot{}, err
	}
	if err := g.ledger.HealBalance(ctx, merchant); err != nil {
		return order.Snapshot{}, err
	}
	if err := g.ledger.OpenBooks(ctx, merchant, available, frozen); err != nil {
		return order.Snapshot{}, fmt.Errorf("open the books of %s: %w", merchant, err)
	}
	snapshot, err := g.ledger.TakeSnapshot(ctx, merchant, available, frozen, before)
	if err != nil {
		return order.Snapshot{}, fmt.Errorf("snapshot of %s: %w", merchant, err)
	}
	return snapshot, nil
}

// checkKnown ends the comparison of a merchant that neither this worker nor the ledger
// knows: no worker can query its balance. One that the ledger knows may be of another
// worker, so its comparison is retried.
func (g *Gateway) checkKnown(ctx context.Context, merchant string) error {
	if _, here := g.settings.Merchants[merchant]; here {
		return nil
	}
	known, err := g.ledger.HasMerchant(ctx, merchant)
	if err != nil || known {
		return err
	}
	return nonRetryable(order.CodeUnknownMerchant, fmt.Errorf("merchant %s is not configured, and no worker has recorded it", merchant))
}

// booked returns the merchant's balance in the ledger before the query.
func (g *Gateway) booked(ctx context.Context, merchant string) (ledger.Booked, error) {
	profile, known := tarspay.Country(g.settings.Merchants[merchant])
	if !known {
		return ledger.Booked{}, nil // the balance query reports the error
	}
	return g.ledger.Booked(ctx, merchant, profile.Currency)
}
