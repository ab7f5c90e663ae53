package payouts

import (
	"context"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/order"
)

// How long a use case waits for what. Somebody waits for its answer.
const (
	callTime = 15 * time.Second // one call that needs no gateway
	askTime  = 5 * time.Second  // one question to an order's workflow, which needs a worker
)

// inLedger does one thing with the ledger, which has to answer in time.
func (s *Service) inLedger(ctx context.Context, do func(context.Context, Ledger) error) error {
	l, err := s.parts.Ledger(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return do(ctx, l)
}

// decide does one thing with the ledger that the ledger may refuse and audits.
func decide[T any](ctx context.Context, s *Service, do func(context.Context, Ledger) (T, *order.Refusal, error)) (T, error) {
	var done T
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		result, refusal, err := do(ctx, l)
		if err == nil && refusal != nil {
			return refusal
		}
		done = result
		return err
	})
	return done, err
}

// within bounds a call that waits for a worker or longer. The context is cancelled when
// its time is over and has no deadline: gRPC would tell the server of one, which then
// breaks the call a moment early in words of its own.
func within(ctx context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(patience, cancel)
	return bounded, func() {
		timer.Stop()
		cancel()
	}
}

// late says in our words that the time given by within is over, which the SDK says in
// several ways. Other errors pass.
func late(bounded context.Context, err error, format string, values ...any) error {
	if err == nil || bounded.Err() == nil {
		return err
	}
	return order.Refuse(client.CodeNoAnswer, format, values...)
}
