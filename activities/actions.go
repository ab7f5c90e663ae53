package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Action is what an operator does to an order: exactly one of its members is
// set.
type Action struct {
	Approve *order.Approval     `json:"approve,omitempty"`
	Reject  *order.Rejection    `json:"reject,omitempty"`
	Cancel  *order.Cancellation `json:"cancel,omitempty"`
	Resolve *order.Resolution   `json:"resolve,omitempty"`
	Note    *order.Note         `json:"note,omitempty"`
	Poll    *order.Poll         `json:"poll,omitempty"`
	Adopt   *order.Adoption     `json:"adopt,omitempty"`
}

// Marked gives the action an ID unless whoever asks for it has: the ledger does
// an action once, and tells by the ID when it is asked for the same again.
func (a Action) Marked(id string) Action {
	return a.marking(func(mark *string) {
		if *mark == "" {
			*mark = id
		}
	})
}

// Unmarked is the action without its ID: what is asked for, however often.
func (a Action) Unmarked() Action { return a.marking(func(mark *string) { *mark = "" }) }

// marking is a copy of the action whose ID is changed.
func (a Action) marking(change func(*string)) Action {
	switch {
	case a.Approve != nil:
		a.Approve = changed(*a.Approve, func(v *order.Approval) { change(&v.ID) })
	case a.Reject != nil:
		a.Reject = changed(*a.Reject, func(v *order.Rejection) { change(&v.ID) })
	case a.Cancel != nil:
		a.Cancel = changed(*a.Cancel, func(v *order.Cancellation) { change(&v.ID) })
	case a.Resolve != nil:
		a.Resolve = changed(*a.Resolve, func(v *order.Resolution) { change(&v.ID) })
	case a.Note != nil:
		a.Note = changed(*a.Note, func(v *order.Note) { change(&v.ID) })
	case a.Poll != nil:
		a.Poll = changed(*a.Poll, func(v *order.Poll) { change(&v.ID) })
	case a.Adopt != nil:
		a.Adopt = changed(*a.Adopt, func(v *order.Adoption) { change(&v.ID) })
	}
	return a
}

// members counts what the action asks for.
func (a Action) members() int {
	set := 0
	for _, is := range []bool{
		a.Approve != nil, a.Reject != nil, a.Cancel != nil, a.Resolve != nil, a.Note != nil, a.Poll != nil, a.Adopt != nil,
	} {
		if is {
			set++
		}
	}
	return set
}

// TooLong refuses an action that has a text longer than it may be.
func (a Action) TooLong() *order.Refusal {
	var refusal *order.Refusal
	switch {
	case a.Approve != nil:
		refusal = a.Approve.TooLong()
	case a.Reject != nil:
		refusal = a.Reject.TooLong()
	case a.Cancel != nil:
		refusal = a.Cancel.TooLong()
	case a.Resolve != nil:
		refusal = a.Resolve.TooLong()
	case a.Note != nil:
		refusal = a.Note.TooLong()
	case a.Poll != nil:
		refusal = a.Poll.TooLong()
	case a.Adopt != nil:
		refusal = a.Adopt.TooLong()
	}
	return refusal
}

func changed[T any](value T, change func(*T)) *T {
	change(&value)
	return &value
}

// Acted is what came of an action. Whether it was done or refused, the audit
// has it.
type Acted struct {
	Standing order.Standing `json:"standing"`
	Refusal  *order.Reason  `json:"refusal,omitempty"` // why it was not done
	Pending  string         `json:"pending,omitempty"` // who has proposed it: a second person must say the same
}

// Act does what an operator asks, or says why not. The rules are asked in the
// transaction that acts, whatever a caller has checked before.
func (b *Books) Act(ctx context.Context, key order.Key, action Action) (Acted, error) {
	var (
		row     order.Order
		refusal *order.Refusal
		acted   Acted
		err     error
	)
	switch {
	case action.members() != 1:
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
		return Acted{}, fmt.Errorf("act on %s: %w", key, err)
	}
	acted.Standing = row.Standing
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
