package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/worklist"
)

// Kinds of items whose id is also in their text.
const (
	QueueApproval = ledger.QueueApproval
	QueueDrift    = ledger.QueueDrift
)

// QueuePage is what needs a person, oldest first.
type QueuePage struct {
	Queue []worklist.Item `json:"queue"`
	More  bool            `json:"more"` // there are more than the limit
}

// Queue lists everything that needs a person, oldest first.
func (s *Service) Queue(ctx context.Context, _ Actor, limit int) (QueuePage, error) {
	found := QueuePage{Queue: []worklist.Item{}}
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		due, more, err := page(limit, func(limit int) ([]ledger.Due, error) {
			return l.NeedsPerson(ctx, s.parts.UnknownAlarm, limit)
		})
		for _, item := range due {
			found.Queue = append(found.Queue, worklist.Say(item))
		}
		found.More = more
		return err
	})
	return found, err
}
