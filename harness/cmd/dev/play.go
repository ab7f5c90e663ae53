package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

const (
	atOnce    = 64                     // orders that a demo runs at the same time
	readEvery = 100 * time.Millisecond // between two reads of the ledger
)

// role is a running scene: its order and result.
type role struct {
	scene
	request  order.Request
	finished atomic.Bool
	notSent  bool // it was seen scheduled
	result
}

// makeRoles creates the order of every scene.
func (d *demo) makeRoles() ([]*role, error) {
	var roles []*role
	enter := func(s scene, number string) error {
		request, err := s.request(number, d.stack.Merchant(s.country))
		roles = append(roles, &role{scene: s, request: request})
		return err
	}
	for i, s := range scenes {
		if err := enter(s, fmt.Sprintf("DEMO-%02d", i+1)); err != nil {
			return nil, err
		}
	}
	for i, s := range plainScenes(d.orders) {
		if err := enter(s, fmt.Sprintf("PLAIN-%05d", i+1)); err != nil {
			return nil, err
		}
	}
	for i := range fileRows {
		if err := enter(fileScene, fmt.Sprintf("FILE-%03d", i+1)); err != nil {
			return nil, err
		}
	}
	return roles, nil
}

// play starts every order, disturbs some, and returns when all have ended.
func (d *demo) play(ctx context.Context) error {
	fmt.Fprintf(d.notes, "%d orders are being started\n", len(d.roles))
	for _, r := range d.roles {
		if r.after > 0 { // before all others, so that its time is ahead when a worker opens it
			if err := d.begin(ctx, r); err != nil {
				return fmt.Errorf("%s: %w", r.request.Number, err)
			}
		}
	}
	outer := ctx
	stage, ctx := errgroup.WithContext(ctx)
	stage.SetLimit(atOnce)
	stage.Go(func() error { return d.sendInvalidRequests(ctx) })
	stage.Go(func() error { return d.payFile(ctx) })
	stage.Go(func() error { return d.mendHook(ctx) })
	if d.killWorker {
		stage.Go(func() error { return d.killTheWorker(ctx) })
	}
	for _, r := range d.roles {
		if r.via == fromFile {
			continue
		}
		stage.Go(func() error {
			if err := d.perform(ctx, r); err != nil {
				return fmt.Errorf("%s: %w", r.request.Number, err)
			}
			d.end(r)
			return nil
		})
	}
	if err := stage.Wait(); err != nil {
		return err
	}
	return d.awaitEvents(outer)
}

// perform starts one order as a finance system does, and waits for its end.
func (d *demo) perform(ctx context.Context, r *role) error {
	if r.after == 0 {
		if err := d.begin(ctx, r); err != nil {
			return err
		}
	}
	if r.forge {
		if err := d.forge(ctx, r); err != nil {
			return err
		}
	}
	if _, err := d.stack.Orders.Wait(ctx, r.request.Key()); err != nil {
		return err
	}
	if r.refund {
		return d.refund(ctx, r)
	}
	return nil
}

// refund makes the gateway refund the payment of an order that has ended. It waits
// until the ledger shows the refund.
func (d *demo) refund(ctx context.Context, r *role) error {
	key := r.request.Key()
	if _, err := d.stack.Gateway.Move(ctx, key.Merchant, key.Number, tarspay.StateRefunded, ""); err != nil {
		return err
	}
	_, err := d.ledgerShows(ctx, key, func(o order.Order) bool { return o.State == order.Refunded })
	return err
}

func (d *demo) begin(ctx context.Context, r *role) error {
	if r.via == overHTTP {
		return d.beginOverHTTP(ctx, r)
	}
	request, err := d.stack.Sign(r.request)
	if err != nil {
		return err
	}
	if r.kind == order.Withdrawal {
		_, err := d.stack.Orders.Start(ctx, request)
		return err
	}
	view, _, err := d.stack.Orders.StartDeposit(ctx, request)
	for order.CodeOf(err) == client.CodeNoAnswer && ctx.Err() == nil {
		// The worker does not run. The same call again finds the order.
		view, _, err = d.stack.Orders.StartDeposit(ctx, request)
	}
	if err != nil {
		return err
	}
	d.expect(view.Instructions != nil && view.Instructions.PayURL != "",
		"%s: the answer to a deposit must have payment instructions and had none (%s)", r.request.Number, view.State)
	return nil
}

// end counts the orders that have ended, and triggers the kill of the worker.
func (d *demo) end(r *role) {
	r.finished.Store(true)
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.ended++
	if d.ended == d.killAt {
		close(d.kill)
	}
	if r.scenario != "" || d.orders == 0 && r.via != fromFile {
		d.progress(fmt.Sprintf("%-10s  %s", r.request.Number, r.shows))
	}
}

// progress tells people what has happened, and when.
func (d *demo) progress(what string) {
	fmt.Fprintf(d.notes, "%5.1fs  %s\n", time.Since(d.begun).Seconds(), what)
}

// killTheWorker kills the worker with SIGKILL while orders are open, and starts it
// again.
func (d *demo) killTheWorker(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-d.kill:
	}
	d.progress("killing the worker (SIGKILL) and starting it again")
	if err := d.stack.Kill(stack.Worker); err != nil {
		return err
	}
	return d.stack.Launch(ctx, stack.Worker)
}

// ledgerShows waits until the ledger's row of an order satisfies a condition.
func (d *demo) ledgerShows(ctx context.Context, key order.Key, as func(order.Order) bool) (order.Order, error) {
	again := time.NewTicker(readEvery)
	defer again.Stop()
	for {
		row, err := d.books.Order(ctx, key)
		if err == nil && as(row) {
			return row, nil
		}
		select {
		case <-ctx.Done():
			return row, fmt.Errorf("the order is still in state %q: %w", row.State, context.Cause(ctx))
		case <-again.C:
		}
	}
}
