package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Act does what an operator asks, or says why not. The rules are asked in the
// transaction that acts, whatever a caller has checked before.
func (b *Books) Act(ctx context.Context, key order.Key, action contract.Action) (contract.Acted, error) {
	var (
		row     order.Order
		refusal *order.Refusal
		acted   contract.Acted
		err     error
	)
	switch {
	case action.Members() != 1:
		refusal = order.Refuse(order.CodeInvalidRequest, "an action is exactly one of approve, reject, cancel, resolve, note, poll and adopt")
	case action.Approve != nil:
		row, refusal, err = b.ledger.Approve(ctx, key, *action.Approve)
	case action.Reject != nil:
		row, refusal, err = b.ledger.Reject(ctx, key, *action.Reject)
	case action.Cancel != nil:
		row, refusal, err = b.ledger.Cancel(ctx, key, *action.Cancel)
	case action.Note != nil:
		row, refusal, err = b.ledger.Note(ctx, key, *action.Note)
	case action.Poll != nil:
		row, refusal, err = b.ledger.Poll(ctx, key, *action.Poll)
	case action.Adopt != nil:
		row, refusal, err = b.adopt(ctx, key, *action.Adopt)
	case action.Resolve != nil:
		var pending bool
		row, refusal, pending, err = b.ledger.Resolve(ctx, key, *action.Resolve, b.settings.Policy.TwoPersonResolve())
		if pending {
			acted.Pending = action.Resolve.By
		}
	}
	if err != nil {
		return contract.Acted{}, fmt.Errorf("act on %s: %w", key, err)
	}
	acted.Kind, acted.Standing = row.Kind, row.Standing
	if refusal != nil {
		acted.Refusal = &refusal.Reason
	}
	return acted, nil
}

// adopt writes an order down that only Temporal has, and notes who has it
// adopted. What cannot be written down is refused, and on record.
func (b *Books) adopt(ctx context.Context, key order.Key, adoption order.Adoption) (order.Order, *order.Refusal, error) {
	signed := adoption.Permit(order.Order{}) == nil // else the ledger says what is missing
	var unwritten *order.Refusal
	if adoption.Request != nil && signed {
		var err error
		if unwritten, err = b.writeDown(ctx, key, adoption); err != nil {
			return order.Order{}, nil, err
		}
	}
	row, refusal, err := b.ledger.Adopt(ctx, key, adoption)
	if unwritten != nil && err == nil {
		refusal = unwritten
	}
	return row, refusal, err
}

// writeDown opens an order from what its workflow was started with. It is judged
// like a new one, because nothing else is: anybody who reaches Temporal may have
// started it. It may be at the gateway, so it is asked about before anything is
// sent, and it waits for funds rather than failing without them.
func (b *Books) writeDown(ctx context.Context, key order.Key, adoption order.Adoption) (*order.Refusal, error) {
	request := *adoption.Request
	if request.Key() != key || !key.WellFormed() {
		return order.Refuse(order.CodeInvalidRequest, "the workflow was started with another order than %s", key.Number), nil
	}
	switch refusal := b.refuse(request); {
	case refusal != nil && refusal.Code == order.CodeInvalidRequest:
		return order.Refuse(order.CodeInvalidRequest,
			"what the workflow was started with breaks a rule of today, and nothing was written down (%s). If the gateway has the order, raise the limit or book it with starter adjust", refusal.Text), nil
	case refusal != nil:
		return refusal, nil
	}
	terms := b.settings.terms(request.Kind)
	terms.WaitForFunds, terms.AskFirst, terms.Run = true, true, adoption.Run
	_, opening, err := b.ledger.OpenOrder(ctx, request, terms)
	var refused *order.Refusal
	switch {
	case errors.As(err, &refused):
		return refused, nil
	case err != nil:
		return nil, fmt.Errorf("write %s down: %w", key, err)
	case opening == ledger.BooksClosed:
		return order.Refuse(ledger.CodeBooksClosed, "the books of merchant %s are not open: compare its balance first, then adopt the order", request.Merchant), nil
	case opening == ledger.Conflict:
		return order.Refuse(order.CodeOrderConflict, "the number %s belongs to an order with other content in the ledger", key.Number), nil
	case opening == ledger.Twin:
		return order.Refuse(order.CodeNumberTwin, "the number %s differs from another order's in capitals only", key.Number), nil
	}
	return nil, nil
}
