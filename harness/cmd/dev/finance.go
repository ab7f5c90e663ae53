package main

import (
	"context"
	"errors"
	"time"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/apiclient"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/order"
)

// finance is a finance system. It has the api's address, an API key of the roster and a
// receiver of webhooks.
type finance struct {
	*apiclient.Client
	actor payouts.Actor
	hook  *hook
	id    string // of the webhook endpoint
	since payouts.EventPlace
}

// openFinance makes the finance system, and registers its receiver for all events.
func (d *demo) openFinance(ctx context.Context) (*finance, error) {
	token, err := d.stack.Token()
	if err != nil {
		return nil, err
	}
	api, err := apiclient.New(d.stack.Addresses.API, token, "dev demo", time.Now)
	if err != nil {
		return nil, err
	}
	f := &finance{Client: api, actor: payouts.Actor{Name: stack.System}}
	if f.since, err = api.LastEventPlace(ctx, f.actor); err != nil {
		return nil, err
	}
	if f.hook, err = openHook(ctx); err != nil {
		return nil, err
	}
	endpoint, err := api.CreateWebhook(ctx, f.actor, payouts.NewWebhook{URL: f.hook.url})
	if err == nil {
		f.id, err = endpoint.ID, f.hook.trust(endpoint.Secret)
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *finance) close() error {
	f.Close()
	return f.hook.close()
}

// beginOverHTTP starts an order at the api, and starts it again: it is the same order.
func (d *demo) beginOverHTTP(ctx context.Context, r *role) error {
	if r.after > 0 {
		r.request.NotBefore = time.Now().Add(r.after).Truncate(time.Second)
	}
	if r.unheard {
		d.finance.hook.fail(r.request.Key())
	}
	if r.kind == order.Deposit {
		return d.beginDepositOverHTTP(ctx, r)
	}
	started, err := d.finance.StartWithdrawal(ctx, d.finance.actor, r.request)
	if err != nil {
		return err
	}
	again, err := d.finance.StartWithdrawal(ctx, d.finance.actor, r.request)
	d.expect(err == nil && !started.Existing && again.Existing && again.WorkflowID == started.WorkflowID,
		"%s twice over HTTP must be one order; the answers were %+v and %+v, %v", r.request.Number, started, again, err)
	if r.after == 0 {
		return ctx.Err()
	}
	row, err := d.ledgerShows(ctx, r.request.Key(), func(order.Order) bool { return true })
	r.notSent = row.State == order.Scheduled
	return err
}

func (d *demo) beginDepositOverHTTP(ctx context.Context, r *role) error {
	answer, err := d.finance.StartDeposit(ctx, d.finance.actor, r.request, 0)
	for order.CodeOf(err) == client.CodeNoAnswer && ctx.Err() == nil { // as in begin
		answer, err = d.finance.StartDeposit(ctx, d.finance.actor, r.request, 0)
	}
	if err != nil {
		return err
	}
	d.expect(answer.Order.Instructions != nil && answer.Order.Instructions.PayURL != "",
		"%s: the answer to a deposit over HTTP must have payment instructions and had none (%s)", r.request.Number, answer.Order.State)
	return nil
}

// askAsStranger asks the api with a key that nobody has.
func (d *demo) askAsStranger(ctx context.Context) error {
	stranger, err := apiclient.New(d.stack.Addresses.API, "payouts_erp_nobody", "dev demo", time.Now)
	if err != nil {
		return err
	}
	defer stranger.Close()
	_, err = stranger.Merchants(ctx, d.finance.actor)
	d.expect(order.CodeOf(err) == roster.CodeKeyUnknown, "an API key that nobody has must be refused with %s; it was %v", roster.CodeKeyUnknown, err)
	d.recordRefusal("a request over HTTP with an API key that nobody has", order.CodeOf(err))
	return ctx.Err()
}
