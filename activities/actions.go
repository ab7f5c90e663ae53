package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Act executes an operator's action, or returns why it was refused. The ledger
// checks the rules in the transaction that executes the action, even if a caller
// has checked them before.
func (b *Books) Act(ctx context.Context, key order.Key, action contract.Action) (contract.Acted, error) {
	var unwritten *order.Refusal
	plain, _ := order.Plain(action.Action)
	if adoption, is := plain.(order.Adoption); is {
		var err error
		if unwritten, err = b.insertLost(ctx, key, action.Action, adoption); err != nil {
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
	if resolution, is := plain.(order.Resolution); is && pending {
		acted.Pending, acted.Outcome = resolution.By, rules.Outcome(resolution)
	}
	return acted, nil
}

// ActOnBooks executes a person's action that is not about one order, or returns why
// it was refused.
func (b *Books) ActOnBooks(ctx context.Context, action order.BookAction) (contract.BookActed, error) {
	record, refusal, err := b.ledger.ActOnBooks(ctx, action)
	if err != nil {
		return contract.BookActed{}, fmt.Errorf("%s: %w", action.Name(), err)
	}
	if refusal != nil {
		return contract.BookActed{Refusal: &refusal.Reason}, nil //nolint:nilerr // err is nil: a refusal is an answer
	}
	data, err := json.Marshal(record)
	if err != nil {
		return contract.BookActed{}, fmt.Errorf("%s: %w", action.Name(), err)
	}
	return contract.BookActed{Record: data}, nil
}

// insertLost writes an order that only Temporal has to the ledger, before it is
// adopted. It returns a refusal if the order was not written. The ledger audits
// the adoption in either case.
func (b *Books) insertLost(ctx context.Context, key order.Key, asked order.Action, adoption order.Adoption) (*order.Refusal, error) {
	complete := rules.PermitAdoption(adoption, order.Order{}) == nil // otherwise the ledger refuses it and names the missing member
	if adoption.Request == nil || !complete {
		return nil, nil
	}
	lost := order.Order{Request: *adoption.Request, Fingerprint: adoption.Request.Fingerprint()}
	if refusal, err := b.ledger.Allows(ctx, asked, lost); refusal != nil || err != nil {
		return refusal, err
	}
	return b.insertOrder(ctx, key, adoption)
}

// insertOrder opens an order from the input of its workflow. It validates the
// order like a new one, because anybody with access to Temporal may have started
// the workflow. The gateway may have the order, so it is queried before anything
// is sent. The order waits for funds instead of failing without them.
func (b *Books) insertOrder(ctx context.Context, key order.Key, adoption order.Adoption) (*order.Refusal, error) {
	request := *adoption.Request
	if request.Key() != key || !key.WellFormed() {
		return order.Refuse(order.CodeInvalidRequest, "the workflow was started with another order than %s", key.Number), nil
	}
	switch refusal := b.checkRequest(request); {
	case refusal != nil && refusal.Code == order.CodeInvalidRequest:
		return order.Refuse(order.CodeInvalidRequest,
			"the workflow's input breaks a current rule, and the ledger did not record the order (%s). If the gateway has the order, raise the limit or book it with starter adjust", refusal.Text), nil
	case refusal != nil:
		return refusal, nil
	}
	terms := b.settings.terms(request)
	terms.WaitForFunds, terms.AskFirst, terms.Run = true, true, adoption.Run
	_, opening, err := b.ledger.OpenOrder(ctx, request, terms)
	var refused *order.Refusal
	switch {
	case errors.As(err, &refused):
		return refused, nil
	case err != nil:
		return nil, fmt.Errorf("record %s: %w", key, err)
	case opening == ledger.BooksClosed:
		return order.Refuse(codes.BooksClosed, "the books of merchant %s are not open: compare its balance first, then adopt the order", request.Merchant), nil
	case opening == ledger.Conflict:
		return order.Refuse(order.CodeOrderConflict, "the number %s belongs to an order with other content in the ledger", key.Number), nil
	case opening == ledger.Twin:
		return order.Refuse(order.CodeNumberTwin, "the number %s differs from another order's in capitals only", key.Number), nil
	}
	return nil, nil
}
