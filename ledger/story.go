package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Event is one thing in an order's story.
type Event struct {
	At   time.Time `json:"at"`
	Kind EventKind `json:"kind"`
	By   string    `json:"by,omitempty"` // who, when it was a person
	Text string    `json:"text"`         // in a sentence, without personal data of ours; people's own words are as they wrote them

	rank int // of events of one moment: what follows from another comes after it
}

// EventKind says what an event is.
type EventKind string

// The kinds of events, in the order in which those of one moment are told.
const (
	EventRequest     EventKind = "request"
	EventCallback    EventKind = "callback"
	EventAttempt     EventKind = "attempt"
	EventMove        EventKind = "move"        // its state changed
	EventDecision    EventKind = "decision"    // of a person, done or refused
	EventDiscrepancy EventKind = "discrepancy" // opened
	EventTransfer    EventKind = "transfer"
)

var eventRanks = map[EventKind]int{
	EventRequest: 0, EventCallback: 1, EventAttempt: 2, EventMove: 3, EventDecision: 3, EventDiscrepancy: 4, EventTransfer: 5,
}

// Story tells an order from its beginning: what was asked for, sent, told,
// decided and moved. ErrNotFound when nothing at all is on record of the key.
func (l *Ledger) Story(ctx context.Context, key order.Key) ([]Event, error) {
	var events []Event
	for _, tell := range []func(context.Context, order.Key) ([]Event, error){
		l.tellRequest, l.tellCallbacks, l.tellAttempts, l.tellAudit, l.tellDiscrepancies, l.tellTransfers,
	} {
		told, err := tell(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("ledger: story of %s: %w", key, err)
		}
		events = append(events, told...)
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("ledger: story: %w: order %s", ErrNotFound, key)
	}
	for i := range events {
		events[i].rank = eventRanks[events[i].Kind]
	}
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.rank, b.rank)) })
	return events, nil
}

func (l *Ledger) tellRequest(ctx context.Context, key order.Key) ([]Event, error) {
	o, err := l.Order(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return []Event{{
		At: o.CreatedAt, Kind: EventRequest, By: o.RequestedBy,
		Text: fmt.Sprintf("%s of %s asked for, in %s by %s", o.Kind, o.Amount, o.Country, o.Way),
	}}, err
}

func (l *Ledger) tellCallbacks(ctx context.Context, key order.Key) ([]Event, error) {
	entries, err := l.Callbacks(ctx, key)
	events := make([]Event, len(entries))
	for i, e := range entries {
		times := ""
		if e.Received > 1 {
			times = fmt.Sprintf(", told %d times until %s", e.Received, order.SayTime(e.LastAt))
		}
		events[i] = Event{At: e.FirstAt, Kind: EventCallback, Text: fmt.Sprintf("the gateway says %s of its order %s (%s of %s %s, fee %s)%s: %s",
			e.Callback.State, e.Callback.GatewayID, cmp.Or(e.Callback.PayAmount, "nothing"), e.Callback.OrderAmount, e.Callback.Currency,
			cmp.Or(e.Callback.Fee, "unsaid"), times, e.Status)}
	}
	return events, err
}

func (l *Ledger) tellAttempts(ctx context.Context, key order.Key) ([]Event, error) {
	submissions, err := l.Submissions(ctx, key)
	var events []Event
	for _, s := range submissions {
		events = append(events, Event{At: s.StartedAt, Kind: EventAttempt, Text: attemptText(s.Attempt) + " to send it begins"})
		if s.Outcome != "" {
			events = append(events, Event{At: s.EndedAt, Kind: EventAttempt, Text: fmt.Sprintf("%s ends: %s", attemptText(s.Attempt), say(string(s.Outcome), s.Reason))})
		}
	}
	return events, err
}

func (l *Ledger) tellAudit(ctx context.Context, key order.Key) ([]Event, error) {
	entries, err := l.Audit(ctx, key)
	var events []Event
	for _, e := range entries {
		if e.Action == ActionDiscrepancy {
			continue // told by itself
		}
		event := Event{At: e.At, Kind: EventMove, Text: sayEntry(e)}
		if e.Source == order.FromOperator {
			event.Kind, event.By = EventDecision, e.Actor
		}
		events = append(events, event)
	}
	return events, err
}

// sayEntry is an entry of the audit in a sentence.
func sayEntry(e AuditEntry) string {
	switch {
	case e.Refused:
		return fmt.Sprintf("%s refused: %s: %s", e.Action, e.Reason.Code, e.Reason.Text)
	case e.Action == ActionOpen:
		return say("opened as "+string(e.After), e.Reason)
	case e.Before == e.After:
		return say(string(e.Action), e.Reason)
	}
	behind := strings.TrimSpace(string(e.Source) + " " + e.Evidence)
	if e.Source == order.FromOperator {
		behind = string(e.Action)
	}
	text := fmt.Sprintf("%s → %s (%s)", e.Before, e.After, behind)
	if e.Paid.IsPositive() {
		text += fmt.Sprintf(", paid %s, fee %s", e.Paid, e.Fee)
	}
	return say(text, e.Reason)
}

func say(text string, reason order.Reason) string {
	if words := strings.TrimSpace(reason.Code + " " + reason.Text); words != "" {
		text += ": " + words
	}
	return text
}

func (l *Ledger) tellDiscrepancies(ctx context.Context, key order.Key) ([]Event, error) {
	found, err := l.Discrepancies(ctx, DiscrepancyFilter{Merchant: key.Merchant, Number: key.Number, Limit: MaxPage})
	var events []Event
	for _, d := range slices.Backward(found) {
		events = append(events, Event{At: d.At, Kind: EventDiscrepancy, Text: fmt.Sprintf("discrepancy %d: %s: %s", d.ID, d.Code, d.Detail)})
	}
	return events, err
}

func (l *Ledger) tellTransfers(ctx context.Context, key order.Key) ([]Event, error) {
	transfers, err := l.Transfers(ctx, key)
	events := make([]Event, len(transfers))
	for i, t := range transfers {
		events[i] = Event{At: t.At, Kind: EventTransfer, Text: fmt.Sprintf("%s: %s → %s %s", t.Reason, t.From, t.To, t.Amount)}
	}
	return events, err
}
