package payouts

import (
	"context"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Time limits of use cases. They are short because a caller waits.
const (
	callTime = 15 * time.Second // one call that needs no gateway
	askTime  = 5 * time.Second  // one question to an order's workflow, which needs a worker
)

// inLedger runs do with the ledger and a time limit.
func (s *Service) inLedger(ctx context.Context, do func(context.Context, Ledger) error) error {
	l, err := s.parts.Ledger(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return do(ctx, l)
}

// within limits a call that waits for a worker. The context is cancelled when the
// time is over and has no deadline. gRPC would send a deadline to the server, and
// the server would end the call slightly earlier with another error.
func within(ctx context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(patience, cancel)
	return bounded, func() {
		timer.Stop()
		cancel()
	}
}

// late returns NO_ANSWER if the time given by within is over, because the SDK has
// several errors for that. It returns other errors unchanged.
func late(bounded context.Context, err error, format string, values ...any) error {
	if err == nil || bounded.Err() == nil {
		return err
	}
	return order.Refuse(client.CodeNoAnswer, format, values...)
}
