package payouts

import (
	"context"
	"errors"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/worklist"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Story is all events of an order, oldest first.
type Story struct {
	Order  *order.View          `json:"order"` // null for a number that the ledger does not have
	Events []worklist.Happening `json:"events"`
}

// Story returns the events of an order. For a number that the ledger does not
// have, it returns the events with that number. The error is ORDER_NOT_FOUND if
// there are none.
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
