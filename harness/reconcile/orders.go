package reconcile

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/testsuite"
	"golang.org/x/sync/errgroup"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// outcomes are ends that an order can come to with a gateway that tells the truth, however
// badly its answers travel.
var outcomes = map[order.Kind][]string{
	order.Deposit: {
		"success", "silent-success", "fail", "cancel", "partial:30", "refund", "queued", "flip", "lost-answer", "lost-request",
		"hidden:2", "system-error", "http-500-unbooked", "query-error:2", "text-state", "refuse:5003012",
	},
	order.Withdrawal: {
		"success", "silent-success", "fail", "reject", "refund", "flip", "lost-answer", "lost-request", "out-of-order",
		"hidden:2", "channel-error", "unknown-code", "wrong-sign", "query-http-500:2", "refuse:5003012",
	},
}

const (
	batchSize = 400 // orders that go to their ends together
	atOnce    = 4   // calls at once
	maxRounds = 120 // minutes until every order has ended
)

// trade makes so many orders of every outcome and takes them to their ends.
func (w *world) trade(ctx context.Context, n int) error {
	for n > 0 {
		batch := make([]order.Request, min(n, batchSize))
		for i := range batch {
			kind := []order.Kind{order.Deposit, order.Withdrawal}[w.random.IntN(2)]
			scenarios := outcomes[kind]
			batch[i] = w.request(kind, w.anyMerchant(), "", scenarios[w.random.IntN(len(scenarios))])
		}
		if err := w.settle(ctx, batch); err != nil {
			return err
		}
		n -= len(batch)
	}
	return nil
}

// anyMerchant is one with orders. That of the statements has a tenth of them.
func (w *world) anyMerchant() string {
	switch n := w.random.IntN(20); {
	case n < 9:
		return listed
	case n < 18:
		return queried
	}
	return stated
}

// settle takes orders to their ends as their workflows would, by asking.
func (w *world) settle(ctx context.Context, batch []order.Request) error {
	err := together(ctx, batch, func(ctx context.Context, r order.Request) error {
		_, opening, err := w.books.OpenOrder(ctx, r, ledger.Terms{})
		if err == nil && opening != ledger.Opened {
			err = fmt.Errorf("order %s is not new", r.Number)
		}
		return err
	})
	for round := 0; err == nil && len(batch) > 0; round++ {
		if round == maxRounds {
			return fmt.Errorf("%d orders did not end, one of them %s %s", len(batch), batch[0].Number, batch[0].Details)
		}
		if err = together(ctx, batch, w.step); err == nil {
			w.pass(time.Minute)
			batch, err = w.unended(ctx, batch)
		}
	}
	return err
}

func together(ctx context.Context, batch []order.Request, do func(context.Context, order.Request) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, r := range batch {
		group.Go(func() error { return do(ctx, r) })
	}
	return group.Wait()
}

func (w *world) unended(ctx context.Context, batch []order.Request) (open []order.Request, err error) {
	for _, r := range batch {
		o, err := w.books.Order(ctx, r.Key())
		if err != nil {
			return nil, err
		}
		if !o.State.Terminal() {
			open = append(open, r)
		}
	}
	return open, nil
}

// step sends an order, or asks about it.
func (w *world) step(ctx context.Context, r order.Request) error {
	o, err := w.books.Order(ctx, r.Key())
	if err != nil {
		return err
	}
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(silence)
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(w.activity)
	if rules.Sendable(o.State) {
		_, err = env.ExecuteActivity(w.activity.Submit, r.Key())
		return err
	}
	value, err := env.ExecuteActivity(w.activity.Poll, activities.PollInput{Key: r.Key()})
	if err != nil {
		return ctx.Err() // there is no usable answer yet
	}
	var finding rules.Finding
	if err = value.Get(&finding); err == nil {
		_, err = w.books.Settle(ctx, r.Key(), finding)
	}
	return err
}

// elsewhere makes an order at the gateway that the ledger does not know, and waits for its
// end. It returns its gateway id.
func (w *world) elsewhere(ctx context.Context, r order.Request) (string, error) {
	profile, _ := tarspay.Country(r.Country)
	create := tarspay.CreateRequest{
		OrderNumber: r.Number, Way: r.Way, Amount: r.Amount.Short(), Currency: profile.GatewayCurrency, NotifyURL: notifyURL, Fields: r.Details,
	}
	var err error
	if r.Kind == order.Withdrawal {
		_, err = w.clients[r.Merchant].CreateWithdrawal(ctx, create)
	} else {
		_, err = w.clients[r.Merchant].CreateDeposit(ctx, create)
	}
	if err != nil {
		return "", err
	}
	w.pass(time.Minute)
	made := w.gateway.Orders(r.Merchant, r.Number)
	return made[len(made)-1].ID, nil
}

// alone books an order as paid, whatever the gateway has.
func (w *world) alone(ctx context.Context, r order.Request, gatewayID string, fee money.Amount) error {
	if err := w.submitted(ctx, r, ledger.Answer{Outcome: ledger.Accepted, GatewayID: gatewayID}); err != nil {
		return err
	}
	_, err := w.books.Settle(ctx, r.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Paid, GatewayID: gatewayID, Paid: r.Amount, Fee: fee})
	return err
}

// submitted books an order as sent, with an answer.
func (w *world) submitted(ctx context.Context, r order.Request, answer ledger.Answer) error {
	_, opening, err := w.books.OpenOrder(ctx, r, ledger.Terms{})
	if err == nil && opening != ledger.Opened {
		err = fmt.Errorf("order %s is not new", r.Number)
	}
	if err == nil {
		_, err = w.books.NextSubmission(ctx, r.Key(), 0)
	}
	if err == nil {
		_, err = w.books.CompleteSubmission(ctx, r.Key(), 1, answer)
	}
	return err
}

// moved moves an order at the gateway through states, by hand. Nobody is told.
func (w *world) moved(p *plant, paid string, states ...tarspay.State) error {
	for _, state := range states {
		part := ""
		if state == tarspay.StatePartial {
			part = paid
		}
		if _, err := w.gateway.Move(p.merchant, p.number, state, part); err != nil {
			return fmt.Errorf("move %s to %s: %w", p.number, state, err)
		}
	}
	return nil
}
