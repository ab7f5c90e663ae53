package payouts

import (
	"context"
	"errors"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Callback is a callback without its content, which may name people.
type Callback struct {
	ID       string             `json:"id"`
	Key      order.Key          `json:"key"`
	Status   ledger.InboxStatus `json:"status"`
	Received int                `json:"received"` // how many times it came
	FirstAt  time.Time          `json:"first_at"`
	LastAt   time.Time          `json:"last_at"`
}

// SetCallbackAside takes a callback off the queue that nobody can act on. It moves no
// money. CALLBACK_NOT_FOUND says that there is none of the id, CALLBACK_NOT_UNMATCHED
// that it has an order or was dealt with before.
func (s *Service) SetCallbackAside(ctx context.Context, actor Actor, id, why string) (Callback, error) {
	if !IsNumber(id) {
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
