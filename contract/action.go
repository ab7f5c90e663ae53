package contract

import "github.com/tarspay-payouts/orchestrator/order"

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

// Members counts what the action asks for.
func (a Action) Members() int {
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
	Kind     order.Kind     `json:"kind,omitempty"`
	Standing order.Standing `json:"standing"`
	Refusal  *order.Reason  `json:"refusal,omitempty"` // why it was not done
	Pending  string         `json:"pending,omitempty"` // who has proposed it: a second person must say the same
}
