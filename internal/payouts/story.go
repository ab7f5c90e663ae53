package payouts

import (
	"context"
	"errors"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/worklist"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Story is what happened to an order, from its beginning.
type Story struct {
	Order  *order.View      `json:"order"` // null for a number that the ledger does not have
	Events []worklist.Event `json:"events"`
}

// Story tells what happened to an order. It also tells what is known of a number that the
// ledger does not have; ORDER_NOT_FOUND says that this is nothing.
func (s *Service) Story(ctx context.Context, actor Actor, key order.Key) (told Story, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		story, err := l.Story(ctx, key)
		if errors.Is(err, ledger.ErrNotFound) {
			return s.unrecorded(ctx, actor, key)
		}
		if err != nil {
			return err
		}
		told.Events = worklist.Tell(story)
		if story.Order != nil {
			view := story.Order.View(story.Order.Standing)
			told.Order = &view
		}
		return nil
	})
	return told, err
}
