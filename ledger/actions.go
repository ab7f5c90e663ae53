package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

var errNotBuilt = errors.New("ledger: not built yet")

// Reserve sets aside the funds of a withdrawal that waits for them, if they
// are there now. An order that still comes short, or does not wait for funds,
// is returned as it stands. ErrNotFound if there is none of that key.
func (l *Ledger) Reserve(context.Context, order.Key) (order.Order, error) {
	return order.Order{}, errNotBuilt
}

// FailFunds ends a withdrawal that waited for funds in vain. Any other order
// is returned as it stands. ErrNotFound if there is none of that key.
func (l *Ledger) FailFunds(context.Context, order.Key) (order.Order, error) {
	return order.Order{}, errNotBuilt
}

// RejectUnanswered ends an order that nobody approved in time. Any other order
// is returned as it stands. ErrNotFound if there is none of that key.
func (l *Ledger) RejectUnanswered(context.Context, order.Key) (order.Order, error) {
	return order.Order{}, errNotBuilt
}

// Approve lets an order go ahead.
func (l *Ledger) Approve(context.Context, order.Key, order.Approval) (order.Order, *order.Refusal, error) {
	return order.Order{}, nil, errNotBuilt
}

// Reject ends an order that waits for its approval.
func (l *Ledger) Reject(context.Context, order.Key, order.Rejection) (order.Order, *order.Refusal, error) {
	return order.Order{}, nil, errNotBuilt
}

// Cancel withdraws an order before anything was sent.
func (l *Ledger) Cancel(context.Context, order.Key, order.Cancellation) (order.Order, *order.Refusal, error) {
	return order.Order{}, nil, errNotBuilt
}

// Note adds a remark.
func (l *Ledger) Note(context.Context, order.Key, order.Note) (order.Order, *order.Refusal, error) {
	return order.Order{}, nil, errNotBuilt
}

// Resolve ends an order in review, with evidence.
func (l *Ledger) Resolve(context.Context, order.Key, order.Resolution, bool) (o order.Order, refusal *order.Refusal, pending bool, err error) {
	return order.Order{}, nil, false, errNotBuilt
}

// Breaker is a merchant whose orders are not submitted, because the gateway
// refuses every call.
type Breaker struct {
	Merchant string       `json:"merchant"`
	Since    time.Time    `json:"since"`
	Reason   order.Reason `json:"reason"`
	ProbeAt  time.Time    `json:"probe_at"` // when the next order may be tried
}

// Trip opens a merchant's breaker. One that is open stays as it is.
func (l *Ledger) Trip(context.Context, string, order.Reason, time.Duration) error { return errNotBuilt }

// Breaker is a merchant's breaker, if it is open.
func (l *Ledger) Breaker(context.Context, string) (b Breaker, open bool, err error) {
	return Breaker{}, false, errNotBuilt
}

// Breakers are all that are open, oldest first.
func (l *Ledger) Breakers(context.Context) ([]Breaker, error) { return nil, errNotBuilt }

// ClaimProbe reports whether the caller may try one order now.
func (l *Ledger) ClaimProbe(ctx context.Context, merchant string, next time.Time) (bool, error) {
	return false, errNotBuilt
}

// Reset closes a merchant's breaker.
func (l *Ledger) Reset(context.Context, string) error { return errNotBuilt }
