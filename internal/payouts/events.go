package payouts

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// CodeEventsRestored means that the list of events is not the one that a reader has read:
// an older copy of the ledger was restored. It is stable.
const CodeEventsRestored = "EVENTS_RESTORED"

// Event tells of a change of an order's or a batch's state, or of a discrepancy.
type Event = ledger.Event

// EventPlace is where a reader of events goes on. The zero value is before the first event.
type EventPlace struct {
	Position int64  `json:"n"`
	ID       string `json:"id,omitempty"` // the beginning of the event's id
}

// String is the place as a text, 12-evt_0123456789ab, which ReadEventPlace reads.
func (p EventPlace) String() string { return strconv.FormatInt(p.Position, 10) + "-" + p.ID }

// ReadEventPlace reads a place. ok is false for a text that is none.
func ReadEventPlace(text string) (place EventPlace, ok bool) {
	number, id, cut := strings.Cut(text, "-")
	position, err := strconv.ParseInt(number, 10, 64)
	place = EventPlace{position, id}
	return place, err == nil && cut && position >= 0 && place.String() == text
}

// EventFilter selects events.
type EventFilter struct {
	Merchants []string // any of them; none: all
	Types     []string // any of them, as in withdrawal.succeeded; none: all
	After     EventPlace
	Since     time.Time // without After: from a place before every event of that time or later
	Limit     int
}

// EventPage is a page of events, the oldest first.
type EventPage struct {
	Events []Event    `json:"events"`
	Next   EventPlace `json:"-"` // where to go on, also if there are no events
	More   bool       `json:"-"` // there may be more at once
}

// LastEventPlace returns the place after the newest event.
func (s *Service) LastEventPlace(ctx context.Context, _ Actor) (place EventPlace, err error) {
	err = s.inLedger(ctx, func(ctx context.Context, l Ledger) error {
		position, err := l.LastEvent(ctx)
		if err == nil {
			place, err = placeAt(ctx, l, position)
		}
		return err
	})
	return place, err
}

// idDigits is how much of an event's id a place has.
const idDigits = len("evt_") + 12

// PlaceOf returns the place after an event.
func PlaceOf(event Event) EventPlace { return EventPlace{event.Position, event.ID[:idDigits]} }

func placeAt(ctx context.Context, l Ledger, position int64) (EventPlace, error) {
	if position == 0 {
		return EventPlace{}, nil
	}
	id, err := l.EventAt(ctx, position)
	if err != nil {
		return EventPlace{}, err
	}
	return EventPlace{position, id[:idDigits]}, nil
}

// eventPause is the time between two looks for new events.
const eventPause = 250 * time.Millisecond

// Events lists events after a place, the oldest first. If there are none, it waits for
// them for that long. The error is EVENTS_RESTORED if the place is of another list.
func (s *Service) Events(ctx context.Context, _ Actor, filter EventFilter, patience time.Duration) (EventPage, error) {
	page := EventPage{Events: []Event{}, Next: filter.After}
	err := s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
		page.Next, err = begin(ctx, l, filter)
		return err
	})
	if err != nil {
		return page, err
	}
	until := time.Now().Add(patience)
	for {
		err := s.inLedger(ctx, func(ctx context.Context, l Ledger) (err error) {
			filter.After = page.Next
			page, err = events(ctx, l, filter)
			return err
		})
		if err != nil || len(page.Events) > 0 || page.More || !time.Now().Before(until) {
			return page, err
		}
		select {
		case <-ctx.Done():
			return page, ctx.Err()
		case <-time.After(eventPause):
		}
	}
}

// eventPages is how many pages are read at most for one of a filter by type.
const eventPages = 20

// events reads a page. A page of a filter by type may be short, or empty, although there
// are more.
func events(ctx context.Context, l Ledger, filter EventFilter) (EventPage, error) {
	page := EventPage{Events: []Event{}, Next: filter.After, More: true}
	for tries := 0; page.More && tries < eventPages && len(page.Events) < filter.Limit; tries++ {
		left := filter.Limit - len(page.Events)
		found, err := l.Events(ctx, ledger.EventFilter{Merchants: filter.Merchants, After: page.Next.Position, Limit: left})
		if err != nil {
			return page, err
		}
		for _, event := range found {
			page.Next = PlaceOf(event)
			if len(filter.Types) == 0 || slices.Contains(filter.Types, event.Type) {
				page.Events = append(page.Events, event)
			}
		}
		page.More = len(found) == left
	}
	return page, nil
}

// begin returns the place after which the events of a filter begin. The error is
// EVENTS_RESTORED if the place is of another list.
func begin(ctx context.Context, l Ledger, filter EventFilter) (EventPlace, error) {
	if filter.After != (EventPlace{}) || filter.Since.IsZero() {
		return filter.After, sameList(ctx, l, filter.After)
	}
	position, err := l.EventBefore(ctx, filter.Since)
	if err != nil {
		return EventPlace{}, err
	}
	return placeAt(ctx, l, position)
}

// sameList refuses a place of another list of events.
func sameList(ctx context.Context, l Ledger, place EventPlace) error {
	if place.Position == 0 {
		return nil
	}
	id, err := l.EventAt(ctx, place.Position)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && (place.ID == "" || !strings.HasPrefix(id, place.ID)) {
		return order.Refuse(CodeEventsRestored, "the list of events is not the one that was read before: an older copy of the ledger was restored. Ask for the events from a time before that; a repeated id is the same event")
	}
	return err
}

// KnownEventType reports whether events can have the type.
func KnownEventType(kind string) bool { return slices.Contains(EventTypes(), kind) }

// EventTypes returns every type of event.
func EventTypes() []string {
	types := append(ledger.BatchEventTypes(), "discrepancy.closed", "discrepancy.opened", "discrepancy.reminder")
	for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
		for _, state := range order.States() {
			types = append(types, string(kind)+"."+string(state))
		}
	}
	slices.Sort(types)
	return types
}
