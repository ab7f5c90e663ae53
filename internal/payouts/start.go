package payouts

import (
	"context"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/order"
)

// StartWithdrawal starts a withdrawal and returns at once. The same request under
// the same number is the same order. client.Start lists what is refused.
func (s *Service) StartWithdrawal(ctx context.Context, actor Actor, request order.Request) (client.Started, error) {
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return client.Started{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if request, err = s.request(actor, request); err != nil {
		return client.Started{}, err
	}
	return orders.Start(ctx, request)
}

// How long and how often FirstAnswer asks.
const (
	firstTime  = 3 * time.Second
	firstPause = 200 * time.Millisecond
)

// FirstAnswer returns the first result of an order that was just started. It asks
// the order's workflow for up to three seconds, until the order has left its first
// state. answered is false if no worker answers.
func (s *Service) FirstAnswer(ctx context.Context, _ Actor, key order.Key) (answer Order, answered bool, err error) {
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return Order{}, false, err
	}
	view, answered := firstAnswer(ctx, orders, key)
	if !answered {
		return Order{}, false, nil
	}
	answer, err = s.preferLedger(ctx, Order{Order: view, Source: FromWorkflow})
	return answer, true, err
}

// firstAnswer returns the last answer in time.
func firstAnswer(ctx context.Context, orders Orders, key order.Key) (last order.View, answered bool) {
	asking, cancel := within(ctx, firstTime)
	defer cancel()
	for {
		view, err := orders.Order(asking, key)
		if err != nil || view.State == "" {
			return last, answered
		}
		last, answered = view, true
		if view.State != order.Created {
			return last, answered
		}
		select {
		case <-asking.Done():
			return last, answered
		case <-time.After(firstPause):
		}
	}
}

// StartDeposit starts a deposit and returns how the payer pays. The same request
// under the same number gives the same instructions. The error is NO_ANSWER if
// there are none when the patience is over. A call with the same request again is
// safe.
func (s *Service) StartDeposit(ctx context.Context, actor Actor, request order.Request, patience time.Duration) (Order, error) {
	orders, err := s.parts.Orders(ctx)
	if err != nil {
		return Order{}, err
	}
	starting, cancel := within(ctx, patience)
	defer cancel()
	if request, err = s.request(actor, request); err != nil {
		return Order{}, err
	}
	view, started, err := orders.StartDeposit(starting, request)
	if err != nil && starting.Err() != nil {
		stands := s.soon(ctx, actor, request.Key()).stands()
		if stands == "" {
			stands = "; it may be under way, if a worker runs"
		}
		return Order{}, order.Refuse(client.CodeNoAnswer, "deposit %s has no instructions yet%s. The same command again is safe", request.Key(), stands)
	}
	if err != nil {
		return Order{}, err
	}
	return s.preferLedger(ctx, Order{Order: view, Source: FromWorkflow, Started: &started})
}
