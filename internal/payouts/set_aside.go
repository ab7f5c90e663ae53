package payouts

import (
	"context"
	"errors"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Callback is a callback without its content, which may have personal data.
type Callback struct {
	ID       string             `json:"id"`
	Key      order.Key          `json:"key"`
	Status   ledger.InboxStatus `json:"status"`
	Received int                `json:"received"` // how many times it came
	FirstAt  time.Time          `json:"first_at"`
	LastAt   time.Time          `json:"last_at"`
}

// SetCallbackAside removes a callback that cannot be processed from the queue. It
// moves no money. The error is CALLBACK_NOT_FOUND if there is no callback with the
// id, and CALLBACK_NOT_UNMATCHED if it has an order or was dealt with before.
func (s *Service) SetCallbackAside(ctx context.Context, actor Actor, id, why string) (Callback, error) {
	if !order.IsNumber(id) {
		return Callback{}, &order.Invalid{Problems: []order.Problem{*problem(order.ProblemNumber, "id", "a callback's id is 64 letters and digits")}}
	}
	return decide(ctx, s, func(ctx context.Context, l Ledger) (Callback, *order.Refusal, error) {
		entry, refusal, err := l.SetCallbackAside(ctx, id, actor.Name, why)
		if errors.Is(err, ledger.ErrNotFound) {
			refusal, err = order.Refuse(CodeNoCallback, "there is no callback %s", id), nil
		}
		return Callback{entry.ID, entry.Key(), entry.Status, entry.Received, entry.FirstAt, entry.LastAt}, refusal, err
	})
}
