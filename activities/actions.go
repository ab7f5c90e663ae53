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
	var unwritten *order.Refusal
	if adoption, is := action.Action.(order.Adoption); is {
		var err error
		if unwritten, err = b.writeLost(ctx, key, adoption); err != nil {
			return contract.Acted{}, fmt.Errorf("act on %s: %w", key, err)
		}
	}
	row, refusal, pending, err := b.ledger.Act(ctx, key, action.Action, b.settings.Policy.TwoPersonResolve())
	if err != nil {
		return contract.Acted{}, fmt.Errorf("act on %s: %w", key, err)
	}
	if unwritten != nil {
		refusal = unwritten
	}
	acted := contract.Acted{Kind: row.Kind, Standing: row.Standing}
	if refusal != nil {
		acted.Refusal = &refusal.Reason
	}
	if resolution, is := action.Action.(order.Resolution); is && pending {
		acted.Pending = resolution.By
	}
	return acted, nil
}

// writeLost writes an order down that only Temporal has, before it is adopted.
// The refusal says why it was not; the adoption is on record either way.
func (b *Books) writeLost(ctx context.Context, key order.Key, adoption order.Adoption) (*order.Refusal, error) {
	signed := adoption.Permit(order.Order{}) == nil // else the ledger says what is missing
	if adoption.Request == nil || !signed {
		return nil, nil
	}
	return b.writeDown(ctx, key, adoption)
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
