package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Story is everything that is stored about an order number. Package worklist
// writes its text.
type Story struct {
	Order         *order.Order  // nil: there is no such order
	Callbacks     []InboxEntry  // oldest first
	Submissions   []Submission  // oldest first
	Audit         []AuditEntry  // oldest first
	Discrepancies []Discrepancy // newest first, at most MaxPage
	Transfers     []Transfer    // oldest first
	LateFees      []LateFee     // oldest first
}

// Story reads everything that is stored about an order number. ErrNotFound if
// nothing is.
func (l *Ledger) Story(ctx context.Context, key order.Key) (Story, error) {
	story, err := l.story(ctx, key)
	if err != nil {
		return Story{}, fmt.Errorf("ledger: story of %s: %w", key, err)
	}
	if story.Order == nil && len(story.Callbacks)+len(story.Submissions)+len(story.Audit)+len(story.Discrepancies)+len(story.Transfers) == 0 {
		return Story{}, fmt.Errorf("ledger: story: %w: order %s", ErrNotFound, key)
	}
	return story, nil
}

func (l *Ledger) story(ctx context.Context, key order.Key) (s Story, err error) {
	switch row, err := l.Order(ctx, key); {
	case err == nil:
		s.Order = &row
	case !errors.Is(err, ErrNotFound):
		return s, err
	}
	if s.Callbacks, err = l.Callbacks(ctx, key); err != nil {
		return s, err
	}
	if s.Submissions, err = l.Submissions(ctx, key); err != nil {
		return s, err
	}
	if s.Audit, err = l.Audit(ctx, key); err != nil {
		return s, err
	}
	if s.Discrepancies, err = l.Discrepancies(ctx, DiscrepancyFilter{Merchant: key.Merchant, Number: key.Number, Limit: MaxPage}); err != nil {
		return s, err
	}
	if s.Transfers, err = l.Transfers(ctx, key); err != nil {
		return s, err
	}
	s.LateFees, err = l.LateFees(ctx, key)
	return s, err
}
