package ledger

import (
	"context"
	"iter"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// QueueItem is something that needs a person.
type QueueItem struct {
	Since time.Time `json:"since"`
	Kind  QueueKind `json:"kind"`
	Key   order.Key `json:"key"`            // without number: the merchant itself
	ID    string    `json:"id,omitempty"`   // of the discrepancy or the callback
	Code  string    `json:"code,omitempty"` // stable
	Text  string    `json:"text"`           // what is the matter, in a sentence
	Do    string    `json:"do"`             // what to do about it
}

// QueueKind says what an item of the queue is.
type QueueKind string

// The kinds.
const (
	QueueApproval    QueueKind = "approval"    // an order waits for a second person
	QueueReview      QueueKind = "review"      // an order waits to be resolved
	QueueUnknown     QueueKind = "unknown"     // a create has had no certain outcome for long
	QueueDiscrepancy QueueKind = "discrepancy" // open
	QueueBreaker     QueueKind = "breaker"     // open
	QueueCallback    QueueKind = "callback"    // unmatched
)

// NeedsPerson lists everything that needs a person, oldest first.
func (l *Ledger) NeedsPerson(ctx context.Context, unknownFor time.Duration, limit int) ([]QueueItem, error) {
	return nil, errNotBuilt
}

// CloseDiscrepancy notes that a person has dealt with a discrepancy.
func (l *Ledger) CloseDiscrepancy(ctx context.Context, id int64, by, why string) (*order.Refusal, error) {
	return nil, errNotBuilt
}

// Event is one thing in an order's story.
type Event struct {
	At   time.Time `json:"at"`
	Kind EventKind `json:"kind"`
	By   string    `json:"by,omitempty"` // who, when it was a person
	Text string    `json:"text"`         // in a sentence, without personal data
}

// EventKind says what an event is.
type EventKind string

// The kinds of events.
const (
	EventRequest     EventKind = "request"
	EventAttempt     EventKind = "attempt"
	EventCallback    EventKind = "callback"
	EventMove        EventKind = "move"
	EventTransfer    EventKind = "transfer"
	EventDecision    EventKind = "decision"
	EventDiscrepancy EventKind = "discrepancy"
)

// Story tells an order from its beginning.
func (l *Ledger) Story(context.Context, order.Key) ([]Event, error) { return nil, errNotBuilt }

// OpenOrders goes through all orders that have not ended and were opened
// before a moment.
func (l *Ledger) OpenOrders(ctx context.Context, before time.Time) iter.Seq2[order.Order, error] {
	return func(yield func(order.Order, error) bool) { yield(order.Order{}, errNotBuilt) }
}
