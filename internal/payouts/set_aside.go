package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Callback is a callback without its content, which may have personal data.
type Callback = ledger.CallbackSummary

// SetCallbackAside removes a callback that cannot be processed from the queue. It
// moves no money. The error is CALLBACK_NOT_FOUND if there is no callback with the
// id, and CALLBACK_NOT_UNMATCHED if it has an order or was dealt with before.
func (s *Service) SetCallbackAside(ctx context.Context, actor Actor, id, why string) (Callback, error) {
	if !order.IsNumber(id) {
		return Callback{}, &order.Invalid{Problems: []order.Problem{*problem(order.ProblemNumber, "id", "a callback's id is 64 letters and digits")}}
	}
	return actOnBooks[Callback](ctx, s, UseQueue, order.Key{}, order.BookAction{Who: who(actor, why), SetAside: &order.CallbackRef{Callback: id}})
}
