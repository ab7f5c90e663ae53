package main

import (
	"context"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/order"
)

// deeds are what a person did to an order.
type deeds struct {
	approvals     []order.Approval
	rejections    []order.Rejection
	cancellations []order.Cancellation
	notes         []order.Note
	adopted       []order.Order

	adoptErr, noteErr error
}

func (f *fakeTemporal) Approve(ctx context.Context, kind order.Kind, _ order.Key, approval order.Approval) (order.View, error) {
	f.kinds = append(f.kinds, kind)
	f.approvals = append(f.approvals, approval)
	return f.answer(ctx)
}

func (f *fakeTemporal) Reject(ctx context.Context, kind order.Kind, _ order.Key, rejection order.Rejection) (order.View, error) {
	f.kinds = append(f.kinds, kind)
	f.rejections = append(f.rejections, rejection)
	return f.answer(ctx)
}

func (f *fakeTemporal) Cancel(ctx context.Context, kind order.Kind, _ order.Key, cancellation order.Cancellation) (order.View, error) {
	f.kinds = append(f.kinds, kind)
	f.cancellations = append(f.cancellations, cancellation)
	return f.answer(ctx)
}

func (f *fakeTemporal) Note(ctx context.Context, kind order.Kind, _ order.Key, note order.Note) (order.View, error) {
	f.kinds = append(f.kinds, kind)
	f.notes = append(f.notes, note)
	if f.noteErr != nil {
		return order.View{}, f.noteErr
	}
	return f.answer(ctx)
}

func (f *fakeTemporal) Adopt(_ context.Context, row order.Order) (client.Started, error) {
	f.adopted = append(f.adopted, row)
	return f.started, f.adoptErr
}
