package payouts

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Resolved is an order that was resolved, or whose resolution was proposed.
type Resolved struct {
	Order
	Pending bool `json:"pending"` // nothing is booked yet: a second person has to confirm it
}

// Resolve ends an order in review, with evidence. It calls resolution with the
// order's country, because amounts are in that country's currency. It sets the
// actor and an idempotency key.
func (s *Service) Resolve(
	ctx context.Context, actor Actor, key order.Key, resolution func(country string) (order.Resolution, error),
) (Resolved, error) {
	answer, _, err := s.act(ctx, actor, key, func(at target) (order.Action, error) {
		decision, err := resolution(at.view.Country)
		decision.ID, decision.By = NewActionID(), actor.Name
		return decision, err
	})
	return Resolved{answer, answer.Order.State == order.InReview}, err
}

// ReviewEnds lists the states that an order in review can be resolved to.
func ReviewEnds() []order.State {
	var ends []order.State
	for _, state := range order.States() {
		if rules.CanMove(order.Deposit, order.InReview, state) || rules.CanMove(order.Withdrawal, order.InReview, state) {
			ends = append(ends, state)
		}
	}
	return ends
}
