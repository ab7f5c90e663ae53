package payouts

import (
	"context"
	"slices"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Stop is a stop as the ledger has it.
type Stop = ledger.Stop

// Stop stops the withdrawals of a merchant, of a country or of everybody. What is at
// the gateway goes on. The codes are UNKNOWN_MERCHANT, UNKNOWN_COUNTRY and those of
// ledger.StopPayouts.
func (s *Service) Stop(ctx context.Context, actor Actor, scope order.StopScope, why string) (Stop, error) {
	action := order.BookAction{Who: who(actor, why), Stop: &scope}
	if refusal := action.Check(); refusal != nil {
		return Stop{}, refusal
	}
	if _, known := tarspay.Country(scope.Country); scope.Country != "" && !known {
		return Stop{}, order.Refuse(order.ProblemCountry, "%s", NoSuchCountry(scope.Country))
	}
	if scope.Merchant != "" {
		if err := s.checkMerchants(ctx, []string{scope.Merchant}); err != nil {
			return Stop{}, err
		}
	}
	return actOnBooks[Stop](ctx, s, UseQueue, order.Key{}, action)
}

// Resume ends the stop of the scope. The first person's call is a proposal; a second
// person's ends it. The codes are those of ledger.ResumePayouts.
func (s *Service) Resume(ctx context.Context, actor Actor, scope order.StopScope, why string) (Stop, error) {
	stops, err := s.Stops(ctx, actor)
	if err != nil {
		return Stop{}, err
	}
	i := slices.IndexFunc(stops, func(stop Stop) bool { return stop.StopScope == scope })
	if i < 0 {
		return Stop{}, order.Refuse(ledger.CodeStopNotFound, "no stop of %s is in force", scope)
	}
	acting, err := s.whoSigns(actor, why, envelope.ActionResume, func(who order.Who) envelope.Envelope {
		return envelope.Resume(who, scope, stops[i].ID, actor.Signing.Origin, s.parts.Now(), signedLife)
	})
	if err != nil {
		return Stop{}, err
	}
	return actOnBooks[Stop](ctx, s, UseQueue, order.Key{}, order.BookAction{Who: acting, Resume: &order.StopRef{Stop: stops[i].ID}})
}

// Stops lists the stops that are in force, the oldest first.
func (s *Service) Stops(ctx context.Context, _ Actor) (stops []Stop, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		stops, err = l.Stops(ctx)
		return err
	})
	return stops, err
}
