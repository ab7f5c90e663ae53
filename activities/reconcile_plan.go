package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TransactionsPlan says which merchants' transactions to compare, and for which
// time. The zero value means all merchants, from the end of each one's last
// comparison until ReconcileLag ago.
type TransactionsPlan struct {
	Merchants []string  `json:"merchants,omitempty"`
	From      time.Time `json:"from,omitzero"`
	To        time.Time `json:"to,omitzero"`
}

// PlanTransactions returns the spans to compare. A span ends at least ReconcileLag
// ago, because younger transactions may be missing in the gateway's history or in
// the ledger.
func (b *Books) PlanTransactions(ctx context.Context, plan TransactionsPlan) ([]contract.TransactionSpan, error) {
	merchants := plan.Merchants
	if len(merchants) == 0 {
		var err error
		if merchants, err = b.Merchants(ctx); err != nil {
			return nil, err
		}
	}
	spans := make([]contract.TransactionSpan, 0, len(merchants))
	for _, merchant := range slices.Compact(slices.Sorted(slices.Values(merchants))) {
		span, err := b.span(ctx, merchant, plan)
		if err != nil {
			return nil, fmt.Errorf("plan the transactions of %s: %w", merchant, err)
		}
		spans = append(spans, span)
	}
	return spans, nil
}

func (b *Books) span(ctx context.Context, merchant string, plan TransactionsPlan) (contract.TransactionSpan, error) {
	now, err := b.ledger.Now(ctx)
	if err != nil {
		return contract.TransactionSpan{}, err
	}
	span := contract.TransactionSpan{Merchant: merchant, Began: now.UTC().Truncate(time.Millisecond), From: plan.From, To: now.Add(-b.settings.ReconcileLag)}
	if !plan.To.IsZero() && plan.To.Before(span.To) {
		span.To = plan.To
	}
	profile, known := tarspay.Country(b.settings.Merchants[merchant])
	if !known {
		span.Problem = order.CodeUnknownMerchant + ": the merchant is not configured on this worker"
		return span, nil
	}
	span.History = profile.HasEndpoint(tarspay.OperationHistory)
	opened, err := b.ledger.BooksOpened(ctx, merchant)
	if err != nil {
		return span, err
	}
	if opened.IsZero() {
		span.Problem = "its books are not open; they open with its first comparison of balances"
		return span, nil
	}
	if span.From.IsZero() {
		if span.From, err = b.ledger.Reconciled(ctx, merchant); err != nil {
			return span, err
		}
		if span.First = span.From.IsZero(); span.First {
			span.From = latest(opened, span.To.Add(-b.settings.ReconcileLookback))
		}
	}
	// The gateway's times have whole seconds.
	span.From, span.To = span.From.Truncate(time.Second).UTC(), span.To.Truncate(time.Second).UTC()
	if span.From.After(span.To) {
		span.From = span.To
	}
	span.Again = span.To.Add(-b.settings.ReconcileLookback)
	if span.First {
		span.Again = span.From // no order has been queried yet
	}
	return span, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// MarkTransactions records that a window has been compared. The next comparison
// continues after it.
func (b *Books) MarkTransactions(ctx context.Context, window TransactionWindow, first bool) error {
	return b.ledger.MarkReconciled(ctx, window.Merchant, window.From, window.To, first)
}

// ReportUnmatched opens a discrepancy for every callback whose order is still
// unknown after ReconcileLag.
func (b *Books) ReportUnmatched(ctx context.Context, merchant string) error {
	var last ledger.InboxEntry
	now, err := b.ledger.Now(ctx)
	if err != nil {
		return err
	}
	before := now.Add(-b.settings.ReconcileLag)
	for {
		entries, err := b.ledger.UnmatchedBefore(ctx, merchant, before, last)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			err := b.ledger.OpenDifference(ctx, reconcile.Difference{
				Key: entry.Key(), Code: codes.DiscrepancyUnmatched, Mark: entry.ID,
				Detail: fmt.Sprintf("callback %s about a %s of %s %s that we do not have: %s", entry.ID,
					entry.Callback.Direction, entry.Callback.OrderAmount, entry.Callback.Currency, entry.Callback.State),
			})
			if err != nil {
				return err
			}
			activity.RecordHeartbeat(ctx)
			last = entry
		}
		if len(entries) < ledger.MaxPage {
			return nil
		}
	}
}

// CountFindings counts the open discrepancies that the comparison of a merchant's
// transactions has found since the given time. Each counts once.
func (b *Books) CountFindings(ctx context.Context, merchant string, since time.Time) ([]order.DiscrepancyCount, error) {
	return b.ledger.SeenDiscrepancies(ctx, merchant, since)
}
